"""Upsampling by 2, one image per task of the pool of threads, channels last.

Every other factor goes to the readable function; the mathematics is in numpynet/functional/upsample_nearest2d.py.
"""

from typing import Any

from numpynet import functional
from numpynet.functional.arguments import of_forward, of_output
from numpynet.functional.upsample_nearest2d import UpsampleNearest2dCache
from numpynet.kernels.buffers import empty
from numpynet.kernels.code_cache import njit
from numpynet.kernels.made_for import compiled
from numpynet.kernels.pixels import images_of, pixels_of
from numpynet.kernels.vector_loops import pixel_loop
from numpynet.typing import Array
from numpynet.workers import run


def upsample_nearest2d(x: Array, scale_factor: int = 2) -> tuple[Array, UpsampleNearest2dCache]:
    """See `numpynet.functional.upsample_nearest2d`."""
    if not compiled(x) or x.ndim != 4 or not x.size or scale_factor != 2:
        return functional.upsample_nearest2d(x, scale_factor)  # it also reports what is wrong
    pixels = pixels_of(x)  # (N, C, H, W) -> (N, H, W, C)
    N, H, W, C = pixels.shape
    out = empty((N, 2 * H, 2 * W, C), x.dtype)
    run(lambda n: repeat_image(pixels[n], out[n]), N)
    return images_of(out), UpsampleNearest2dCache(2, (N, C, 2 * H, 2 * W))


def upsample_nearest2d_backward(dout: Array, cache: UpsampleNearest2dCache) -> Array:
    """See `numpynet.functional.upsample_nearest2d_backward`."""
    of_forward("upsample_nearest2d_backward", cache, UpsampleNearest2dCache)
    of_output("upsample_nearest2d_backward", dout, cache.shape)
    if not compiled(dout) or cache.scale_factor != 2:
        return functional.upsample_nearest2d_backward(dout, cache)
    dout = pixels_of(dout)
    N, H, W, C = dout.shape
    dx = empty((N, H // 2, W // 2, C), dout.dtype)
    run(lambda n: add_image(dout[n], dx[n]), N)
    return images_of(dx)


def _repeat(x: Any) -> tuple[Any, Any, Any, Any]:
    """The pixel, four times."""
    return x, x, x, x


def _add(dout0: Any, dout1: Any, dout2: Any, dout3: Any) -> tuple[Any]:
    """dx"""
    return (dout0 + dout1 + dout2 + dout3,)


_repeat_loop, _add_loop = pixel_loop(_repeat), pixel_loop(_add)


@njit(nogil=True, cache=True)
def _fours(image, h, W, C):  # type: ignore[no-untyped-def]
    """Of an image (2 H, 2 W, C): the squares of four that belong to row h, as `pixel_loop` takes them."""
    upper, lower, step = 4 * h * W * C, (4 * h + 2) * W * C, 2 * C
    return image, upper, step, image, upper + C, step, image, lower, step, image, lower + C, step


@njit(nogil=True, cache=True)
def repeat_image(x, out):  # type: ignore[no-untyped-def]
    """out (2 H, 2 W, C): each pixel of x (H, W, C) in a square of four."""
    H, W, C = x.shape
    for h in range(H):
        _repeat_loop(W, C, (x, h * W * C, C), _fours(out, h, W, C), (), ())


@njit(nogil=True, cache=True)
def add_image(dout, dx):  # type: ignore[no-untyped-def]
    """dx (H, W, C): the sum of each square of four pixels of dout (2 H, 2 W, C)."""
    H, W, C = dx.shape
    for h in range(H):
        _add_loop(W, C, _fours(dout, h, W, C), (dx, h * W * C, C), (), ())
