"""Convolution, batch norm, ReLU and 2 x 2 max pooling in as few passes over the activations as there can be.

What it computes stands in numpynet/functional/conv_block.py. Apart, the four operations write and read seven arrays of
the convolution's size forward, and as many backward. Together:

forward   The convolution writes its result a strip at a time; mean and variance of the strip are taken while it is in
          the cache, and merged as in Chan, Golub and LeVeque (1983). One more pass reads the result, normalises,
          pools, and writes a quarter as many numbers. The bias never enters: batch norm would subtract it again.
backward  Only the winners of the pool that ReLU let through have a gradient, so batch norm's two sums need these alone.
          Then dL/dconvolved is made a strip at a time, just before the convolution's backward pass consumes it.
"""

from typing import NamedTuple

import numpy as np

from numpynet import functional
from numpynet.buffers import empty
from numpynet.functional.conv_block import ConvBlockGradients
from numpynet.kernels.conv_block_loops import moments, pool_normalised, spread, sum_winners
from numpynet.kernels.strips import Geometry, add_rows, geometry_of, gradients, strips_of, unfold_strip
from numpynet.typing import Array, IntOrPair, Pair, pair
from numpynet.workers import run


class Statistics(NamedTuple):
    """What `running_update` reads."""

    mean: Array  # (F,)
    var: Array  # (F,)
    elements: int


class ConvBlockCache(NamedTuple):
    """What `conv_block_backward` needs."""

    x: Array  # (N, C, H, W)
    weight: Array  # (F, C, KH, KW)
    has_bias: bool
    geometry: Geometry
    convolved: Array  # (N, F, OH, OW), without the bias
    winner: Array  # uint8, out's shape: see conv_block_loops.CUT
    centre: Array  # (F,): the mean of `convolved`
    inv_std: Array  # (F,)
    slope: Array  # (F,): scale inv_std
    level: Array  # (F,): shift
    out: Array  # (N, F, OH // 2, OW // 2)
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
) -> tuple[Array, ConvBlockCache | functional.ConvBlockCache]:
    """See `numpynet.functional.conv_block`."""
    pads = pair(padding, "conv_block: padding", 0)
    if not _made_for(x, weight, (bias, scale, shift, mean, var), pads) or (mean is None) != (var is None):
        return functional.conv_block(x, weight, bias, scale, shift, mean, var, padding, eps)  # says what is wrong
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
    out = empty((N, F, g.OH // 2, g.OW // 2), x.dtype)
    winner = empty(out.shape, np.uint8)
    run(lambda n: pool_normalised(convolved[n], centre, slope, level, out[n], winner[n]), N)
    statistics = Statistics(mean, var, elements)
    return out, ConvBlockCache(
        x, weight, bias is not None, g, convolved, winner, centre, inv_std, slope, level, out, from_batch, statistics
    )


def conv_block_backward(
    dout: Array, cache: ConvBlockCache | functional.ConvBlockCache, input_gradient: bool = True
) -> ConvBlockGradients:
    """See `numpynet.functional.conv_block_backward`."""
    if isinstance(cache, functional.ConvBlockCache):
        return functional.conv_block_backward(dout, cache, input_gradient)
    g, F = cache.geometry, len(cache.weight)
    dout = np.ascontiguousarray(dout)
    sums = np.empty((len(dout), 2, F))
    about = cache.centre, cache.inv_std, cache.slope, cache.level

    def image(n: int) -> None:
        sum_winners(dout[n], cache.out[n], cache.winner[n], cache.convolved[n], *about, sums[n])

    run(image, len(dout))
    dshift, dscale = sums.sum(axis=0).astype(dout.dtype)
    share = dout.dtype.type(cache.from_batch / cache.statistics.elements)  # constant statistics send nothing back
    base, lean = -cache.slope * dshift * share, cache.slope * cache.inv_std * dscale * share

    bias_sums = np.zeros((len(dout), F))

    def strip(n: int, top: int, bottom: int) -> Array:
        dconvolved = empty((F, (bottom - top) * g.OW), dout.dtype)
        spread(
            dout[n], cache.winner[n], cache.convolved[n], dconvolved, top, bottom, cache.centre, cache.slope, base, lean
        )
        add_rows(dconvolved, bias_sums[n])
        return dconvolved

    filters = cache.weight.reshape(F, -1)  # (F, C, KH, KW) -> (F, C KH KW)
    dx, dfilters = gradients(cache.x, filters, g, strips_of(g, F, dout.dtype.itemsize), strip, input_gradient)
    dweight = dfilters.reshape(cache.weight.shape)  # (F, C KH KW) -> (F, C, KH, KW)
    dbias = bias_sums.sum(axis=0).astype(dout.dtype) if cache.has_bias else None
    return ConvBlockGradients(dx, dweight, dbias, dscale, dshift)


def _made_for(x: Array, weight: Array, others: tuple[Array | None, ...], pads: Pair) -> bool:
    """Whether the kernels can take these: one dtype, at least one image, and a pool that has windows."""
    if x.ndim != 4 or not len(x) or x.shape[1] != weight.shape[1] or x.dtype not in (np.float32, np.float64):
        return False
    g = geometry_of(x.shape, weight.shape, (1, 1), pads, (1, 1))
    return min(g.OH, g.OW) >= 2 and all(a is None or a.dtype == x.dtype for a in (weight, *others))


def _convolve(x: Array, filters: Array, g: Geometry, with_moments: bool) -> tuple[Array, Array, Array, Array]:
    """The convolution without bias, (N, F, OH, OW), and of each strip: means, centred squares, elements."""
    N, F = len(x), len(filters)
    convolved = empty((N, F, g.OH * g.OW), x.dtype)
    strips = strips_of(g, F, x.dtype.itemsize)
    count = N * strips.each
    means, squares, sizes = np.empty((count, F)), np.empty((count, F)), np.empty(count)

    def strip(i: int) -> None:
        n, top, bottom = strips.where(i)
        part = convolved[n, :, top * g.OW : bottom * g.OW]
        np.matmul(filters, unfold_strip(x[n], top, bottom, g), out=part)
        if with_moments:
            moments(convolved[n], top * g.OW, bottom * g.OW, means[i], squares[i])
            sizes[i] = part.shape[1]

    run(strip, count)
    return convolved.reshape(N, F, g.OH, g.OW), means, squares, sizes
