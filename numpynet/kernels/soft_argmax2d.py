"""Soft argmax with channels last; the mathematics is in numpynet/functional/soft_argmax2d.py.

A vector holds one pixel of several maps. Three passes over an image, which fits into the cache: the largest number of
each map; the exponentials, their sum and the sums of their places; the shares.
"""

from typing import Any

import numpy as np

from numpynet import functional
from numpynet.checks import of_shape
from numpynet.functional.arguments import of_forward, of_output
from numpynet.functional.soft_argmax2d import SoftArgmax2dCache, places
from numpynet.kernels.buffers import empty
from numpynet.kernels.code_cache import njit
from numpynet.kernels.made_for import compiled
from numpynet.kernels.pixels import images_of, pixels_of
from numpynet.kernels.vector_loops import pixel_loop
from numpynet.typing import Array
from numpynet.workers import run


def soft_argmax2d(x: Array) -> tuple[Array, SoftArgmax2dCache]:
    """See `numpynet.functional.soft_argmax2d`."""
    if not compiled(x) or x.ndim != 4 or not x.size:
        return functional.soft_argmax2d(x)  # it also reports what is wrong
    pixels = pixels_of(x)  # (N, K, H, W) -> (N, H, W, K)
    N, H, W, K = pixels.shape
    share, position = empty(pixels.shape, x.dtype), empty((N, 2, K), x.dtype)
    columns, rows = _places(W, K, x.dtype), _places(H, K, x.dtype)
    run(lambda n: positions(pixels[n], columns, rows, share[n], position[n]), N)
    position = np.ascontiguousarray(position.transpose(0, 2, 1))  # (N, 2, K) -> (N, K, 2)
    return position.reshape(N, 2 * K), SoftArgmax2dCache(images_of(share), position)


def soft_argmax2d_backward(dout: Array, cache: SoftArgmax2dCache) -> Array:
    """See `numpynet.functional.soft_argmax2d_backward`."""
    of_forward("soft_argmax2d_backward", cache, SoftArgmax2dCache)
    N, K, H, W = cache.share.shape
    of_output("soft_argmax2d_backward", dout, (N, 2 * K))
    of_shape((N, K, 2), "soft_argmax2d_backward", position=cache.position)
    if not compiled(dout, *cache) or not cache.share.size:
        return functional.soft_argmax2d_backward(dout, cache)
    share, dx = pixels_of(cache.share), empty((N, H, W, K), dout.dtype)
    # (N, 2 K) -> (N, 2, K)
    pull, position = (np.ascontiguousarray(a.reshape(N, K, 2).transpose(0, 2, 1)) for a in (dout, cache.position))
    columns, rows = _places(W, K, dout.dtype), _places(H, K, dout.dtype)
    run(lambda n: pulled(share[n], columns, rows, pull[n], position[n], dx[n]), N)
    return images_of(dx)


def _places(count: int, K: int, dtype: np.dtype) -> Array:
    """The places of `count` columns or rows, the same in each of K maps: (count, K)."""
    return np.repeat(places(count, dtype.type)[:, None], K, axis=1)


def _number(x: Any) -> tuple[Any]:
    return (x,)


def _weights(x: Any, column: Any, top: Any, row: Any) -> tuple[Any, Any, Any, Any]:
    """exp(x - top), and what it adds to the sums of these, of these times their column, and times their row."""
    weight = (x - top).exp()
    return weight, weight, weight * column, weight * row


def _scaled(weight: Any, scale: Any) -> tuple[Any]:
    return (weight * scale,)


def _pulled(share: Any, column: Any, row: Any, pull_x: Any, pull_y: Any, x: Any, y: Any) -> tuple[Any]:
    """dx"""
    return (share * (pull_x * (column - x) + pull_y * (row - y)),)


_top_loop = pixel_loop(_number, largest=True)
_weights_loop, _scaled_loop, _pulled_loop = pixel_loop(_weights), pixel_loop(_scaled), pixel_loop(_pulled)


@njit(nogil=True, cache=True)
def positions(x, columns, rows, share, position):  # type: ignore[no-untyped-def]
    """share (H, W, K) and position (2, K) of the maps x (H, W, K); columns (W, K) and rows (H, K) are the places."""
    H, W, K = x.shape
    top, sums = x[0, 0].copy(), np.zeros((3, K))
    _top_loop(H * W, K, (x, 0, K), (), (), (top,))
    for h in range(H):
        at = h * W * K
        reads, totals = (x, at, K, columns, 0, K), (sums[0], sums[1], sums[2])
        _weights_loop(W, K, reads, (share, at, K), (top, rows[h]), totals)
    scale = position[0]
    for k in range(K):
        scale[k] = 1 / sums[0, k]
    _scaled_loop(H * W, K, (share, 0, K), (share, 0, K), (scale,), ())
    for k in range(K):
        position[0, k], position[1, k] = sums[1, k] / sums[0, k], sums[2, k] / sums[0, k]


@njit(nogil=True, cache=True)
def pulled(share, columns, rows, pull, position, dx):  # type: ignore[no-untyped-def]
    """dx (H, W, K) of maps with these shares; pull (2, K) is dout, and position (2, K) the output."""
    H, W, K = share.shape
    for h in range(H):
        at = h * W * K
        parameters = (rows[h], pull[0], pull[1], position[0], position[1])
        _pulled_loop(W, K, (share, at, K, columns, 0, K), (dx, at, K), parameters, ())
