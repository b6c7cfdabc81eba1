"""Arrays of any memory order, gone through in one line."""

from collections.abc import Iterator
from contextlib import contextmanager

from numpynet.typing import Array


@contextmanager
def in_line(array: Array) -> Iterator[Array]:
    """The numbers of `array`, to be changed, as (size,), in C order.

    A view where memory allows one. Where it does not, as for a transpose, `reshape` copies: what is changed in the copy
    is written back at the end.
    """
    line = array.reshape(-1)
    yield line
    if not array.flags.c_contiguous:
        array[...] = line.reshape(array.shape)
