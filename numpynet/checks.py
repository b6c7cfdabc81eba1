"""What arguments must be, a line each: ValueError, naming the argument and what came, where they are not.

self.eps = number(eps, "Adam: eps", least=0)
"""

import math
from collections.abc import Iterable
from numbers import Integral, Real

import numpy as np

from numpynet.typing import AnyArray

MOST_STEPS = 1 << 53
"""More steps than any training has; from here on a float no longer counts in ones."""


def number(
    value: float,
    name: str,
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    most: float = math.inf,
    below: float = math.inf,
) -> float:
    """`value`, a finite number within the limits."""
    if not isinstance(value, Real) or isinstance(value, bool):
        rule = "be a number"
    elif math.isinf(value):
        rule = "be finite"
    elif not (least <= value <= most and above < value < below):  # so is NaN
        rule = _limits(least, above, most, below)
    else:
        return value
    raise ValueError(f"{name} must {rule}, got {value!r}")


def whole(value: int, name: str, least: int = 1, most: int | None = None) -> int:
    """`value`, an integer from `least` to `most`."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        rule = "be an integer"
    elif value < least:
        rule = f"be at least {least}"
    elif most is not None and value > most:
        rule = f"be at most {most}"
    else:
        return int(value)
    raise ValueError(f"{name} must {rule}, got {value!r}")


def count(array: AnyArray, name: str, least: int = 0) -> int:
    """How many steps are done, from a saved array of shape (); PyTorch counts them in floats."""
    array = np.asarray(array)
    value = array.item() if array.ndim == 0 else array
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, np.ndarray):
        raise ValueError(f"{name} must have shape (), got {value.shape}")
    return whole(value, name, least, MOST_STEPS)


def wholes(values: Iterable[int], name: str, least: int = 1) -> list[int]:
    """`values`, integers of at least `least`, as a list."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ValueError(f"{name} must be integers of at least {least}, got {values!r}")
    return [whole(value, name, least) for value in values]


def same_dtype(function: str, **arrays: AnyArray | None) -> None:
    """Refuse arrays that are not of one floating-point dtype, whatever the order of their bytes; None is left out."""
    given = {name: array for name, array in arrays.items() if array is not None}
    for name, array in given.items():
        if not isinstance(array, np.ndarray | np.generic) or array.dtype.kind != "f":
            got = array.dtype if isinstance(array, np.ndarray | np.generic) else type(array).__name__
            raise ValueError(f"{function}: {name} must be an array of floating-point numbers, got {got}")
    if len({array.dtype.newbyteorder("=") for array in given.values()}) > 1:
        dtypes = ", ".join(str(array.dtype) for array in given.values())
        raise ValueError(f"{function}: {', '.join(given)} must be of one dtype, got {dtypes}")


def of_shape(shape: tuple[int, ...], function: str, **arrays: AnyArray | None) -> None:
    """Refuse an array of another shape, which would broadcast; None is left out."""
    for name, array in arrays.items():
        if array is not None and array.shape != shape:
            raise ValueError(f"{function}: {name} must have shape {shape}, got {array.shape}")


def writeable(function: str, **arrays: AnyArray) -> None:
    """Refuse arrays that would be changed in place and may not be, before any of them is."""
    for name, array in arrays.items():
        if not array.flags.writeable:
            raise ValueError(f"{function}: {name} is read-only, and is to be changed in place")


def no_empty_axis(x: AnyArray, name: str, begin: int = 1) -> None:
    """Refuse images without a number in them: an axis of length 0 from `begin` on. No images at all are no error."""
    if not all(x.shape[begin:]):
        raise ValueError(f"{name} of shape {x.shape} has an axis of length 0")


def _limits(least: float, above: float, most: float, below: float) -> str:
    """The limits in words."""
    lower, upper = max(least, above), min(most, below)
    if math.isinf(lower):
        return "be a number"
    if math.isinf(upper):
        return f"be above {lower:g}" if above > -math.inf else f"be at least {lower:g}"
    excluded = [f"{limit:g}" for limit in (above, below) if math.isfinite(limit)]
    return f"lie in {lower:g} .. {upper:g}" + (f" ({' and '.join(excluded)} excluded)" if excluded else "")
