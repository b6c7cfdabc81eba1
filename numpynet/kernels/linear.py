"""Linear for few images, which reads its weight once; the mathematics stands in numpynet/functional/linear.py.

With few images, a Linear takes as long as reading its weight takes: 0.6 GB for the network's fc1. BLAS first copies the
weight into an order of its own, which costs more than the product. Here four rows of the weight are read a tile at a
time and used for all images, which share each number that is read two by two. The images' tile stays in the second
cache.

Every sum is made in the same order, whatever the number of threads.
"""

import numpy as np

from numpynet import functional
from numpynet.functional.arguments import of_forward, of_output
from numpynet.functional.linear import LinearCache
from numpynet.kernels.buffers import empty
from numpynet.kernels.code_cache import njit
from numpynet.kernels.factors import Factors
from numpynet.kernels.made_for import compiled
from numpynet.kernels.rows import add_four_to_one, add_four_to_two
from numpynet.typing import Array
from numpynet.workers import run

LEAST = 1 << 20
"""Numbers in the smallest weight for which threads pay."""

MOST_IMAGES = 64
"""With more images than this, BLAS is faster in spite of its copying."""

TILE = 2048
"""Columns of the weight that are used together."""

ROWS = 128
"""Rows of the weight that a thread takes at a time; a multiple of 4."""


def linear(x: Array, weight: Array, bias: Array | None = None) -> tuple[Array, LinearCache]:
    """See `numpynet.functional.linear`."""
    if not _streams(x, weight, bias):
        return functional.linear(x, weight, bias)
    x = np.ascontiguousarray(x)
    out = np.zeros((len(x), len(weight)), x.dtype)

    def block(i: int) -> None:
        add_products(x, weight, out, i * ROWS, min(len(weight), (i + 1) * ROWS), TILE)

    run(block, -(-len(weight) // ROWS))
    if bias is not None:
        out += bias
    return out, LinearCache(x, weight, bias is not None)


def linear_backward(dout: Array, cache: LinearCache) -> tuple[Array, Array | Factors, Array | None]:
    """See `numpynet.functional.linear_backward`; dweight comes as Factors if the weight is large."""
    of_forward("linear_backward", cache, LinearCache)
    of_output("linear_backward", dout, (len(cache.x), len(cache.weight)))
    x, weight = cache.x, cache.weight
    if not _streams(x, weight) or dout.dtype != x.dtype:
        return functional.linear_backward(dout, cache)
    dout = np.ascontiguousarray(dout)
    dx = empty(x.shape, x.dtype)

    def block(i: int) -> None:
        set_dx(dout, weight, dx, i * TILE, min(x.shape[1], (i + 1) * TILE))

    run(block, -(-x.shape[1] // TILE))
    dweight = Factors(_copy(dout), _copy(x))
    dbias = dout.sum(axis=0) if cache.has_bias else None
    return dx, dweight, dbias


def _copy(array: Array) -> Array:
    """A copy for the gradient, which must stay the same if the caller fills the array with the next batch."""
    copy = empty(array.shape, array.dtype)
    copy[...] = array
    return copy


def _streams(x: Array, weight: Array, bias: Array | None = None) -> bool:
    """Whether the loops below can do it. What is wrong or small goes to the readable function."""
    return bool(
        compiled(x, weight, optional=(bias,))
        and weight.size >= LEAST
        and x.ndim == weight.ndim == 2
        and 1 <= len(x) <= MOST_IMAGES
        and x.shape[1] == weight.shape[1]
        and (bias is None or bias.shape == weight.shape[:1])
        and weight.flags.c_contiguous
    )


@njit(nogil=True, cache=True)
def add_products(x, weight, out, begin, end, tile):  # type: ignore[no-untyped-def]
    """out[:, begin:end] += x weight[begin:end]^T."""
    N, size = x.shape
    for left in range(0, size, tile):
        right = min(size, left + tile)
        for o in range(begin, end, 4):
            p, q, r = min(o + 1, end - 1), min(o + 2, end - 1), min(o + 3, end - 1)  # the last row may come twice
            w0, w1, w2, w3 = (
                weight[o, left:right],
                weight[p, left:right],
                weight[q, left:right],
                weight[r, left:right],
            )
            for n in range(0, N - 1, 2):
                sums = eight_products(w0, w1, w2, w3, x[n, left:right], x[n + 1, left:right])
                for j in range(min(4, end - o)):
                    out[n, o + j] += sums[j]
                    out[n + 1, o + j] += sums[4 + j]
            if N % 2:
                sums = four_products(w0, w1, w2, w3, x[N - 1, left:right])
                for j in range(min(4, end - o)):
                    out[N - 1, o + j] += sums[j]


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def four_products(w0, w1, w2, w3, x):  # type: ignore[no-untyped-def]
    """The scalar products of four rows with x."""
    a0 = a1 = a2 = a3 = x.dtype.type(0)
    for k in range(x.size):
        a0 += w0[k] * x[k]
        a1 += w1[k] * x[k]
        a2 += w2[k] * x[k]
        a3 += w3[k] * x[k]
    return a0, a1, a2, a3


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def eight_products(w0, w1, w2, w3, x, y):  # type: ignore[no-untyped-def]
    """The scalar products of four rows with x, then with y."""
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = x.dtype.type(0)
    for k in range(x.size):
        a0 += w0[k] * x[k]
        a1 += w1[k] * x[k]
        a2 += w2[k] * x[k]
        a3 += w3[k] * x[k]
        b0 += w0[k] * y[k]
        b1 += w1[k] * y[k]
        b2 += w2[k] * y[k]
        b3 += w3[k] * y[k]
    return a0, a1, a2, a3, b0, b1, b2, b3


@njit(nogil=True, cache=True)
def set_dx(dout, weight, dx, left, right):  # type: ignore[no-untyped-def]
    """dx[:, left:right] = dout weight[:, left:right]."""
    N, rows = dout.shape
    dx[:, left:right] = 0
    fours = rows // 4 * 4
    for o in range(0, fours, 4):
        for n in range(0, N - 1, 2):
            add_four_to_two(dx[n, left:right], dx[n + 1, left:right], dout[n], dout[n + 1], weight, o, left, right)
        if N % 2:
            add_four_to_one(dx[N - 1, left:right], dout[N - 1], weight, o, left, right)
    for o in range(fours, rows):
        for n in range(N):
            dx_row, dout_no, weight_row = dx[n, left:right], dout[n, o], weight[o, left:right]
            for k in range(dx_row.size):
                dx_row[k] += dout_no * weight_row[k]
