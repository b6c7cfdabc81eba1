"""Convolution in strips of a few output rows; the mathematics is in numpynet/functional/conv2d.py."""

import numpy as np

from numpynet import functional
from numpynet.functional.arguments import of_forward, of_output
from numpynet.functional.conv2d import Conv2dCache, output_shape
from numpynet.functional.windows import pair
from numpynet.kernels.made_for import compiled
from numpynet.kernels.rows import set_row_sums
from numpynet.kernels.strips import convolve, gradients, strip_of_dout, strips_of
from numpynet.kernels.windows import geometry_of
from numpynet.typing import Array, IntOrPair, Pair
from numpynet.workers import run


def conv2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
) -> tuple[Array, Conv2dCache]:
    """See `numpynet.functional.conv2d`."""
    stride, padding = pair(stride, "conv2d: stride"), pair(padding, "conv2d: padding", 0)
    dilation = pair(dilation, "conv2d: dilation")
    if not _made_for(x, weight, bias, stride, padding, dilation):
        return functional.conv2d(x, weight, bias, stride, padding, dilation)  # it also reports what is wrong
    g = geometry_of(x.shape, weight.shape, stride, padding, dilation)
    x = np.ascontiguousarray(x)
    filters = weight.reshape(len(weight), -1)  # (F, C, KH, KW) -> (F, C KH KW)

    def finish(i: int, rows: Array, begin: int, end: int) -> None:
        if bias is not None:
            rows[:, begin:end] += bias[:, None]  # (F, 1)

    out = convolve(x, filters, g, strips_of(g, len(x), len(weight), x.dtype.itemsize), finish)
    cache = Conv2dCache(x, weight, bias is not None, stride, padding, dilation)
    return out.reshape(len(x), len(weight), g.OH, g.OW), cache  # (N, F, OH OW) -> (N, F, OH, OW)


def conv2d_backward(dout: Array, cache: Conv2dCache) -> tuple[Array, Array, Array | None]:
    """See `numpynet.functional.conv2d_backward`."""
    of_forward("conv2d_backward", cache, Conv2dCache)
    of_output("conv2d_backward", dout, output_shape(cache))
    x, weight = cache.x, cache.weight
    if not dout.size or not compiled(x, weight, dout):
        return functional.conv2d_backward(dout, cache)
    g = geometry_of(x.shape, weight.shape, cache.stride, cache.padding, cache.dilation)
    filters = weight.reshape(len(weight), -1)  # (F, C, KH, KW) -> (F, C KH KW)
    dout = np.ascontiguousarray(dout).reshape(*dout.shape[:2], -1)  # (N, F, OH, OW) -> (N, F, OH OW)

    strips = strips_of(g, len(x), len(weight), x.dtype.itemsize)
    dx, dfilters = gradients(x, filters, g, strips, lambda i, strip: strip_of_dout(dout, strip, g))
    assert dx is not None
    dweight = dfilters.reshape(weight.shape)  # (F, C KH KW) -> (F, C, KH, KW)
    if not cache.has_bias:
        return dx, dweight, None
    dbias = np.empty(dout.shape[:2])  # (N, F)
    run(lambda n: set_row_sums(dout[n], dbias[n]), len(dout))
    return dx, dweight, dbias.sum(axis=0).astype(dout.dtype)


def _made_for(x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, dilation: Pair) -> bool:
    """Whether the loops are made for these arguments: arrays of one dtype that fit together, at least one window."""
    if not compiled(x, weight, optional=(bias,)) or x.ndim != 4 or weight.ndim != 4 or x.shape[1] != weight.shape[1]:
        return False
    if not all((*x.shape[1:], *weight.shape)) or (bias is not None and bias.shape != weight.shape[:1]):
        return False
    g = geometry_of(x.shape, weight.shape, stride, padding, dilation)
    return min(g.OH, g.OW) >= 1
