"""The cases of the backward functions: exercises.toml gives the shapes and options, and the numbers are drawn."""

import zlib
from typing import Any

import numpy as np

from numpynet import functional as F
from numpynet.gradcheck import Finding
from numpynet.gradcheck.problem import Problem, apart, check
from numpynet.learn.exercises import Exercise
from numpynet.learn.exercises.cases import examples
from numpynet.learn.exercises.cases.case import Case, Function, Outcome, Stored, guarded_call, strided
from numpynet.typing import Array


def backward(exercise: Exercise) -> list[Case]:
    """A backward function: its forward function's inputs are drawn, and dout."""
    forward = getattr(F, exercise.forward)
    made = examples.EXAMPLES[exercise.name]()
    cases = [_case(forward, made.says, made.inputs, made.options, made.dout)]
    for entry in exercise.cases:
        rng = np.random.default_rng(zlib.crc32(f"{exercise.name} {entry['says']}".encode()))
        inputs = _drawn(rng, entry)
        options = dict(entry.get("options", {}))
        for name, shape in entry.get("arrays", {}).items():
            options[name] = 0.5 + rng.random(shape)
        if entry.get("masks"):
            options["mask"] = rng.random(inputs["x"].shape) >= options["p"]
        dtype = np.dtype(entry.get("dtype", "float64"))
        inputs = {name: array.astype(dtype) for name, array in inputs.items()}
        out, _ = forward(*inputs.values(), **options)
        dout = np.asarray(rng.standard_normal(out.shape), dtype)
        hidden, smooth = entry.get("hidden", False), not entry.get("meet", False)
        cases.append(_case(forward, entry["says"], inputs, options, dout, hidden, smooth))
    return cases


def _drawn(rng: np.random.Generator, entry: dict[str, Any]) -> dict[str, Array]:
    """Arrays of the shapes that the entry names: normal, or far from every kink and tie."""
    inputs = {name: np.asarray(rng.standard_normal(shape)) for name, shape in entry["inputs"].items()}
    if (draw := entry.get("draw")) is not None:
        far = apart(rng, *inputs["x"].shape)
        at = inputs["target"] if draw == "apart from target" else 0.0
        inputs["x"] = np.abs(far) if draw == "positive" else far + at
    if entry.get("meet"):
        inputs["x"][0, 0] = inputs["target"][0, 0]
    return inputs


def _case(
    forward: Function, says: str, inputs: dict[str, Array], options: dict[str, Any], dout: Array, hidden: bool = False,
    smooth: bool = True,
) -> Case:  # fmt: skip
    def run(function: Function, stored: Stored) -> Outcome:
        _, cache = forward(*(stored(array) for array in inputs.values()), **options)
        arriving = float(dout) if dout.ndim == 0 and stored is strided else stored(dout)  # dloss may be a plain number
        return guarded_call(function, (arriving, cache), {"dout": arriving, "cache": cache})

    def gradcheck(function: Function) -> list[Finding]:
        def in_a_tuple(dout: Array, cache: Any) -> Any:
            result = function(dout, cache)
            return tuple(result) if isinstance(result, list) else result

        copies: dict[str, Array | None] = {name: array.copy() for name, array in inputs.items()}
        found = check(np.random.default_rng(0), Problem(forward, in_a_tuple, copies, **options))
        return [finding for finding in found if not finding.passed]

    exact = dout.dtype == np.float64  # in float32, differences drown in rounding
    return Case(says, hidden, run, gradcheck if exact and smooth else None, 1e-9 if exact else 1e-4)
