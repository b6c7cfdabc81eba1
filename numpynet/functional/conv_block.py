"""Conv block: convolution, batch norm, ReLU and, if asked for, 2 x 2 max pooling as one operation."""

from typing import NamedTuple

import numpy as np

from numpynet.functional.arguments import of_forward, of_output
from numpynet.functional.batch_norm import BatchNormCache, batch_norm, batch_norm_backward
from numpynet.functional.conv2d import Conv2dCache, conv2d, conv2d_backward
from numpynet.functional.max_pool2d import MaxPool2dCache, max_pool2d, max_pool2d_backward
from numpynet.functional.relu import ReLUCache, relu, relu_backward
from numpynet.typing import Array, IntOrPair


class ConvBlockCache(NamedTuple):
    """The caches of the operations, one by one. `running_update` reads `statistics`."""

    conv2d: Conv2dCache
    statistics: BatchNormCache
    relu: ReLUCache
    max_pool2d: MaxPool2dCache | None  # None without a pool


class ConvBlockGradients(NamedTuple):
    """What `conv_block_backward` returns."""

    dx: Array | None  # (N, C, H, W), or None if it was not asked for
    dweight: Array  # (F, C, KH, KW)
    dbias: Array | None  # (F,)
    dscale: Array  # (F,)
    dshift: Array  # (F,)


def conv_block(
    x: Array,
    weight: Array,
    bias: Array | None,
    scale: Array | None,
    shift: Array | None,
    mean: Array | None = None,
    var: Array | None = None,
    padding: IntOrPair = 0,
    eps: float = 1e-5,
    pool: bool = True,
) -> tuple[Array, ConvBlockCache]:
    """out = max_pool2d(relu(batch_norm(conv2d(x)))), with windows of 2 x 2 that do not overlap. Without `pool`,
    out = relu(batch_norm(conv2d(x))).

    The fused kernel of the same name must equal this composition.

    Shapes: x (N, C, H, W); for the convolution, of stride and dilation 1, weight (F, C, KH, KW) and bias (F,) or None;
    for the batch norm scale (its weight), shift (its bias), mean and var, each (F,) or None; out
    (N, F, OH // 2, OW // 2), without `pool` (N, F, OH, OW).

    Backward: the chain rule, from the last operation to the first. The cache holds the four caches.
    """
    convolved, conv2d_cache = conv2d(x, weight, bias, padding=padding)
    normalised, statistics = batch_norm(convolved, scale, shift, mean=mean, var=var, eps=eps)
    out, relu_cache = relu(normalised)
    max_pool2d_cache = None
    if pool:
        out, max_pool2d_cache = max_pool2d(out, 2)
    return out, ConvBlockCache(conv2d_cache, statistics, relu_cache, max_pool2d_cache)


def conv_block_backward(dout: Array, cache: ConvBlockCache, input_gradient: bool = True) -> ConvBlockGradients:
    """Gradients of `conv_block` for dout of out's shape; dx is None if `input_gradient` is False."""
    of_forward("conv_block_backward", cache, ConvBlockCache)
    last = cache.relu.passed if cache.max_pool2d is None else cache.max_pool2d.winner
    of_output("conv_block_backward", dout, last.shape)
    dpositive = dout if cache.max_pool2d is None else max_pool2d_backward(dout, cache.max_pool2d)
    dnormalised = relu_backward(dpositive, cache.relu)
    dconvolved, dscale, dshift = batch_norm_backward(dnormalised, cache.statistics)
    dx, dweight, dbias = conv2d_backward(dconvolved, cache.conv2d)
    return ConvBlockGradients(dx if input_gradient else None, dweight, dbias, dscale, dshift)


def fold_batch_norm(
    weight: Array, bias: Array | None, scale: Array | None, shift: Array | None, mean: Array, var: Array, eps: float
) -> tuple[Array, Array]:
    """The filters (F, C, KH, KW) and the bias (F,) of one convolution that equals a convolution and its batch norm.

    With a given mean and variance batch norm is linear, with the slope s[f] = scale[f] / sqrt(var[f] + eps)::

        (conv2d(x, weight) + bias - mean) s + shift = conv2d(x, weight s) + (bias - mean) s + shift

    Shapes: weight (F, C, KH, KW); bias, scale and shift (F,) or None; mean and var (F,).
    """
    slope = 1 / np.sqrt(var + var.dtype.type(eps))  # (F,)
    if scale is not None:
        slope = slope * scale
    offset = -mean * slope if bias is None else (bias - mean) * slope
    if shift is not None:
        offset = offset + shift
    return weight * slope[:, None, None, None], offset  # (F, C, KH, KW) * (F, 1, 1, 1)


def max_pool_2x2(x: Array) -> Array:
    """The largest element of each 2 x 2 window, without a cache: (N, F, OH, OW) -> (N, F, OH // 2, OW // 2).

    Rows first, then columns: each number is compared where it lies, and none is copied. ValueError if there is no
    window.
    """
    PH, PW = x.shape[2] // 2, x.shape[3] // 2
    if not (PH and PW):
        raise ValueError(f"max_pool2d: x of shape {x.shape} is smaller than the kernel (2, 2)")
    rows = np.maximum(x[:, :, 0 : 2 * PH : 2], x[:, :, 1::2])  # (N, F, PH, OW)
    return np.maximum(rows[..., 0 : 2 * PW : 2], rows[..., 1::2])  # (N, F, PH, PW)
