"""One element of each gradient worked out by hand: `python -m numpynet.gradcheck conv2d --show`."""

from typing import Any

import numpy as np

from numpynet.gradcheck.numeric import STEP
from numpynet.gradcheck.problem import Problem, Rng
from numpynet.typing import AnyArray, Array

SMALL: dict[str, dict[str, Any]] = {
    "linear": {"batch": 2, "inputs": 3, "outputs": 2},
    "relu": {"batch": 1, "size": 6},
    "flatten": {"batch": 1, "channels": 2, "size": 2},
    "dropout": {"batch": 1, "size": 6},
    "mse_loss": {"batch": 1, "size": 4},
    "smooth_l1_loss": {"batch": 1, "size": 4},
    "wing_loss": {"batch": 1, "size": 4},
    "focal_loss": {"batch": 1, "size": 4},
    "upsample_nearest2d": {"batch": 1, "channels": 1, "size": 2},
    "soft_argmax2d": {"batch": 1, "maps": 1, "size": (2, 3)},
    "conv2d": {"batch": 1, "channels": 1, "filters": 1, "size": 4},
    "max_pool2d": {"batch": 1, "channels": 1, "size": 4, "kernel": 2, "stride": 1, "padding": 0},
    "avg_pool2d": {"batch": 1, "channels": 1, "size": 5, "padding": 0},
    "batch_norm": {"batch": 2, "channels": 1, "size": 2},
}
"""The sizes that `--show` takes, small enough to be printed in full, unless others are given."""

FULL = 64
"""Arrays with more elements are not printed in full."""

TERMS = 9
"""The most terms of a sum that are printed."""


def shown(problem: Problem, rng: Rng) -> str:
    """The example in full, and of each gradient the element with the most terms, or the wrong one.

    The numbers are rounded to two decimals first, so that they can be added up by hand.
    """
    for array in problem.inputs.values():
        if array is not None:
            array[...] = np.round(array, 2)
    out, cache = problem.forward(*problem.inputs.values(), **problem.options)
    dout = np.round(rng.standard_normal(out.shape), 2) + 0.0  # no -0
    result = problem.backward(dout, cache)
    gradients = dict(zip(problem.inputs, result if isinstance(result, tuple) else (result,), strict=False))
    arrays = problem.inputs | {"out": out, "dout": dout}
    parts = ["", "One element by hand. The example:"]
    parts += [_printed(name, array) for name, array in arrays.items() if array is not None]
    parts.append(f"\nL = sum(dout * out) = {np.vdot(dout, out):.6f}")
    for name, array in problem.inputs.items():
        if array is not None and gradients.get(name) is not None:
            parts.append(_element(problem, name, array, np.asarray(gradients[name]), dout))
    return "\n".join(parts)


def _printed(name: str, array: AnyArray) -> str:
    if array.size > FULL:
        return f"{name} {array.shape}: {array.size} numbers"
    text = np.array2string(np.asarray(array), precision=4, suppress_small=True, floatmode="maxprec", prefix="  ")
    return f"{name} {array.shape} =\n  {text}"


def _element(problem: Problem, name: str, array: Array, gradient: Array, dout: Array) -> str:
    slopes = {index: _slopes(problem, array, index) for index in np.ndindex(array.shape)}
    numeric = {index: float(np.vdot(dout, slope)) for index, slope in slopes.items()}
    wrong = {index: abs(gradient[index] - value) for index, value in numeric.items()}
    index = max(wrong, key=lambda i: wrong[i])
    if wrong[index] < 1e-6 * max(map(abs, numeric.values()), default=1):  # none is: show one that has much to add up
        index = max(slopes, key=lambda i: (np.count_nonzero(slopes[i] * dout), abs(numeric[i])))
    value = float(array[index])
    above, below = (float(np.vdot(dout, _moved(problem, array, index, step))) for step in (STEP, -STEP))
    place = f"[{', '.join(map(str, index))}]"
    lines = [
        f"\nd{name}{place}: move {name}{place} = {value:g} by h = {STEP:g}",
        f"  L({value:g} + h)  = {above:+.12f}",
        f"  L({value:g} - h)  = {below:+.12f}",
        f"  difference = {above - below:+.12f}, over 2h: {(above - below) / (2 * STEP):+.6f}   (numeric)",
        f"  backward returns {gradient[index]:+.6f}" + " " * 20 + "(analytic)",
    ]
    if name in problem.known.formulas:
        lines.append(f"  by the formula: {problem.known.formulas[name]}")
    lines.append(f"  in numbers, dout * slope of each output that {name}{place} moves:")
    return "\n".join(lines + _sum(dout, slopes[index]))


def _sum(dout: Array, slopes: Array) -> list[str]:
    """The terms of sum(dout * slopes), those that are not zero."""
    places = [index for index in np.ndindex(dout.shape) if slopes[index]]
    lines = []
    for index in places[:TERMS]:
        name = f"dout[{', '.join(map(str, index))}]" if index else "dloss"
        terms = float(dout[index]), float(slopes[index])
        lines.append(f"    {name} {terms[0]:+.2f} * {terms[1]:+.6f} = {terms[0] * terms[1]:+.6f}")
    if len(places) > TERMS:
        rest = sum(float(dout[index] * slopes[index]) for index in places[TERMS:])
        lines.append(f"    and {len(places) - TERMS} more, together {rest:+.6f}")
    if not places:
        lines.append("    it moves no output")
    lines.append(f"    their sum: {float(np.vdot(dout, slopes)):+.6f}")
    return lines


def _moved(problem: Problem, array: Array, index: tuple[int, ...], step: float) -> Array:
    """The output with one element moved."""
    before = array[index]
    array[index] = before + step
    out = np.array(problem.out())  # flatten returns a view of its input
    array[index] = before
    return out


def _slopes(problem: Problem, array: Array, index: tuple[int, ...]) -> Array:
    """How fast each output moves with this element, of out's shape."""
    above, below = (_moved(problem, array, index, step) for step in (STEP, -STEP))
    return np.asarray((above - below) / (2 * STEP))
