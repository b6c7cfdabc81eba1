"""Convolution, batch norm, ReLU and perhaps 2 x 2 max pooling in as few passes over the activations as there can be.

What it computes stands in numpynet/functional/conv_block.py. Apart, the four operations write and read seven arrays of
the convolution's size forward, and as many backward. Together:

forward   The convolution writes its result a strip at a time; mean and variance of the strip are taken while it is in
          the cache, and merged as in Chan, Golub and LeVeque (1983). One more pass reads the result, normalises,
          pools, and writes a quarter as many numbers. The bias never enters: batch norm would subtract it again.
backward  Only the winners of the pool that ReLU let through have a gradient, so batch norm's two sums need these alone.
          Then dL/dconvolved is made a strip at a time, just before the convolution's backward pass consumes it.

Without the pool the last pass writes as many numbers as it reads, and every number is its own winner: whether ReLU let
it through is found out again from the convolution's result, by the same arithmetic.
"""

from typing import NamedTuple

import numpy as np

from numpynet import functional
from numpynet.checks import of_shape
from numpynet.functional.arguments import of_forward, of_output
from numpynet.functional.conv_block import ConvBlockGradients
from numpynet.kernels.buffers import empty
from numpynet.kernels.conv_block_loops import (
    cut_normalised,
    moments,
    pool_normalised,
    spread_passed,
    spread_winners,
    sum_passed,
    sum_winners,
)
from numpynet.kernels.made_for import compiled
from numpynet.kernels.strips import Strip, convolve, geometry_of, gradients, strips_of
from numpynet.kernels.strips_loops import Geometry, add_rows
from numpynet.typing import AnyArray, Array, IntOrPair, Pair, pair
from numpynet.workers import run


class Statistics(NamedTuple):
    """What `running_update` reads."""

    mean: Array  # (F,)
    var: Array  # (F,)
    elements: int


class Pooled(NamedTuple):
    """What the pool leaves behind."""

    out: Array  # (N, F, OH // 2, OW // 2)
    winner: AnyArray  # uint8, out's shape: see conv_block_loops.CUT


class ConvBlockCache(NamedTuple):
    """What `conv_block_backward` needs."""

    x: Array  # (N, C, H, W)
    weight: Array  # (F, C, KH, KW)
    has_bias: bool
    geometry: Geometry
    convolved: Array  # (N, F, OH OW), without the bias
    centre: Array  # (F,): the mean of `convolved`
    inv_std: Array  # (F,)
    slope: Array  # (F,): scale inv_std
    level: Array  # (F,): shift
    pooled: Pooled | None  # None where there is no pool
    from_batch: bool
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
    pads = pair(padding, "conv_block: padding", 0)
    wrong = (mean is None) != (var is None) or not 0 < eps < np.inf
    if wrong or not _made_for(x, weight, (bias, scale, shift, mean, var), pads, pool):
        return functional.conv_block(x, weight, bias, scale, shift, mean, var, padding, eps, pool)  # says what is wrong
    g = geometry_of(x.shape, weight.shape, (1, 1), pads, (1, 1))
    N, F, elements = len(x), len(weight), len(x) * g.OH * g.OW
    x = np.ascontiguousarray(x)
    offset = np.zeros(F, x.dtype) if bias is None else bias
    convolved, strip_means, strip_squares, sizes = _convolve(x, weight.reshape(F, -1), g, mean is None)
    from_batch = mean is None
    if mean is None or var is None:
        centre64 = sizes @ strip_means / elements  # (strips,) @ (strips, F) -> (F,)
        squares = strip_squares.sum(axis=0) + sizes @ np.square(strip_means - centre64)
        centre, var = centre64.astype(x.dtype), (squares / elements).astype(x.dtype)
        mean = centre + offset
    else:
        centre = mean - offset
    inv_std = 1 / np.sqrt(var + x.dtype.type(eps))
    slope = inv_std if scale is None else inv_std * scale
    level = np.zeros(F, x.dtype) if shift is None else shift
    about = centre, slope, level
    if pool:
        out, planes = empty((N, F, g.OH // 2, g.OW // 2), x.dtype), convolved.reshape(N, F, g.OH, g.OW)
        pooled = Pooled(out, winner := empty(out.shape, np.uint8))
        run(lambda n: pool_normalised(planes[n], *about, out[n], winner[n]), N)
    else:
        out, pooled = empty((N, F, g.OH, g.OW), x.dtype), None
        rows = out.reshape(convolved.shape)
        run(lambda n: cut_normalised(convolved[n], *about, rows[n]), N)
    statistics = Statistics(mean, var, elements)
    return out, ConvBlockCache(
        x, weight, bias is not None, g, convolved, centre, inv_std, slope, level, pooled, from_batch, statistics
    )


def conv_block_backward(
    dout: Array, cache: ConvBlockCache | functional.ConvBlockCache, input_gradient: bool = True
) -> ConvBlockGradients:
    """See `numpynet.functional.conv_block_backward`."""
    of_forward("conv_block_backward", cache, ConvBlockCache, functional.ConvBlockCache)
    if isinstance(cache, functional.ConvBlockCache):
        return functional.conv_block_backward(dout, cache, input_gradient)
    g, F = cache.geometry, len(cache.weight)
    _check_cache(cache)
    of_output("conv_block_backward", dout, _output_shape(cache))
    dout = np.ascontiguousarray(dout, cache.x.dtype)
    dshift, dscale = _sums(dout, cache).astype(dout.dtype)
    base, lean = np.zeros_like(dshift), np.zeros_like(dscale)  # constant statistics send nothing back
    if cache.from_batch:
        share = dout.dtype.type(1 / cache.statistics.elements)
        base, lean = -cache.slope * dshift * share, cache.slope * cache.inv_std * dscale * share
    strips = strips_of(g, len(dout), F, dout.dtype.itemsize)
    bias_sums = np.zeros((strips.total, F))

    def dconvolved(i: int, strip: Strip) -> Array:
        rows = _spread(dout, cache, strip, base, lean)
        if cache.has_bias:
            add_rows(rows, bias_sums[i])
        return rows

    filters = cache.weight.reshape(F, -1)  # (F, C, KH, KW) -> (F, C KH KW)
    dx, dfilters = gradients(cache.x, filters, g, strips, dconvolved, input_gradient)
    dweight = dfilters.reshape(cache.weight.shape)  # (F, C KH KW) -> (F, C, KH, KW)
    dbias = bias_sums.sum(axis=0).astype(dout.dtype) if cache.has_bias else None
    return ConvBlockGradients(dx, dweight, dbias, dscale, dshift)


def _made_for(x: Array, weight: Array, others: tuple[Array | None, ...], pads: Pair, pool: bool) -> bool:
    """Whether the kernels can take these: one dtype, numbers enough for statistics, and a pool that has windows."""
    if not compiled(x, weight, optional=others) or x.ndim != 4 or weight.ndim != 4 or x.shape[1] != weight.shape[1]:
        return False
    if not all((*x.shape[1:], *weight.shape)):
        return False
    g = geometry_of(x.shape, weight.shape, (1, 1), pads, (1, 1))
    if min(g.OH, g.OW) < 1 + pool or len(x) * g.OH * g.OW < 2:
        return False
    return all(a is None or a.shape == weight.shape[:1] for a in others)


def _output_shape(cache: ConvBlockCache) -> tuple[int, ...]:
    """(N, F, OH // 2, OW // 2), without a pool (N, F, OH, OW): that of the output which came with the cache."""
    g, half = cache.geometry, 1 if cache.pooled is None else 2
    return len(cache.x), len(cache.weight), g.OH // half, g.OW // half


def _check_cache(cache: ConvBlockCache) -> None:
    """ValueError where its arrays do not fit together: the loops would read outside of them."""
    g, name = cache.geometry, "conv_block_backward"
    N, F = len(cache.x), len(cache.weight)
    of_shape((N, g.C, g.H, g.W), name, x=cache.x)
    of_shape((F, g.C, g.KH, g.KW), name, weight=cache.weight)
    of_shape((N, F, g.OH * g.OW), name, convolved=cache.convolved)
    of_shape((F,), name, centre=cache.centre, inv_std=cache.inv_std, slope=cache.slope, level=cache.level)
    if cache.pooled is not None:
        of_shape(_output_shape(cache), name, out=cache.pooled.out, winner=cache.pooled.winner)


def _convolve(x: Array, filters: Array, g: Geometry, with_moments: bool) -> tuple[Array, Array, Array, Array]:
    """The convolution without bias, (N, F, OH OW), and of each strip: means, centred squares, elements."""
    strips = strips_of(g, len(x), len(filters), x.dtype.itemsize)
    means, squares = np.empty((2, strips.total, len(filters)))
    sizes = np.empty(strips.total)

    def finish(i: int, rows: Array, begin: int, end: int) -> None:
        if with_moments:
            moments(rows, begin, end, means[i], squares[i])
            sizes[i] = end - begin

    return convolve(x, filters, g, strips, finish), means, squares, sizes


def _sums(dout: Array, cache: ConvBlockCache) -> Array:
    """dL/dshift and dL/dscale in float64, (2, F)."""
    g, pooled, convolved = cache.geometry, cache.pooled, cache.convolved
    N, F, _ = convolved.shape
    sums = np.empty((N, 2, F))
    about, given = (cache.centre, cache.inv_std, cache.slope, cache.level), not cache.from_batch
    if pooled is None:
        rows = dout.reshape(convolved.shape)  # (N, F, OH, OW) -> (N, F, OH OW)
        run(lambda n: sum_passed(rows[n], convolved[n], *about, sums[n]), N)
    else:
        planes = convolved.reshape(N, F, g.OH, g.OW)  # (N, F, OH OW) -> (N, F, OH, OW)
        run(lambda n: sum_winners(dout[n], pooled.out[n], pooled.winner[n], planes[n], *about, sums[n], given), N)
    return sums.sum(axis=0)  # (N, 2, F) -> (2, F)


def _spread(dout: Array, cache: ConvBlockCache, strip: Strip, base: Array, lean: Array) -> Array:
    """dL/dconvolved of a strip, (F, .)."""
    g, part = cache.geometry, cache.convolved[strip.images]
    n, F, _ = part.shape
    rows = empty((F, n * (strip.bottom - strip.top) * g.OW), dout.dtype)
    about, given = (cache.centre, cache.slope), not cache.from_batch
    if cache.pooled is None:
        passed = dout[strip.images].reshape(part.shape)  # (n, F, OH, OW) -> (n, F, OH OW)
        begin, end = strip.top * g.OW, strip.bottom * g.OW
        spread_passed(passed, part, rows, begin, end, *about, cache.level, base, lean, given)
    else:
        planes = part.reshape(n, F, g.OH, g.OW)  # (n, F, OH OW) -> (n, F, OH, OW)
        winner = cache.pooled.winner[strip.images]
        spread_winners(dout[strip.images], winner, planes, rows, strip.top, strip.bottom, *about, base, lean, given)
    return rows
