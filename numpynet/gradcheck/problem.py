"""What a check needs to know of a function, and the check itself."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from numpynet.gradcheck.causes import Hints, Suspect
from numpynet.gradcheck.diagnosis import Finding, examine
from numpynet.gradcheck.known import Inputs, known
from numpynet.gradcheck.numeric import numerical_gradient
from numpynet.typing import Array

Rng = np.random.Generator


def apart(rng: Rng, *shape: int) -> Array:
    """Numbers from about -2 to 2 in random order, evenly spaced and not near 0: far from every tie and every kink."""
    count = int(np.prod(shape))
    return (rng.permutation(count) + 0.5 - count / 2).reshape(shape) * (4 / count) + 0.3 / count


class Problem:
    """A function to check: out, cache = forward(*inputs.values(), **options), and backward(dout, cache).

    inputs: by name, in the order of the arguments; the backward function returns their gradients in this order.
    known: what is known of the forward function by its name.
    """

    def __init__(
        self, forward: Callable[..., Any], backward: Callable[..., Any], inputs: Inputs, **options: Any
    ) -> None:
        self.forward = forward
        self.backward = backward
        self.inputs = inputs
        self.options = options
        self.known = known(getattr(forward, "__name__", ""), inputs, options)

    def out(self, **replaced: Array | None) -> Array:
        """The output, with some inputs replaced."""
        result: Array = self.forward(*(self.inputs | replaced).values(), **self.options)[0]
        return result

    def numeric(self, name: str, dout: Array) -> Array:
        """The numerical gradient of one input for this dout."""
        array = self.inputs[name]
        if array is None:
            array = self.known.stand_ins[name].copy()
            return numerical_gradient(lambda: self.out(**{name: array}), array, dout)
        return numerical_gradient(self.out, array, dout)

    def hints(self, name: str, dout: Array) -> Hints:
        """What helps to name a mistake in the gradient of this input."""
        return Hints(
            self.known.coverage if name == "x" else None,
            lambda: self._suspects(name, dout),
            self.known.regions if name == "x" else {},
            self.known.counts,
            self.known.parts if name != "bias" else frozenset(),
        )

    def _suspects(self, name: str, dout: Array) -> Iterator[Suspect]:
        """Gradients with a mistake made on purpose: what any function can do wrong, then what this one can."""
        yield "dout is left out: this is the gradient for a dout of ones", self.numeric(name, np.ones_like(dout))
        if name in self.known.suspects:
            yield from self.known.suspects[name](dout)
        if name != "x" and dout.ndim and len(dout) > 1:
            for n in reversed(range(len(dout))):
                alone = np.zeros_like(dout)
                alone[n] = dout[n]
                which = "the last image" if n == len(dout) - 1 else f"image {n}"
                yield f"only {which} counts: the sum over the batch is missing", self.numeric(name, alone)


def check(rng: Rng, problem: Problem) -> list[Finding]:
    """Examine the gradient of every input for a random dout.

    A constant dout would hide mistakes: batch norm's gradient is zero for it.
    """
    out, cache = problem.forward(*problem.inputs.values(), **problem.options)
    dout = rng.standard_normal(out.shape)
    passed_in = {"dout": dout} | {name: array for name, array in problem.inputs.items() if array is not None}
    before = {name: array.copy() for name, array in passed_in.items()}
    result = problem.backward(dout, cache)
    gradients: dict[str, Any] = dict(
        zip(problem.inputs, result if isinstance(result, tuple) else (result,), strict=False)
    )
    for name, gradient in gradients.items():
        if isinstance(gradient, np.ndarray):  # it may be dout or an input itself, which are restored below
            gradients[name] = gradient.copy()
    findings = []
    for name, array in passed_in.items():
        if not np.array_equal(array, before[name]):
            findings.append(failure(name, "the backward pass changes it in place"))
            array[...] = before[name]
    for name, array in problem.inputs.items():
        if array is None and name not in problem.known.stand_ins:
            if gradients.get(name) is not None:
                findings.append(failure(f"d{name}", f"there is no {name}, so its gradient must be None"))
        elif name != "target":  # the functions return no gradient for it
            findings.append(_examined(problem, name, gradients.get(name), dout))
    return findings


def failure(name: str, cause: str) -> Finding:
    """The finding of a mistake that is no matter of numbers."""
    return Finding(name, np.inf, (), np.nan, np.nan, False, cause)


def _examined(problem: Problem, name: str, gradient: Array | None, dout: Array) -> Finding:
    if not isinstance(gradient, np.ndarray | np.generic):
        return failure(f"d{name}", f"it must be an array, and is {gradient!r:.40}")
    numeric = problem.numeric(name, dout)
    return examine(
        f"d{name}",
        np.asarray(gradient),
        numeric,
        hints=problem.hints(name, dout),
        note=problem.known.notes.get(name, ""),
    )
