"""Splits large arrays into blocks, so that the temporaries of a formula are as small as a block."""

import math
from collections.abc import Iterator

from numpynet.typing import Array

BLOCK = 1 << 15
"""Numbers per block. Temporaries of this size stay in the processor's cache. Without blocks, each temporary for the 147
million weights of the network's fc1 would take 0.6 GB."""


def blocks(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """Yield matching parts of arrays of the same shape, one after another, until they cover the arrays.

    A part is a view of whole rows (indices of the first axis): about BLOCK numbers, but at least one row. Writing to
    it writes to the array, in any memory order. An array of shape () is one part.
    """
    shape = arrays[0].shape
    if not shape:
        yield arrays
        return
    rows = max(1, BLOCK // max(1, math.prod(shape[1:])))
    for begin in range(0, shape[0], rows):
        yield tuple(array[begin : begin + rows] for array in arrays)
