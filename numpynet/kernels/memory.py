"""Arrays for weights and for what an optimizer remembers, at the start of a cache line.

What malloc returns starts 16 bytes after a multiple of 64, so each 64-byte vector read from it touches two cache lines.
These arrays live as long as the network, so they are not recycled as those of `numpynet.kernels.buffers` are.
"""

import math

import numpy as np
from numpy.typing import DTypeLike

from numpynet.kernels.buffers import from_line
from numpynet.typing import AnyArray


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> AnyArray:
    """As numpy.empty."""
    return from_line(math.prod(shape) * np.dtype(dtype).itemsize).view(dtype).reshape(shape)


def zeros(shape: tuple[int, ...], dtype: DTypeLike) -> AnyArray:
    """As numpy.zeros."""
    array = empty(shape, dtype)
    array[...] = 0
    return array
