"""Batch norm, ReLU and perhaps 2 x 2 max pooling of a convolution's result: the loops of conv_block.py.

With the four arrays of `Norm`, each line about one channel f::

    convolved      the convolution's result without its bias; mean is the mean of this
    x_hat          = inv_std (convolved - mean)
    normalised     = slope (convolved - mean) + shift                        slope = scale inv_std
    out            = max(normalised, 0), or the maximum of each 2 x 2 window of that
    dnormalised    = dout if normalised is positive (and won its window), and 0 otherwise
    dshift, dscale = sum(dnormalised), sum(dnormalised x_hat)
    dconvolved     = slope (dnormalised - dshift / M - x_hat dscale / M)     only the first term if not from_batch
                   = slope dnormalised + offset - coefficient (convolved - mean)
    offset         = -slope dshift / M
    coefficient    = slope inv_std dscale / M

A NaN passes ReLU, forward and backward, as in the readable functions.
"""

from typing import NamedTuple

import numpy as np

from numpynet.kernels.code_cache import njit
from numpynet.typing import Array

CUT = 4
"""Stands in `winner` for the element's number, 0 to 3 in row-major order, if ReLU let nothing of the window through."""

TRUSTED = 8
"""x_hat is computed from the output if the channel's |shift| is less than this many times its |scale|."""


class Norm(NamedTuple):
    """What batch norm does to each channel; see above."""

    mean: Array  # (F,), of the convolution's result without its bias
    inv_std: Array  # (F,)
    slope: Array  # (F,): scale inv_std
    shift: Array  # (F,)


@njit(nogil=True, cache=True, fastmath={"contract"})
def normalise_relu_pool(convolved, norm, out, winner):  # type: ignore[no-untyped-def]
    """out = max(0, largest of the window of normalised), and which element that is, for one image.

    convolved (F, OH, OW); out and winner (F, OH // 2, OW // 2). The first of equals wins.
    """
    for f in range(out.shape[0]):
        mean, slope, shift, zero = norm.mean[f], norm.slope[f], norm.shift[f], out.dtype.type(0)
        for h in range(out.shape[1]):
            upper, lower = convolved[f, 2 * h], convolved[f, 2 * h + 1]
            out_row, winner_row = out[f, h], winner[f, h]
            for w in range(out_row.size):
                largest, element = (upper[2 * w] - mean) * slope + shift, np.uint8(0)
                y1 = (upper[2 * w + 1] - mean) * slope + shift
                y2 = (lower[2 * w] - mean) * slope + shift
                y3 = (lower[2 * w + 1] - mean) * slope + shift
                if y1 > largest or y1 != y1:
                    largest, element = y1, np.uint8(1)
                if y2 > largest or y2 != y2:
                    largest, element = y2, np.uint8(2)
                if y3 > largest or y3 != y3:
                    largest, element = y3, np.uint8(3)
                winner_row[w] = np.uint8(CUT) if largest <= 0 else element
                out_row[w] = zero if largest <= 0 else largest


@njit(nogil=True, cache=True)
def pooled_affine_gradients(dout, out, winner, convolved, norm, sums, from_batch):  # type: ignore[no-untyped-def]
    """sums[0] = dshift = sum(dnormalised) and sums[1] = dscale = sum(dnormalised x_hat) of one image.

    sums (2, F). Only the winners that ReLU let through count. x_hat = (out - shift) / scale is computed from out, a
    quarter as much to read as convolved, unless |shift| is so large beside |scale| that digits would be lost.

    Without from_batch, an infinite or NaN element of convolved leaves the statistics as they are. Then, as in the
    readable function, it makes dscale NaN, which has the summand 0 x_hat for an element that did not pass.
    """
    for f in range(len(out)):
        mean, inv_std, slope, shift = norm.mean[f], norm.inv_std[f], norm.slope[f], norm.shift[f]
        dshift, dot = 0.0, 0.0  # dot = sum(dnormalised (convolved - mean)), in the end
        if abs(shift) * inv_std < TRUSTED * abs(slope):
            for h in range(out.shape[1]):
                row_dshift, row_dot = row_affine_gradients(dout[f, h], out[f, h], shift)
                dshift, dot = dshift + row_dshift, dot + row_dot
            dot /= slope
        else:
            for h in range(out.shape[1]):
                for w in range(out.shape[2]):
                    element = winner[f, h, w]
                    if element != CUT:
                        dshift += dout[f, h, w]
                        centred = convolved[f, 2 * h + (element >> 1 & 1), 2 * w + (element & 1)] - mean
                        dot += np.float64(dout[f, h, w]) * centred
        if not from_batch:
            for h in range(convolved.shape[1]):
                for w in range(convolved.shape[2]):
                    dot += np.float64(0) * (convolved[f, h, w] - mean)
        sums[0, f], sums[1, f] = dshift, dot * inv_std


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def row_affine_gradients(dout, out, shift):  # type: ignore[no-untyped-def]
    """sum(dout) and sum(dout (out - shift)) over the elements of a row with out > 0 or NaN, in float64."""
    dshift, dot = 0.0, 0.0
    zero = dout.dtype.type(0)
    for w in range(dout.size):
        dnormalised = zero if out[w] <= 0 else dout[w]
        dshift += dnormalised
        dot += np.float64(dnormalised) * np.float64(out[w] - shift)
    return dshift, dot


@njit(nogil=True, cache=True)
def pooled_gradient(  # type: ignore[no-untyped-def]
    dout, winner, convolved, dconvolved, top, bottom, norm, offset, coefficient, from_batch
):
    """dconvolved = slope dnormalised + offset - coefficient (convolved - mean) for rows top .. bottom of n images.

    convolved (n, F, OH, OW); the images come side by side into dconvolved (F, n rows OW), rows being bottom - top.
    """
    OW = convolved.shape[3]
    for n in range(len(convolved)):
        for f in range(convolved.shape[1]):
            mean, slope = norm.mean[f], norm.slope[f]
            for oh in range(top, bottom):
                begin, h, element = (n * (bottom - top) + oh - top) * OW, oh // 2, np.uint8(oh % 2 * 2)
                row, target = convolved[n, f, oh], dconvolved[f, begin : begin + OW]
                windows = dout.shape[3] if h < dout.shape[2] else 0
                if windows and from_batch:
                    pooled_gradient_row(
                        row, target, dout[n, f, h], winner[n, f, h], element, mean, offset[f], coefficient[f], slope
                    )
                elif windows:
                    pooled_gradient_row_of_constants(target, dout[n, f, h], winner[n, f, h], element, slope)
                for ow in range(2 * windows, OW):  # a last row or column that belongs to no window
                    target[ow] = offset[f] - coefficient[f] * (row[ow] - mean) if from_batch else 0


@njit(nogil=True, cache=True, fastmath={"contract"})
def pooled_gradient_row(  # type: ignore[no-untyped-def]
    convolved, dconvolved, dout, winner, element, mean, offset, coefficient, slope
):
    """`pooled_gradient` for one row, whose pixels are in turn elements `element` and `element + 1` of their windows.

    A function of its own, with few arrays: in a longer one the compiler cannot tell whether they overlap, and does not
    vectorise the loop.
    """
    zero = dconvolved.dtype.type(0)
    for w in range(dout.size):
        value, x0, x1 = slope * dout[w], convolved[2 * w], convolved[2 * w + 1]
        dconvolved[2 * w] = offset - coefficient * (x0 - mean) + (value if winner[w] == element else zero)
        dconvolved[2 * w + 1] = offset - coefficient * (x1 - mean) + (value if winner[w] == element + 1 else zero)


@njit(nogil=True, cache=True)
def pooled_gradient_row_of_constants(dconvolved, dout, winner, element, slope):  # type: ignore[no-untyped-def]
    """As `pooled_gradient_row` if the statistics are constants: dconvolved = slope dnormalised."""
    zero = dconvolved.dtype.type(0)
    for w in range(dout.size):
        value = slope * dout[w]
        dconvolved[2 * w] = value if winner[w] == element else zero
        dconvolved[2 * w + 1] = value if winner[w] == element + 1 else zero


# Without the pool. Every element is its own window, and no winner is kept.


@njit(nogil=True, cache=True)
def normalise(value, mean, slope, shift):  # type: ignore[no-untyped-def]
    """slope (value - mean) + shift. Without "contract", so that all loops agree to the bit on what is positive."""
    return (value - mean) * slope + shift


@njit(nogil=True, cache=True)
def normalise_relu(convolved, norm, out):  # type: ignore[no-untyped-def]
    """out = max(0, normalised) for one image, convolved and out (F, OH OW)."""
    for f in range(len(convolved)):
        row, out_row, mean, slope, shift = convolved[f], out[f], norm.mean[f], norm.slope[f], norm.shift[f]
        zero = out_row.dtype.type(0)
        for k in range(out_row.size):
            normalised = normalise(row[k], mean, slope, shift)
            out_row[k] = zero if normalised <= 0 else normalised


@njit(nogil=True, cache=True)
def affine_gradients(dout, convolved, norm, sums):  # type: ignore[no-untyped-def]
    """sums[0] = dshift = sum(dnormalised) and sums[1] = dscale = sum(dnormalised x_hat) of one image, sums (2, F)."""
    for f in range(len(convolved)):
        dshift, dot = channel_affine_gradients(dout[f], convolved[f], norm.mean[f], norm.slope[f], norm.shift[f])
        sums[0, f], sums[1, f] = dshift, dot * norm.inv_std[f]


@njit(nogil=True, cache=True, fastmath={"reassoc"})
def channel_affine_gradients(dout, convolved, mean, slope, shift):  # type: ignore[no-untyped-def]
    """sum(dnormalised) and sum(dnormalised (convolved - mean)) over one channel of one image, in float64."""
    dshift, dot = 0.0, 0.0
    zero = dout.dtype.type(0)
    for k in range(dout.size):
        dnormalised = zero if normalise(convolved[k], mean, slope, shift) <= 0 else dout[k]
        dshift += dnormalised
        dot += np.float64(dnormalised) * np.float64(convolved[k] - mean)
    return dshift, dot


@njit(nogil=True, cache=True)
def gradient(dout, convolved, dconvolved, begin, end, norm, offset, coefficient, from_batch):  # type: ignore[no-untyped-def]
    """As `pooled_gradient`, for pixels begin .. end of convolved (n, F, OH OW)."""
    size = end - begin
    for n in range(len(convolved)):
        for f in range(convolved.shape[1]):
            mean, slope, shift = norm.mean[f], norm.slope[f], norm.shift[f]
            dout_row, row = dout[n, f, begin:end], convolved[n, f, begin:end]
            target = dconvolved[f, n * size : (n + 1) * size]
            if from_batch:
                gradient_row(dout_row, row, target, mean, slope, shift, offset[f], coefficient[f])
            else:
                gradient_row_of_constants(dout_row, row, target, mean, slope, shift)


@njit(nogil=True, cache=True, fastmath={"contract"})
def gradient_row(dout, convolved, dconvolved, mean, slope, shift, offset, coefficient):  # type: ignore[no-untyped-def]
    """dconvolved = slope dnormalised + offset - coefficient (convolved - mean); see `pooled_gradient_row`."""
    zero = dconvolved.dtype.type(0)
    for k in range(dconvolved.size):
        dconvolved[k] = (
            offset
            - coefficient * (convolved[k] - mean)
            + (zero if normalise(convolved[k], mean, slope, shift) <= 0 else slope * dout[k])
        )


@njit(nogil=True, cache=True)
def gradient_row_of_constants(dout, convolved, dconvolved, mean, slope, shift):  # type: ignore[no-untyped-def]
    """As `gradient_row` if the statistics are constants: dconvolved = slope dnormalised."""
    zero = dconvolved.dtype.type(0)
    for k in range(dconvolved.size):
        dconvolved[k] = zero if normalise(convolved[k], mean, slope, shift) <= 0 else slope * dout[k]
