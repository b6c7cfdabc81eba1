"""A free list of arrays: what was large and is no longer used serves again.

A fresh array of many megabytes is costly: the system clears every page of it when it is first touched. An array of
`empty` belongs to whoever holds it, and nobody gives it back: it is free again when nothing refers to it any more.

It begins at a multiple of 64 bytes, a line of the processor's cache. What malloc gives begins 16 bytes after one, so
that every vector of 64 bytes that is read from it lies in two lines.
"""

import math
import sys
import threading

import numpy as np
from numpy.typing import DTypeLike

from numpynet.typing import AnyArray

LEAST = 1 << 16
"""Bytes from which it pays."""

LINE = 64
"""Bytes of a line of the cache."""

_IDLE = 3  # references to an array that only the list knows, seen from inside `empty`: list, loop, getrefcount

_free: dict[int, list[AnyArray]] = {}
_lock = threading.Lock()


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> AnyArray:
    """As numpy.empty, from memory of arrays of the same size that nobody uses any more, if there is any."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < LEAST:
        return np.empty(shape, dtype)
    with _lock:
        known = _free.setdefault(size, [])
        for memory in known:
            if sys.getrefcount(memory) <= _IDLE:
                break
        else:
            memory = np.empty(size + LINE, np.uint8)
            known.append(memory)
        # Views of views refer to the memory itself, and so hold it as long as they live.
        return _from_line(memory, size).view(dtype).reshape(shape)


def zeros(shape: tuple[int, ...], dtype: DTypeLike) -> AnyArray:
    """As numpy.zeros, in the same way."""
    array = empty(shape, dtype)
    array[...] = 0
    return array


def lasting(shape: tuple[int, ...], dtype: DTypeLike) -> AnyArray:
    """As numpy.empty, from the beginning of a line and outside the free list: for what lives as long as a network."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    return _from_line(np.empty(size + LINE, np.uint8), size).view(dtype).reshape(shape)


def _from_line(memory: AnyArray, size: int) -> AnyArray:
    begin = -memory.ctypes.data % LINE
    return memory[begin : begin + size]


def clear() -> None:
    """Forget all memory that is kept."""
    with _lock:
        _free.clear()
