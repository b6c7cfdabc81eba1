"""Max pooling, an image's channel at a time; the mathematics stands in numpynet/functional/max_pool2d.py.

The keypoint network's own pool, windows of 2 x 2 that do not overlap and no padding, has a loop of its own; every other
pool goes through the readable one.
"""

from typing import NamedTuple

import numpy as np

from numpynet import functional
from numpynet.checks import of_shape
from numpynet.functional.arguments import of_forward, of_output
from numpynet.kernels.buffers import empty
from numpynet.kernels.code_cache import njit
from numpynet.kernels.made_for import compiled
from numpynet.typing import Array, IntOrPair, pair
from numpynet.workers import run


class MaxPool2dCache(NamedTuple):
    """What `max_pool2d_backward` needs."""

    winner: Array  # uint8, out's shape: which of the window's four elements, 0 to 3 in row-major order
    shape: tuple[int, ...]


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
        two, none = (2, 2), (0, 0)
        readable = functional.MaxPool2dCache(cache.winner, cache.shape, (H, W), two, two, none, (1, 1))
        return functional.max_pool2d_backward(dout, readable)
    dx = empty(cache.shape, dout.dtype)
    run(lambda n: unpool_image(dout[n], cache.winner[n], dx[n]), len(dout))
    return dx


@njit(nogil=True, cache=True)
def pool_image(x, out, winner):  # type: ignore[no-untyped-def]
    """Windows of 2 x 2; the first of equals wins, NaN beats all."""
    for c in range(out.shape[0]):
        for h in range(out.shape[1]):
            upper, lower = x[c, 2 * h], x[c, 2 * h + 1]
            target, who = out[c, h], winner[c, h]
            for w in range(target.size):
                best, number = upper[2 * w], np.uint8(0)
                a, b, d = upper[2 * w + 1], lower[2 * w], lower[2 * w + 1]
                if a > best or a != a:
                    best, number = a, np.uint8(1)
                if b > best or b != b:
                    best, number = b, np.uint8(2)
                if d > best or d != d:
                    best, number = d, np.uint8(3)
                target[w], who[w] = best, number


@njit(nogil=True, cache=True)
def unpool_image(dout, winner, dx):  # type: ignore[no-untyped-def]
    """Each dout to the place of its window's winner, zero everywhere else."""
    for c in range(dx.shape[0]):
        for r in range(dx.shape[1]):
            target, h = dx[c, r], r // 2
            windows = dout.shape[2] if h < dout.shape[1] else 0
            if windows:
                unpool_row(dout[c, h], winner[c, h], target, np.uint8(r % 2 * 2))
            for k in range(2 * windows, target.size):  # a last row or column that no window has seen
                target[k] = 0


@njit(nogil=True, cache=True)
def unpool_row(g, who, target, number):  # type: ignore[no-untyped-def]
    """One row; its pixels are numbered `number` and `number` + 1 in their windows. See conv_block_loops.spread_row."""
    zero = target.dtype.type(0)
    for w in range(g.size):
        target[2 * w] = g[w] if who[w] == number else zero
        target[2 * w + 1] = g[w] if who[w] == number + 1 else zero
