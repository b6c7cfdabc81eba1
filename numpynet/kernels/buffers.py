"""A free list of memory: large arrays that are no longer used are recycled.

A fresh array of many megabytes is costly: the system clears each of its pages when it is first touched. An array from
`empty` is used like any other and never given back by hand: its memory is free again when no array lies in it.

The memory starts at a multiple of 64 bytes, the length of a cache line. What malloc returns starts 16 bytes after
such a multiple, so each 64-byte vector read from it would touch two cache lines.

The list keeps as many bytes as were ever in use at once, plus SPARE. A network that sees images of ever new sizes asks
for memory of ever new sizes; the sizes that were asked for longest ago are dropped first.

There is no lock: every single change of a list or dict here is atomic in every interpreter. So a loan may end anywhere,
even in the middle of `empty`, and a process may be forked at any moment.
"""

import itertools
import math

import numpy as np
from numpy.typing import DTypeLike

from numpynet.typing import AnyArray

LEAST = 1 << 16
"""Bytes of the smallest array worth recycling."""

LINE = 64
"""Bytes per cache line."""

SPARE = 1 << 29
"""Free bytes that are kept on top of the most that were ever in use."""

_free: dict[int, list[AnyArray]] = {}
"""Free memory, by its size."""
_asked: dict[int, int] = {}
"""The number of the call that last asked for a size, by size."""
_lent: dict[int, int] = {}
"""The size of each loan, by its id."""
_calls = itertools.count()
_most_lent = 0
"""The most bytes in use at once, seen at the moments when fresh memory was needed."""


class _Loan:
    """Memory in use: not an array, but what NumPy calls an array's base.

    Every array, view of a view, memoryview or tensor in the memory keeps its base alive, directly or through others:
    the array interface promises it. When the last of them is deleted, so is the loan, which then frees the memory.
    Nothing here reads reference counts, which differ between interpreters.
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
    """As numpy.empty, in the recycled memory of an array of the same size in bytes, if there is one."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < LEAST:
        return np.empty(shape, dtype)
    home = _free.setdefault(size, [])
    _asked[size] = next(_calls)
    try:
        memory = home.pop()
    except IndexError:
        _drop_excess(size)
        memory = from_line(size)
    return np.asarray(_Loan(memory, home)).view(dtype).reshape(shape)


def zeros(shape: tuple[int, ...], dtype: DTypeLike) -> AnyArray:
    """As numpy.zeros, in recycled memory if there is any."""
    array = empty(shape, dtype)
    array[...] = 0
    return array


def from_line(size: int) -> AnyArray:
    """Fresh memory of `size` bytes that starts at the start of a cache line."""
    memory = np.empty(size + LINE, np.uint8)
    begin = -memory.ctypes.data % LINE
    return memory[begin : begin + size]


def _drop_excess(size: int) -> None:
    """Drop free memory beyond the limit, least recent sizes first, before `size` fresh bytes are allocated."""
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
    """Drop all free memory; memory that is in use now will not be recycled either."""
    global _most_lent
    _free.clear()
    _asked.clear()
    _most_lent = 0
