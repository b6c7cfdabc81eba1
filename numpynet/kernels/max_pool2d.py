"""Max pooling, one image per task of the pool of threads; the mathematics is in numpynet/functional/max_pool2d.py.

Only the pool of the keypoint network has a compiled loop: windows of 2 x 2 that do not overlap, without padding. Every
other pool goes to the readable function.
"""

from typing import Any, NamedTuple

import numpy as np

from numpynet import functional
from numpynet.checks import of_shape
from numpynet.functional.arguments import of_forward, of_output
from numpynet.functional.windows import pair
from numpynet.kernels.buffers import empty
from numpynet.kernels.code_cache import njit
from numpynet.kernels.made_for import compiled
from numpynet.kernels.pixels import images_of, pixels_of
from numpynet.kernels.vector_loops import pixel_loop
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
    pixels = pixels_of(x)  # (N, C, H, W) -> (N, H, W, C)
    out = empty((N, H // 2, W // 2, C), x.dtype)
    winner = empty(out.shape, np.uint8)
    run(lambda n: pool_image(pixels[n], out[n], winner[n]), N)
    return images_of(out), MaxPool2dCache(images_of(winner), x.shape)


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
    dx = empty((N, H, W, C), dout.dtype)
    dout, winner = pixels_of(dout), pixels_of(cache.winner)
    run(lambda n: unpool_image(dout[n], winner[n], dx[n]), N)
    return images_of(dx)


def largest_of_four(x0: Any, x1: Any, x2: Any, x3: Any, zero: Any) -> tuple[Any, Any]:
    """The largest, and its number. The first of equals wins, and NaN beats all. `zero`: 0, as a whole number."""
    largest, element = x0, zero
    for number, x in ((1, x1), (2, x2), (3, x3)):
        better = x.more_or_nan(largest)
        largest, element = better.choose(x, largest), better.choose(number, element)
    return largest, element


def _sent(row: int) -> Any:
    """The rule of dx for the two pixels of a window's upper (0) or lower (1) row."""

    def rule(dout: Any, won: Any) -> tuple[Any, Any]:
        return won.equals(2 * row).choose(dout, 0), won.equals(2 * row + 1).choose(dout, 0)

    return rule


_pool, _upper, _lower = pixel_loop(largest_of_four), pixel_loop(_sent(0)), pixel_loop(_sent(1))


@njit(nogil=True, cache=True)
def pool_image(x, out, winner):  # type: ignore[no-untyped-def]
    """out = the largest element of each window of 2 x 2 of x (H, W, C); out and winner (H // 2, W // 2, C)."""
    _, W, C = x.shape
    OH, OW, _ = out.shape
    zero = np.zeros(C, np.uint8)
    for oh in range(OH):
        upper, lower, to = 2 * oh * W * C, (2 * oh + 1) * W * C, oh * OW * C
        above = (x, upper, 2 * C, x, upper + C, 2 * C)
        _pool(OW, C, (*above, x, lower, 2 * C, x, lower + C, 2 * C), (out, to, C, winner, to, C), (zero,), ())


@njit(nogil=True, cache=True)
def unpool_image(dout, winner, dx):  # type: ignore[no-untyped-def]
    """dx (H, W, C) = dout at the winner of each window of one image, and 0 elsewhere."""
    H, W, C = dx.shape
    OH, OW, _ = dout.shape
    for h in range(H):
        windows, at, to = OW if h // 2 < OH else 0, h // 2 * OW * C, h * W * C
        reads, both = (dout, at, C, winner, at, C), (dx, to, 2 * C, dx, to + C, 2 * C)
        if h % 2 == 0:
            _upper(windows, C, reads, both, (), ())
        else:
            _lower(windows, C, reads, both, (), ())
        row = dx[h].reshape(-1)
        for k in range(2 * windows * C, W * C):  # a last row or column that belongs to no window
            row[k] = 0
