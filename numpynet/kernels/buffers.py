"""A free list of memory: what was large and is no longer used serves again.

A fresh array of many megabytes is costly: the system clears every page of it when it is first touched. An array of
`empty` belongs to whoever holds it, and nobody gives it back: its memory is free again when nothing lies in it.

It begins at a multiple of 64 bytes, a line of the processor's cache. What malloc gives begins 16 bytes after one, so
that every vector of 64 bytes that is read from it lies in two lines.

So much is kept as was ever in use at once, and SPARE: a network that sees images of ever new sizes asks for memory of
ever new sizes, and those asked for longest ago are let go.

There is no lock: what is done to a list or a dict here is whole in itself in every interpreter. So a loan may end
anywhere, also in the midst of `empty`, and a process may be forked at any moment.
"""

import itertools
import math

import numpy as np
from numpy.typing import DTypeLike

from numpynet.typing import AnyArray

LEAST = 1 << 16
"""Bytes from which it pays."""

LINE = 64
"""Bytes of a line of the cache."""

SPARE = 1 << 29
"""Bytes in which nothing lies that are kept whatever is in use."""

_free: dict[int, list[AnyArray]] = {}
"""By size: memory in which nothing lies."""
_asked: dict[int, int] = {}
"""By size: when it was asked for last, counted in calls."""
_lent: dict[int, int] = {}
"""By the id of a loan: its size."""
_calls = itertools.count()
_most_lent = 0
"""Bytes in use at once, as far as was seen when fresh memory was needed."""


class _Loan:
    """Memory in use. It is no array, but what NumPy calls an array's base.

    Every array, view of a view, memoryview or tensor that lies in the memory keeps its base alive (the array interface
    promises so), directly or through others. When the last of them goes, so does the loan, and gives the memory back.
    It does not count who refers to it: interpreters differ in what they count.
    """

    __slots__ = ("__array_interface__", "_home", "_memory")

    def __init__(self, memory: AnyArray, home: list[AnyArray]) -> None:
        self._memory, self._home = memory, home
        _lent[id(self)] = memory.nbytes
        self.__array_interface__ = memory.__array_interface__

    def __del__(self) -> None:
        _lent.pop(id(self), None)
        self._home.append(self._memory)


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> AnyArray:
    """As numpy.empty, in memory of arrays of the same size that nobody uses any more, if there is any."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < LEAST:
        return np.empty(shape, dtype)
    home = _free.setdefault(size, [])
    _asked[size] = next(_calls)
    try:
        memory = home.pop()
    except IndexError:
        _let_go(size)
        memory = _from_line(size)
    return np.asarray(_Loan(memory, home)).view(dtype).reshape(shape)


def zeros(shape: tuple[int, ...], dtype: DTypeLike) -> AnyArray:
    """As numpy.zeros, in the same way."""
    array = empty(shape, dtype)
    array[...] = 0
    return array


def _from_line(size: int) -> AnyArray:
    """Fresh memory of so many bytes that begins with a line of the cache."""
    memory = np.empty(size + LINE, np.uint8)
    begin = -memory.ctypes.data % LINE
    return memory[begin : begin + size]


def _let_go(size: int) -> None:
    """Before fresh memory of `size` bytes is made: forget what is kept beyond the limit, least recent sizes first."""
    global _most_lent
    _most_lent = max(_most_lent, size + sum(list(_lent.values())))
    excess = sum(size * len(home) for size, home in list(_free.items())) - SPARE - _most_lent
    for oldest in sorted(_asked, key=lambda size: _asked.get(size, 0)) if excess > 0 else ():
        if _free.get(oldest):
            excess -= oldest * len(_free.pop(oldest, []))
            _asked.pop(oldest, None)
        if excess <= 0:
            return


def clear() -> None:
    """Forget all memory that is kept; what is in use now will not come back either."""
    global _most_lent
    _free.clear()
    _asked.clear()
    _most_lent = 0
