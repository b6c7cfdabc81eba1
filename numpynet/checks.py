"""Checks of arguments, one line per check. ValueError names the argument, the rule and what was given.

self.eps = number(eps, "Adam: eps", least=0)
"""

import math
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from numpynet.typing import AnyArray

MOST_STEPS = 1 << 53
"""More steps than any training has; above it, a float cannot hold every integer."""

FLOATS, REAL, NUMBERS = "f", "fiu", "fiubc"
KINDS = {FLOATS: "floating-point numbers", REAL: "real numbers", NUMBERS: "numbers"}
"""What `arrays_of` can ask for: letters of NumPy's `dtype.kind`, and words for them."""
ARRAYS, OTHERS = (np.ndarray, np.generic, NDArrayOperatorsMixin), (np.matrix, np.ma.MaskedArray)


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
    if type(value) is float and least <= value <= most and above < value < below and abs(value) < math.inf:
        return value  # the usual case, fast
    if not isinstance(value, Real) or isinstance(value, bool):
        rule = "be a number"
    elif math.isinf(value):
        rule = "be finite"
    elif not (least <= value <= most and above < value < below):  # NaN, too
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
    """A number of steps from a saved array of shape (), which in PyTorch's files may be a float."""
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


def is_array(value: object) -> bool:
    """Whether it is an array, or an array-like that defines NumPy's operators.

    Not a matrix, whose product is another one, and not a masked array, which would lose its mask.
    """
    return type(value) is np.ndarray or (isinstance(value, ARRAYS) and not isinstance(value, OTHERS))


def arrays_of(kinds: str, function: object, **arrays: AnyArray) -> None:
    """Refuse what is not an array of these kinds of numbers, a key of KINDS."""
    for name, array in arrays.items():
        if not is_array(array) or array.dtype.kind not in kinds:
            got = array.dtype if is_array(array) else type(array).__name__
            raise ValueError(f"{function}: {name} must be an array of {KINDS[kinds]}, got {got}")


def alike(one: np.dtype[Any], other: np.dtype[Any]) -> bool:
    """Whether two dtypes are the same, apart from their byte order."""
    return one == other or one.newbyteorder("=") == other.newbyteorder("=")


def same_dtype(function: object, **arrays: AnyArray | None) -> None:
    """Refuse arrays that do not share one floating-point dtype, apart from byte order. None is skipped."""
    given = {name: array for name, array in arrays.items() if array is not None}
    arrays_of(FLOATS, function, **given)
    first, *rest = (array.dtype for array in given.values())
    if any(not alike(dtype, first) for dtype in rest):
        dtypes = ", ".join(str(array.dtype) for array in given.values())
        raise ValueError(f"{function}: {', '.join(given)} must be of one dtype, got {dtypes}")


def of_shape(shape: tuple[int, ...], function: str, **arrays: AnyArray | None) -> None:
    """Refuse an array of another shape, which NumPy might broadcast. None is skipped."""
    for name, array in arrays.items():
        if array is not None and np.shape(array) != shape:
            raise ValueError(f"{function}: {name} must have shape {shape}, got {np.shape(array)}")


def writeable(function: str, **arrays: AnyArray) -> None:
    """Refuse read-only arrays that a function is about to change in place."""
    for name, array in arrays.items():
        if not array.flags.writeable:
            raise ValueError(f"{function}: {name} is read-only, and is to be changed in place")


def no_empty_axis(x: AnyArray, name: str, begin: int = 1) -> None:
    """Refuse an axis of length 0 from axis `begin` on: an image without pixels. A batch of no images is no error."""
    if not all(x.shape[begin:]):
        raise ValueError(f"{name} of shape {x.shape} has an axis of length 0")


def _limits(least: float, above: float, most: float, below: float) -> str:
    """The limits as words for an error message."""
    lower, upper = max(least, above), min(most, below)
    if math.isinf(lower):
        return "be a number"
    if math.isinf(upper):
        return f"be above {lower:g}" if above > -math.inf else f"be at least {lower:g}"
    excluded = [f"{limit:g}" for limit in (above, below) if math.isfinite(limit)]
    return f"lie in {lower:g} .. {upper:g}" + (f" ({' and '.join(excluded)} excluded)" if excluded else "")


def not_finite(arrays: Mapping[str, AnyArray]) -> str | None:
    """The key of the first array that holds NaN or infinity; None if none does."""
    for key, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite([array.min(initial=0), array.max(initial=0)]).all():
            return key
    return None
