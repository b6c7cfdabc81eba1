"""What every backward function asks of its two arguments, before it starts."""

from typing import Any

import numpy as np

from numpynet.typing import AnyArray


def of_forward(function: str, cache: Any, *kinds: type) -> None:
    """TypeError unless the cache is of one of these kinds: those that the forward function makes."""
    if not isinstance(cache, kinds):
        forward = function.removesuffix("_backward")
        raise TypeError(f"{function}: cache must be what {forward} gave with its output, got {type(cache).__name__}")


def of_output(function: str, dout: AnyArray, shape: tuple[int, ...]) -> None:
    """ValueError unless dout is an array of floating-point numbers in the output's shape."""
    if not isinstance(dout, np.ndarray) or dout.dtype.kind != "f":
        got = dout.dtype if isinstance(dout, np.ndarray) else type(dout).__name__
        raise ValueError(f"{function}: dout must be an array of floating-point numbers, got {got}")
    if dout.shape != shape:
        raise ValueError(f"{function}: dout must have the output's shape {shape}, got {dout.shape}")
