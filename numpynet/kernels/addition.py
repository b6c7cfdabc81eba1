"""The sum of two maps, in recycled memory: fresh memory costs several times as much as the sum."""

import numpy as np

from numpynet.kernels.buffers import empty
from numpynet.kernels.pixels import has_channels_last, images_of
from numpynet.typing import Array


def add(x: Array, y: Array) -> Array:
    """As numpy.add."""
    if x.shape != y.shape or x.dtype != y.dtype:
        return np.add(x, y)
    if has_channels_last(x) and has_channels_last(y):
        N, C, H, W = x.shape
        return np.add(x, y, out=images_of(empty((N, H, W, C), x.dtype)))
    if x.flags.c_contiguous and y.flags.c_contiguous:
        return np.add(x, y, out=empty(x.shape, x.dtype))
    return np.add(x, y)
