"""Convolution, batch norm, ReLU and perhaps 2 x 2 max pooling, in as few passes over the memory as possible.

What it computes is in numpynet/functional/conv_block.py, the loops behind the convolution are in norm_relu.py. One by
one, the four operations write and read seven arrays of the convolution's size forward, and as many backward. Together:

forward   The convolution writes its result, `convolved`, strip by strip. Mean and variance of each strip are taken
          while it is in the cache, and merged as in Chan, Golub and LeVeque (1983). One more pass reads the result,
          normalises, pools, and writes a quarter as many numbers. The convolution's bias is not added, since batch
          norm would subtract it again; only the mean that `running_update` reads includes it.
backward  Only a winner of the pool that ReLU let through has a gradient, so the two sums of batch norm run over these
          alone. dconvolved is made strip by strip, just before the convolution's backward pass uses it.

Without the pool, the last forward pass writes as many numbers as it reads. The backward pass computes again, from
`convolved` and by the same arithmetic, which elements ReLU let through.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from numpynet import functional
from numpynet.checks import of_shape
from numpynet.functional.arguments import of_forward, of_output
from numpynet.functional.conv_block import ConvBlockGradients
from numpynet.functional.windows import pair
from numpynet.kernels import norm_relu
from numpynet.kernels.buffers import empty
from numpynet.kernels.convolution import convolve, gradients, strips
from numpynet.kernels.made_for import compiled
from numpynet.kernels.norm_relu import Norm
from numpynet.kernels.pixels import images_of, pixels_of
from numpynet.kernels.strip_work import Before, nothing_after
from numpynet.kernels.windows import Geometry, geometry_of
from numpynet.typing import AnyArray, Array, IntOrPair, Pair
from numpynet.workers import run


class Statistics(NamedTuple):
    """What `running_update` reads."""

    mean: Array  # (F,), with the convolution's bias
    var: Array  # (F,)
    elements: int  # M, the number of elements in each channel


class ConvBlockCache(NamedTuple):
    """What `conv_block_backward` needs."""

    pixels: Array  # x as (N, H, W, C)
    weight: Array  # (F, C, KH, KW)
    has_bias: bool
    geometry: Geometry
    convolved: Array  # (N, OH, OW, F), without the bias
    norm: Norm
    winner: AnyArray | None  # uint8 (N, OH // 2, OW // 2, F): 2 kh + kw of the window's largest, or CUT; or no pool
    out: Array  # (N, ., ., F), which the next layer keeps, too
    from_batch: bool  # False if mean and var were given
    statistics: Statistics


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
) -> tuple[Array, ConvBlockCache | functional.ConvBlockCache]:
    """See `numpynet.functional.conv_block`."""
    padding = pair(padding, "conv_block: padding", 0)
    wrong = (mean is None) != (var is None) or not 0 < eps < np.inf
    if wrong or not _made_for(x, weight, (bias, scale, shift, mean, var), padding, pool):
        # It also reports what is wrong.
        return functional.conv_block(x, weight, bias, scale, shift, mean, var, padding, eps, pool)
    g = geometry_of(x.shape, weight.shape, (1, 1), padding, (1, 1))
    N, F, M = len(x), len(weight), len(x) * g.OH * g.OW
    pixels = pixels_of(x)  # (N, C, H, W) -> (N, H, W, C)
    bias_or_zero = np.zeros(F, x.dtype) if bias is None else bias
    from_batch = mean is None
    convolved, strip_means, strip_squares, strip_sizes = _convolve(pixels, weight, g, from_batch)
    if mean is None or var is None:
        mean64 = strip_sizes @ strip_means / M  # (strips,) @ (strips, F) -> (F,)
        squares = strip_squares.sum(axis=0) + strip_sizes @ np.square(strip_means - mean64)
        mean, var = mean64.astype(x.dtype), (squares / M).astype(x.dtype)
        statistics = Statistics(mean + bias_or_zero, var, M)
    else:
        statistics = Statistics(mean, var, M)
        mean = mean - bias_or_zero
    inv_std = 1 / np.sqrt(var + x.dtype.type(eps))
    slope = inv_std if scale is None else inv_std * scale
    shift = np.zeros(F, x.dtype) if shift is None else shift
    norm = Norm(*(np.ascontiguousarray(array) for array in (mean, inv_std, slope, shift)))
    winner = None
    if pool:
        out = empty((N, g.OH // 2, g.OW // 2, F), x.dtype)
        winner = won = empty(out.shape, np.uint8)
        run(lambda n: norm_relu.normalise_relu_pool(convolved[n], norm, out[n], won[n]), N)
    else:
        out = empty((N, g.OH, g.OW, F), x.dtype)
        run(lambda n: norm_relu.normalise_relu(convolved[n].reshape(-1, F), norm, out[n].reshape(-1, F)), N)
    cache = ConvBlockCache(pixels, weight, bias is not None, g, convolved, norm, winner, out, from_batch, statistics)
    return images_of(out), cache


def conv_block_backward(
    dout: Array, cache: ConvBlockCache | functional.ConvBlockCache, input_gradient: bool = True
) -> ConvBlockGradients:
    """See `numpynet.functional.conv_block_backward`."""
    of_forward("conv_block_backward", cache, ConvBlockCache, functional.ConvBlockCache)
    if isinstance(cache, functional.ConvBlockCache):
        return functional.conv_block_backward(dout, cache, input_gradient)
    g, F, norm = cache.geometry, len(cache.weight), cache.norm
    _check_cache(cache)
    of_output("conv_block_backward", dout, _output_shape(cache))
    dout = pixels_of(dout.astype(cache.pixels.dtype, copy=False))  # (N, F, ., .) -> (N, ., ., F)
    dshift64, dscale64 = _affine_gradients(dout, cache)
    dshift, dscale = dshift64.astype(dout.dtype), dscale64.astype(dout.dtype)
    offset, coefficient = np.zeros_like(dshift), np.zeros_like(dscale)  # 0 if the statistics are constants
    if cache.from_batch:
        inv_M = dout.dtype.type(1 / cache.statistics.elements)
        offset, coefficient = -norm.slope * dshift * inv_M, norm.slope * norm.inv_std * dscale * inv_M
    winner = np.empty((0, 0, 0, 0), np.uint8) if cache.winner is None else cache.winner
    before = Before(False, cache.winner is not None, dout, winner, cache.convolved, norm, offset, coefficient)
    dx, dweight = gradients(cache.pixels, cache.weight, g, before, input_gradient)
    dbias = None
    if cache.has_bias:
        # The gradients of all outputs of a channel add up to 0 if the mean is the batch's.
        dbias = np.zeros(F, dout.dtype) if cache.from_batch else (norm.slope * dshift64).astype(dout.dtype)
    return ConvBlockGradients(None if dx is None else images_of(dx), dweight, dbias, dscale, dshift)


def _made_for(x: Array, weight: Array, per_filter: tuple[Array | None, ...], padding: Pair, pool: bool) -> bool:
    """Whether the loops are made for these arguments: arrays of one dtype that fit together, enough numbers for
    statistics, and at least one window of the pool.
    """
    if not compiled(x, weight, optional=per_filter) or x.ndim != 4 or weight.ndim != 4:
        return False
    if x.shape[1] != weight.shape[1] or not all((*x.shape[1:], *weight.shape)):
        return False
    g = geometry_of(x.shape, weight.shape, (1, 1), padding, (1, 1))
    if min(g.OH, g.OW) < 1 + pool or len(x) * g.OH * g.OW < 2:
        return False
    return all(a is None or a.shape == weight.shape[:1] for a in per_filter)


def _output_shape(cache: ConvBlockCache) -> tuple[int, ...]:
    """The shape of the output that came with the cache: (N, F, OH // 2, OW // 2), without a pool (N, F, OH, OW)."""
    g, stride = cache.geometry, 1 if cache.winner is None else 2
    return len(cache.pixels), len(cache.weight), g.OH // stride, g.OW // stride


def _check_cache(cache: ConvBlockCache) -> None:
    """ValueError if the arrays of the cache do not fit together: the loops would read outside of them."""
    g, name = cache.geometry, "conv_block_backward"
    N, F = len(cache.pixels), len(cache.weight)
    of_shape((N, g.H, g.W, g.C), name, pixels=cache.pixels)
    of_shape((F, g.C, g.KH, g.KW), name, weight=cache.weight)
    of_shape((N, g.OH, g.OW, F), name, convolved=cache.convolved)
    of_shape((F,), name, **cache.norm._asdict())
    if cache.winner is not None:
        of_shape((N, g.OH // 2, g.OW // 2, F), name, winner=cache.winner, out=cache.out)


def _convolve(pixels: Array, weight: Array, g: Geometry, with_moments: bool) -> tuple[Array, Array, Array, Array]:
    """The convolution without its bias, (N, OH, OW, F), and of each strip: the mean and the sum of (x - mean)^2 of each
    channel, each (strips, F), and the number of elements, (strips,). These are empty without `with_moments`.
    """
    count, F = strips(g, len(pixels), len(weight), pixels.dtype.itemsize), len(weight)
    means, squares = np.empty((2, count, F))
    after = nothing_after(pixels.dtype)._replace(
        take_moments=with_moments, means=means, squares=squares, sizes=np.empty(count)
    )
    return convolve(pixels, weight, g, after), means, squares, after.sizes


def _affine_gradients(dout: Array, cache: ConvBlockCache) -> Array:
    """dshift and dscale in float64, (2, F); dout (N, ., ., F)."""
    winner, convolved, norm = cache.winner, cache.convolved, cache.norm
    N, F = len(dout), dout.shape[3]
    sums = np.empty((N, 2, F))
    if winner is None:
        run(lambda n: norm_relu.affine_gradients(*_rows(dout[n], convolved[n]), norm, sums[n]), N)
    else:
        won, out = winner, cache.out
        run(
            lambda n: norm_relu.pooled_affine_gradients(
                dout[n], out[n], won[n], convolved[n], norm, sums[n], cache.from_batch
            ),
            N,
        )
    return sums.sum(axis=0)  # (N, 2, F) -> (2, F)


def _rows(*images: Array) -> Iterator[Array]:
    """Each image (H, W, F) as (H W, F)."""
    return (image.reshape(-1, image.shape[-1]) for image in images)
