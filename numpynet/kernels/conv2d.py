"""Convolution with channels last; the mathematics is in numpynet/functional/conv2d.py."""

import numpy as np

from numpynet import functional
from numpynet.functional.arguments import of_forward, of_output
from numpynet.functional.conv2d import Conv2dCache, output_shape
from numpynet.functional.windows import pair
from numpynet.kernels import norm_relu
from numpynet.kernels.convolution import convolve, gradients
from numpynet.kernels.made_for import compiled
from numpynet.kernels.pixels import images_of, pixels_of
from numpynet.kernels.strip_work import nothing_after, plain_gradient
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
    after = nothing_after(x.dtype)
    if bias is not None:
        after = after._replace(add_bias=True, bias=np.ascontiguousarray(bias))
    out = convolve(pixels_of(x), weight, g, after)
    return images_of(out), Conv2dCache(x, weight, bias is not None, stride, padding, dilation)


def conv2d_backward(dout: Array, cache: Conv2dCache) -> tuple[Array, Array, Array | None]:
    """See `numpynet.functional.conv2d_backward`."""
    of_forward("conv2d_backward", cache, Conv2dCache)
    of_output("conv2d_backward", dout, output_shape(cache))
    x, weight = cache.x, cache.weight
    if not dout.size or not compiled(x, weight, dout):
        return functional.conv2d_backward(dout, cache)
    g = geometry_of(x.shape, weight.shape, cache.stride, cache.padding, cache.dilation)
    dout = pixels_of(dout)  # (N, F, OH, OW) -> (N, OH, OW, F)
    dx, dweight = gradients(pixels_of(x), weight, g, plain_gradient(dout))
    assert dx is not None
    if not cache.has_bias:
        return images_of(dx), dweight, None
    dbias = np.zeros((len(dout), len(weight)))  # (N, F)
    run(lambda n: norm_relu.add_pixels(dout[n].reshape(-1, len(weight)), dbias[n]), len(dout))
    return images_of(dx), dweight, dbias.sum(axis=0).astype(dout.dtype)


def _made_for(x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, dilation: Pair) -> bool:
    """Whether the loops are made for these arguments: arrays of one dtype that fit together, at least one window."""
    if not compiled(x, weight, optional=(bias,)) or x.ndim != 4 or weight.ndim != 4 or x.shape[1] != weight.shape[1]:
        return False
    if not all((*x.shape[1:], *weight.shape)) or (bias is not None and bias.shape != weight.shape[:1]):
        return False
    g = geometry_of(x.shape, weight.shape, stride, padding, dilation)
    return min(g.OH, g.OW) >= 1
