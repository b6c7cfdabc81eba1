"""A free list of memory: what was large and is no longer used serves again.

A fresh array of many megabytes is costly: the system clears every page of it when it is first touched. An array of
`empty` belongs to whoever holds it, and nobody gives it back: its memory is free again when nothing lies in it.

It begins at a multiple of 64 bytes, a line of the processor's cache. What malloc gives begins 16 bytes after one, so
that every vector of 64 bytes that is read from it lies in two lines.

There is no lock: a list's `append` and `pop` are whole in themselves in every interpreter. So a loan may end anywhere,
also in the midst of `empty`, and a process may be forked at any moment.
"""

import math

import numpy as np
from numpy.typing import DTypeLike

from numpynet.typing import AnyArray

LEAST = 1 << 16
"""Bytes from which it pays."""

LINE = 64
"""Bytes of a line of the cache."""

_free: dict[int, list[AnyArray]] = {}
"""By size: memory in which nothing lies."""


class _Loan:
    """Memory in use. It is no array, but what NumPy calls an array's base.

    Every array, view of a view, memoryview or tensor that lies in the memory keeps its base alive (the array interface
    promises so), directly or through others. When the last of them goes, so does the loan, and gives the memory back.
    It does not count who refers to it: interpreters differ in what they count.
    """

    __slots__ = ("__array_interface__", "_home", "_memory")

    def __init__(self, memory: AnyArray, home: list[AnyArray]) -> None:
        self._memory, self._home = memory, home
        self.__array_interface__ = memory.__array_interface__

    def __del__(self) -> None:
        self._home.append(self._memory)


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> AnyArray:
    """As numpy.empty, in memory of arrays of the same size that nobody uses any more, if there is any."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < LEAST:
        return np.empty(shape, dtype)
    home = _free.setdefault(size, [])
    try:
        memory = home.pop()
    except IndexError:
        memory = _from_line(size)
    return np.asarray(_Loan(memory, home)).view(dtype).reshape(shape)


def zeros(shape: tuple[int, ...], dtype: DTypeLike) -> AnyArray:
    """As numpy.zeros, in the same way."""
    array = empty(shape, dtype)
    array[...] = 0
    return array


def lasting(shape: tuple[int, ...], dtype: DTypeLike) -> AnyArray:
    """As numpy.empty, from the beginning of a line and outside the free list: for what lives as long as a network."""
    return _from_line(math.prod(shape) * np.dtype(dtype).itemsize).view(dtype).reshape(shape)


def _from_line(size: int) -> AnyArray:
    """Fresh memory of so many bytes that begins with a line of the cache."""
    memory = np.empty(size + LINE, np.uint8)
    begin = -memory.ctypes.data % LINE
    return memory[begin : begin + size]


def clear() -> None:
    """Forget all memory that is kept; what is in use now will not come back either."""
    _free.clear()
