"""Max pooling, one image per task of the pool of threads; the mathematics is in numpynet/functional/max_pool2d.py.

Only the pool of the keypoint network has a compiled loop: windows of 2 x 2 that do not overlap, without padding. Every
other pool goes to the readable function.
"""

from typing import NamedTuple

import numpy as np

from numpynet import functional
from numpynet.checks import of_shape
from numpynet.functional.arguments import of_forward, of_output
from numpynet.functional.windows import pair
from numpynet.kernels.buffers import empty
from numpynet.kernels.code_cache import njit
from numpynet.kernels.made_for import compiled
from numpynet.typing import Array, IntOrPair
from numpynet.workers import run


class MaxPool2dCache(NamedTuple):
    """What `max_pool2d_backward` needs."""

    winner: Array  # (N, C, OH, OW), uint8: 2 kh + kw of each window's largest element
    shape: tuple[int, ...]  # of x


def max_pool2d(
    x: Array,
    kernel_size: IntOrPair,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
) -> tuple[Array, MaxPool2dCache | functional.MaxPool2dCache]:
    """See `numpynet.functional.max_pool2d`."""
    kernel = pair(kernel_size, "max_pool2d: kernel_size")
    if not (
        compiled(x)
        and kernel == (2, 2)
        and pair(kernel if stride is None else stride, "max_pool2d: stride") == (2, 2)
        and pair(padding, "max_pool2d: padding", 0) == (0, 0)
        and pair(dilation, "max_pool2d: dilation") == (1, 1)
        and not ceil_mode
        and x.ndim == 4
        and min(x.shape[1:]) >= 1
        and min(x.shape[2:]) >= 2
    ):
        return functional.max_pool2d(x, kernel_size, stride, padding, dilation, ceil_mode)
    N, C, H, W = x.shape
    out = empty((N, C, H // 2, W // 2), x.dtype)
    winner = empty(out.shape, np.uint8)
    run(lambda n: pool_image(x[n], out[n], winner[n]), N)
    return out, MaxPool2dCache(winner, x.shape)


def max_pool2d_backward(dout: Array, cache: MaxPool2dCache | functional.MaxPool2dCache) -> Array:
    """See `numpynet.functional.max_pool2d_backward`."""
    of_forward("max_pool2d_backward", cache, MaxPool2dCache, functional.MaxPool2dCache)
    if isinstance(cache, functional.MaxPool2dCache):
        return functional.max_pool2d_backward(dout, cache)
    N, C, H, W = cache.shape
    of_shape((N, C, H // 2, W // 2), "max_pool2d_backward", winner=cache.winner)
    of_output("max_pool2d_backward", dout, cache.winner.shape)
    if not compiled(dout):
        kernel = stride = (2, 2)
        padding, dilation = (0, 0), (1, 1)
        readable = functional.MaxPool2dCache(cache.winner, cache.shape, (H, W), kernel, stride, padding, dilation)
        return functional.max_pool2d_backward(dout, readable)
    dx = empty(cache.shape, dout.dtype)
    run(lambda n: unpool_image(dout[n], cache.winner[n], dx[n]), len(dout))
    return dx


@njit(nogil=True, cache=True)
def pool_image(x, out, winner):  # type: ignore[no-untyped-def]
    """out = the largest element of each window of 2 x 2 of x (C, H, W). The first of equals wins, and NaN beats all."""
    for c in range(out.shape[0]):
        for oh in range(out.shape[1]):
            upper, lower = x[c, 2 * oh], x[c, 2 * oh + 1]
            out_row, winner_row = out[c, oh], winner[c, oh]
            for ow in range(out_row.size):
                largest, element = upper[2 * ow], np.uint8(0)
                x1, x2, x3 = upper[2 * ow + 1], lower[2 * ow], lower[2 * ow + 1]
                if x1 > largest or x1 != x1:
                    largest, element = x1, np.uint8(1)
                if x2 > largest or x2 != x2:
                    largest, element = x2, np.uint8(2)
                if x3 > largest or x3 != x3:
                    largest, element = x3, np.uint8(3)
                out_row[ow], winner_row[ow] = largest, element


@njit(nogil=True, cache=True)
def unpool_image(dout, winner, dx):  # type: ignore[no-untyped-def]
    """dx = dout at the winner of each window of one image, and 0 elsewhere."""
    for c in range(dx.shape[0]):
        for h in range(dx.shape[1]):
            dx_row, oh = dx[c, h], h // 2
            windows = dout.shape[2] if oh < dout.shape[1] else 0
            if windows:
                unpool_row(dout[c, oh], winner[c, oh], dx_row, np.uint8(h % 2 * 2))
            for w in range(2 * windows, dx_row.size):  # a last row or column that belongs to no window
                dx_row[w] = 0


@njit(nogil=True, cache=True)
def unpool_row(dout, winner, dx, element):  # type: ignore[no-untyped-def]
    """One row of dx. Its pixels are in turn elements `element` and `element + 1` of their windows.

    A function of its own for the reason given at norm_relu.pooled_gradient_row.
    """
    zero = dx.dtype.type(0)
    for ow in range(dout.size):
        dx[2 * ow] = dout[ow] if winner[ow] == element else zero
        dx[2 * ow + 1] = dout[ow] if winner[ow] == element + 1 else zero
