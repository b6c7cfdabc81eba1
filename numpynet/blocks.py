"""Large arrays in blocks: the temporaries of a formula then have a block's size, not the array's."""

import math
from collections.abc import Iterator

from numpynet.typing import Array

BLOCK = 1 << 15
"""Numbers per block: its temporaries stay in the processor's cache. For the 147 million numbers of the network's fc1
at once, each temporary would take 0.6 GB."""


def blocks(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """Yield matching parts of the arrays, which all have the same shape, until every number has had its turn.

    A part consists of whole rows (indices of the first axis), about BLOCK numbers together and at least one row. It is
    a view: what is written into it is written into the array, in any memory order. An array of shape () is one part.
    """
    shape = arrays[0].shape
    if not shape:
        yield arrays
        return
    rows = max(1, BLOCK // max(1, math.prod(shape[1:])))
    for begin in range(0, shape[0], rows):
        yield tuple(array[begin : begin + rows] for array in arrays)
