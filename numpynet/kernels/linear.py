"""Linear by all threads, each with a block of outputs; the mathematics stands in numpynet/functional/linear.py.

With few images a Linear is bound by reading its weight, 0.6 GB for the network's fc1. Each thread goes through its own
rows once, forward and, for dx, through its own columns.
"""

import numpy as np

from numpynet import functional
from numpynet.buffers import empty
from numpynet.functional.linear import LinearCache
from numpynet.typing import Array
from numpynet.workers import get_threads, run

LEAST = 1 << 20
"""Numbers in the weight from which threads pay."""


def linear(x: Array, weight: Array, bias: Array | None = None) -> tuple[Array, LinearCache]:
    """See `numpynet.functional.linear`."""
    if weight.size < LEAST or x.ndim != 2 or x.shape[1] != weight.shape[1] or x.dtype != weight.dtype:
        return functional.linear(x, weight, bias)
    out = np.empty((len(x), len(weight)), x.dtype)
    transposed = np.ascontiguousarray(x.T)

    def block(i: int) -> None:
        rows = _part(len(weight), i)
        out[:, rows] = (weight[rows] @ transposed).T

    run(block, _parts(len(weight)))
    if bias is not None:
        out += bias
    return out, LinearCache(x, weight, bias is not None)


def linear_backward(dout: Array, cache: LinearCache) -> tuple[Array, Array, Array | None]:
    """See `numpynet.functional.linear_backward`."""
    x, weight = cache.x, cache.weight
    if weight.size < LEAST or not dout.dtype == x.dtype == weight.dtype:
        return functional.linear_backward(dout, cache)
    dx = np.empty(x.shape, x.dtype)
    dweight = empty(weight.shape, weight.dtype)
    dtransposed = np.ascontiguousarray(dout.T)

    def columns(i: int) -> None:
        part = _part(weight.shape[1], i)
        np.matmul(dout, weight[:, part], out=dx[:, part])

    def rows(i: int) -> None:
        part = _part(len(weight), i)
        np.matmul(dtransposed[part], x, out=dweight[part])

    run(columns, _parts(weight.shape[1]))
    run(rows, _parts(len(weight)))
    return dx, dweight, dout.sum(axis=0) if cache.has_bias else None


def _parts(size: int) -> int:
    """Into how many blocks `size` rows or columns are cut: several a thread, so that none waits long for the last."""
    return min(size, 8 * get_threads())


def _part(size: int, i: int) -> slice:
    parts = _parts(size)
    return slice(size * i // parts, size * (i + 1) // parts)
