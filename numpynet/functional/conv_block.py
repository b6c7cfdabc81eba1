"""Conv block: convolution, batch norm, ReLU and, if asked for, 2 x 2 max pooling as one operation."""

from typing import NamedTuple

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
