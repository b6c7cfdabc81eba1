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

from typing import NamedTuple

import numpy as np

from numpynet import functional
from numpynet.checks import of_shape
from numpynet.functional.arguments import of_forward, of_output
from numpynet.functional.conv_block import ConvBlockGradients
from numpynet.functional.windows import pair
from numpynet.kernels import norm_relu
from numpynet.kernels.buffers import empty
from numpynet.kernels.code_cache import njit
from numpynet.kernels.made_for import compiled
from numpynet.kernels.norm_relu import Norm
from numpynet.kernels.rows import set_row_sums
from numpynet.kernels.strips import Strip, convolve, gradients, strips_of
from numpynet.kernels.windows import Geometry, geometry_of
from numpynet.typing import AnyArray, Array, IntOrPair, Pair
from numpynet.workers import run


class Statistics(NamedTuple):
    """What `running_update` reads."""

    mean: Array  # (F,), with the convolution's bias
    var: Array  # (F,)
    elements: int  # M, the number of elements in each channel


class Pooled(NamedTuple):
    """What the backward pass of the pool needs."""

    out: Array  # (N, F, OH // 2, OW // 2)
    winner: AnyArray  # uint8, of out's shape: 2 kh + kw of each window's largest element, or norm_relu.CUT


class ConvBlockCache(NamedTuple):
    """What `conv_block_backward` needs."""

    x: Array  # (N, C, H, W)
    weight: Array  # (F, C, KH, KW)
    has_bias: bool
    geometry: Geometry
    convolved: Array  # (N, F, OH OW), without the bias
    norm: Norm
    pooled: Pooled | None  # None without a pool
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
    x = np.ascontiguousarray(x)
    bias_or_zero = np.zeros(F, x.dtype) if bias is None else bias
    from_batch = mean is None
    convolved, strip_means, strip_squares, strip_sizes = _convolve(x, weight.reshape(F, -1), g, from_batch)
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
    norm = Norm(mean, inv_std, slope, np.zeros(F, x.dtype) if shift is None else shift)
    pooled = None
    if pool:
        out = empty((N, F, g.OH // 2, g.OW // 2), x.dtype)
        winner = empty(out.shape, np.uint8)
        pooled = Pooled(out, winner)
        images = convolved.reshape(N, F, g.OH, g.OW)  # (N, F, OH OW) -> (N, F, OH, OW)
        run(lambda n: norm_relu.normalise_relu_pool(images[n], norm, out[n], winner[n]), N)
    else:
        out = empty((N, F, g.OH, g.OW), x.dtype)
        rows = out.reshape(convolved.shape)  # (N, F, OH, OW) -> (N, F, OH OW)
        run(lambda n: norm_relu.normalise_relu(convolved[n], norm, rows[n]), N)
    return out, ConvBlockCache(x, weight, bias is not None, g, convolved, norm, pooled, from_batch, statistics)


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
    dout = np.ascontiguousarray(dout, cache.x.dtype)
    dshift, dscale = _affine_gradients(dout, cache).astype(dout.dtype)
    offset, coefficient = np.zeros_like(dshift), np.zeros_like(dscale)  # not read if the statistics are constants
    if cache.from_batch:
        inv_M = dout.dtype.type(1 / cache.statistics.elements)
        offset, coefficient = -norm.slope * dshift * inv_M, norm.slope * norm.inv_std * dscale * inv_M
    strips = strips_of(g, len(dout), F, dout.dtype.itemsize)
    strip_dbias = np.empty((strips.total, F))

    def dconvolved_of(i: int, strip: Strip) -> Array:
        dconvolved = _dconvolved(dout, cache, strip, offset, coefficient)
        if cache.has_bias:
            set_row_sums(dconvolved, strip_dbias[i])
        return dconvolved

    filters = cache.weight.reshape(F, -1)  # (F, C, KH, KW) -> (F, C KH KW)
    dx, dfilters = gradients(cache.x, filters, g, strips, dconvolved_of, input_gradient)
    dweight = dfilters.reshape(cache.weight.shape)  # (F, C KH KW) -> (F, C, KH, KW)
    dbias = strip_dbias.sum(axis=0).astype(dout.dtype) if cache.has_bias else None
    return ConvBlockGradients(dx, dweight, dbias, dscale, dshift)


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
    g, stride = cache.geometry, 1 if cache.pooled is None else 2
    return len(cache.x), len(cache.weight), g.OH // stride, g.OW // stride


def _check_cache(cache: ConvBlockCache) -> None:
    """ValueError if the arrays of the cache do not fit together: the loops would read outside of them."""
    g, name = cache.geometry, "conv_block_backward"
    N, F = len(cache.x), len(cache.weight)
    of_shape((N, g.C, g.H, g.W), name, x=cache.x)
    of_shape((F, g.C, g.KH, g.KW), name, weight=cache.weight)
    of_shape((N, F, g.OH * g.OW), name, convolved=cache.convolved)
    of_shape((F,), name, **cache.norm._asdict())
    if cache.pooled is not None:
        of_shape(_output_shape(cache), name, out=cache.pooled.out, winner=cache.pooled.winner)


def _convolve(x: Array, filters: Array, g: Geometry, with_moments: bool) -> tuple[Array, Array, Array, Array]:
    """The convolution without its bias, (N, F, OH OW), and of each strip: the mean and the sum of (x - mean)^2 of each
    channel, each (strips, F), and the number of elements, (strips,). These are empty without `with_moments`.
    """
    strips = strips_of(g, len(x), len(filters), x.dtype.itemsize)
    means, squares = np.empty((2, strips.total, len(filters)))
    sizes = np.empty(strips.total)

    def finish(i: int, rows: Array, begin: int, end: int) -> None:
        if with_moments:
            moments(rows, begin, end, means[i], squares[i])
            sizes[i] = end - begin

    return convolve(x, filters, g, strips, finish), means, squares, sizes


def _affine_gradients(dout: Array, cache: ConvBlockCache) -> Array:
    """dshift and dscale in float64, (2, F)."""
    g, pooled, convolved, norm = cache.geometry, cache.pooled, cache.convolved, cache.norm
    N, F, _ = convolved.shape
    sums = np.empty((N, 2, F))
    if pooled is None:
        rows = dout.reshape(convolved.shape)  # (N, F, OH, OW) -> (N, F, OH OW)
        run(lambda n: norm_relu.affine_gradients(rows[n], convolved[n], norm, sums[n]), N)
    else:
        images = convolved.reshape(N, F, g.OH, g.OW)  # (N, F, OH OW) -> (N, F, OH, OW)

        def image(n: int) -> None:
            out, winner = pooled.out[n], pooled.winner[n]
            norm_relu.pooled_affine_gradients(dout[n], out, winner, images[n], norm, sums[n], cache.from_batch)

        run(image, N)
    return sums.sum(axis=0)  # (N, 2, F) -> (2, F)


def _dconvolved(dout: Array, cache: ConvBlockCache, strip: Strip, offset: Array, coefficient: Array) -> Array:
    """dconvolved of a strip, (F, .)."""
    g, convolved, norm, from_batch = cache.geometry, cache.convolved[strip.images], cache.norm, cache.from_batch
    n, F, _ = convolved.shape
    dout, top, bottom = dout[strip.images], strip.top, strip.bottom
    dconvolved = empty((F, n * (bottom - top) * g.OW), dout.dtype)
    if cache.pooled is None:
        rows = dout.reshape(convolved.shape)  # (n, F, OH, OW) -> (n, F, OH OW)
        begin, end = top * g.OW, bottom * g.OW
        norm_relu.gradient(rows, convolved, dconvolved, begin, end, norm, offset, coefficient, from_batch)
    else:
        images = convolved.reshape(n, F, g.OH, g.OW)  # (n, F, OH OW) -> (n, F, OH, OW)
        winner = cache.pooled.winner[strip.images]
        norm_relu.pooled_gradient(dout, winner, images, dconvolved, top, bottom, norm, offset, coefficient, from_batch)
    return dconvolved


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def moments(rows, begin, end, means, squares):  # type: ignore[no-untyped-def]
    """mean and sum((x - mean)^2) of the columns begin .. end of each row, in float64."""
    for f in range(len(rows)):
        row = rows[f, begin:end]
        total = 0.0
        for k in range(row.size):
            total += row[k]
        mean = total / row.size
        square = 0.0
        for k in range(row.size):
            centred = row[k] - mean
            square += centred * centred
        means[f], squares[f] = mean, square
