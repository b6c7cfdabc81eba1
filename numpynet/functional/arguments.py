"""The checks that every backward function makes on its two arguments before it starts."""

from typing import Any

from numpynet.checks import FLOATS, arrays_of
from numpynet.typing import AnyArray


def of_forward(function: str, cache: Any, *kinds: type) -> None:
    """TypeError unless the cache is of one of these kinds, those that the forward function makes."""
    if not isinstance(cache, kinds):
        forward, got = function.removesuffix("_backward"), type(cache).__name__
        if got in {kind.__name__ for kind in kinds}:
            got += " of the fast kernels; call use() between steps, not between forward and backward"
        raise TypeError(f"{function}: cache must be what {forward} gave with its output, got {got}")


def of_output(function: str, dout: AnyArray, shape: tuple[int, ...]) -> None:
    """ValueError unless `dout` is an array of floating-point numbers in the output's shape."""
    arrays_of(FLOATS, function, dout=dout)
    if dout.shape != shape:
        raise ValueError(f"{function}: dout must have the output's shape {shape}, got {dout.shape}")
