"""Converts the 8- and 16-bit floats that NumPy lacks to float32, which holds them exactly."""

from collections.abc import Callable

import numpy as np

from numpynet.typing import AnyArray, Array


def from_bfloat16(bits: AnyArray) -> Array:
    """uint16 -> float32: bfloat16 is the upper half of a float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def from_float8_e5m2(bits: AnyArray) -> Array:
    """uint8 -> float32: float8_e5m2 is the upper half of a float16."""
    return (bits.astype(np.uint16) << 8).view(np.float16).astype(np.float32)


def from_float8_e4m3(bits: AnyArray) -> Array:
    """uint8 -> float32: one sign bit, four exponent bits (bias 7), three mantissa bits.

    The value for exponent e and mantissa m is 2^(e - 7) (1 + m / 8), or 2^-6 m / 8 if e is 0. If all bits of e and m
    are set, it is NaN. There is no infinity.
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
"""The conversion of each type, by its name in safetensors."""
