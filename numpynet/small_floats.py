"""The short types of numbers that other programs write and NumPy lacks, made float32, which holds each of them exactly."""

from collections.abc import Callable

import numpy as np

from numpynet.typing import AnyArray, Array


def from_bfloat16(bits: AnyArray) -> Array:
    """uint16 -> float32, of which bfloat16 is the upper half."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def from_float8_e5m2(bits: AnyArray) -> Array:
    """uint8 -> float32, by float16, of which this type is the upper half."""
    return (bits.astype(np.uint16) << 8).view(np.float16).astype(np.float32)


def from_float8_e4m3(bits: AnyArray) -> Array:
    """uint8 -> float32: a sign, four bits of exponent (bias 7), three of mantissa; no infinity, and all ones is NaN.

    Exponent e and mantissa m are 2^(e - 7) (1 + m / 8), and 2^-6 m / 8 where e is 0.
    """
    code = np.arange(128)
    exponent, mantissa = code >> 3, code & 7
    size = np.ldexp(np.where(exponent, 8, 0) + mantissa, np.maximum(exponent, 1) - 10)
    size[127] = np.nan
    values: Array = np.concatenate([size, -size]).astype(np.float32)
    return values[bits]


SMALL_FLOATS: dict[str, Callable[[AnyArray], Array]] = {
    "BF16": from_bfloat16,
    "F8_E5M2": from_float8_e5m2,
    "F8_E4M3": from_float8_e4m3,
}
"""By the names that safetensors gives to the types."""
