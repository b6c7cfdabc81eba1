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
from numba import njit

from numpynet import functional
from numpynet.buffers import empty
from numpynet.functional.conv_block import ConvBlockGradients
from numpynet.kernels.strips import Geometry, add_rows, geometry_of, gradients, strips_of, unfold_strip
from numpynet.typing import Array, IntOrPair, Pair, pair
from numpynet.workers import run

CUT = 4
"""In place of the winner's number, 0 to 3 in row-major order: ReLU let nothing of this window through."""


TRUSTED = 8
"""How many times as large as its scale a channel's shift may be for x_hat to be taken from the output."""


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
    winner: Array  # uint8, out's shape
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


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def moments(image, begin, end, means, squares):  # type: ignore[no-untyped-def]
    """Of pixels begin .. end of each channel: the mean, and the sum of the squared distances from it, in float64."""
    for f in range(len(image)):
        row = image[f, begin:end]
        total = 0.0
        for k in range(row.size):
            total += row[k]
        mean = total / row.size
        square = 0.0
        for k in range(row.size):
            distance = row[k] - mean
            square += distance * distance
        means[f], squares[f] = mean, square


@njit(nogil=True, cache=True, fastmath={"contract"})
def pool_normalised(x, centre, slope, level, out, winner):  # type: ignore[no-untyped-def]
    """For one image x (F, OH, OW): the largest of each window after batch norm, if positive; the first of equals."""
    for f in range(out.shape[0]):
        c, s, b = centre[f], slope[f], level[f]
        for h in range(out.shape[1]):
            upper, lower = x[f, 2 * h], x[f, 2 * h + 1]
            target, who = out[f, h], winner[f, h]
            for w in range(target.size):
                best, number = (upper[2 * w] - c) * s + b, np.uint8(0)
                y1, y2, y3 = (upper[2 * w + 1] - c) * s + b, (lower[2 * w] - c) * s + b, (lower[2 * w + 1] - c) * s + b
                if y1 > best or y1 != y1:
                    best, number = y1, np.uint8(1)
                if y2 > best or y2 != y2:
                    best, number = y2, np.uint8(2)
                if y3 > best or y3 != y3:
                    best, number = y3, np.uint8(3)
                who[w] = number if best > 0 else np.uint8(CUT)
                target[w] = best if not best <= 0 else best * 0


@njit(nogil=True, cache=True)
def sum_winners(dout, out, winner, x, centre, inv_std, slope, level, sums):  # type: ignore[no-untyped-def]
    """For one image: sums[0] = sum(dout) and sums[1] = sum(dout x_hat) of each channel, where ReLU let it through.

    x_hat is taken from out = x_hat scale + shift, a quarter as much to read as the convolution's result. Only where
    the shift is so much larger than the scale that this would cost digits is it made of the latter.
    """
    for f in range(len(out)):
        total, along = 0.0, 0.0
        if abs(level[f]) * inv_std[f] <= TRUSTED * abs(slope[f]):
            for h in range(out.shape[1]):
                a, b = sums_of_row(dout[f, h], out[f, h], level[f])
                total, along = total + a, along + b
            along /= slope[f]
        else:
            for h in range(out.shape[1]):
                for w in range(out.shape[2]):
                    number = winner[f, h, w]
                    if number != CUT:
                        total += dout[f, h, w]
                        distance = x[f, 2 * h + (number >> 1), 2 * w + (number & 1)] - centre[f]
                        along += np.float64(dout[f, h, w]) * distance
        sums[0, f], sums[1, f] = total, along * inv_std[f]


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def sums_of_row(g, y, level):  # type: ignore[no-untyped-def]
    """sum(g) and sum(g (y - level)) where y is positive, in float64."""
    total, along = 0.0, 0.0
    none = g.dtype.type(0)
    for w in range(g.size):
        through = g[w] if y[w] > 0 else none
        total += through
        along += np.float64(through) * np.float64(y[w] - level)
    return total, along


@njit(nogil=True, cache=True)
def spread(dout, winner, x, dx, top, bottom, centre, slope, base, lean):  # type: ignore[no-untyped-def]
    """dL/dconvolved for rows top .. bottom of one image, into dx (F, rows OW).

    That is slope (g - level - x_hat stretch), where g is dout at the winners and zero elsewhere.
    """
    OW = x.shape[2]
    for f in range(len(x)):
        c, b, a, s = centre[f], base[f], lean[f], slope[f]
        for r in range(top, bottom):
            target, h = dx[f, (r - top) * OW : (r - top + 1) * OW], r // 2
            windows = dout.shape[2] if h < dout.shape[1] else 0
            if windows:
                spread_row(x[f, r], target, dout[f, h], winner[f, h], np.uint8(r % 2 * 2), c, b, a, s)
            for k in range(2 * windows, OW):  # a last row or column that no window has seen
                target[k] = b - a * (x[f, r, k] - c)


@njit(nogil=True, cache=True, fastmath={"contract"})
def spread_row(x, target, g, who, number, c, b, a, s):  # type: ignore[no-untyped-def]
    """One row; its pixels have the numbers `number` and `number` + 1 in their windows.

    A function of its own, with few arrays: else the compiler cannot tell whether they overlap, and does not vectorise.
    """
    zero = target.dtype.type(0)
    for w in range(g.size):
        value, x0, x1 = s * g[w], x[2 * w], x[2 * w + 1]
        target[2 * w] = b - a * (x0 - c) + (value if who[w] == number else zero)
        target[2 * w + 1] = b - a * (x1 - c) + (value if who[w] == number + 1 else zero)
