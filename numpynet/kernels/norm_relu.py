"""Batch norm, ReLU and perhaps 2 x 2 max pooling of a convolution's result: the loops of conv_block.py.

Channels are last: a pixel is a row of F numbers, and each loop goes over the channels of one pixel. With the four
arrays of `Norm`, each line about one channel f::

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


class Norm(NamedTuple):
    """What batch norm does to each channel; see above."""

    mean: Array  # (F,), of the convolution's result without its bias
    inv_std: Array  # (F,)
    slope: Array  # (F,): scale inv_std
    shift: Array  # (F,)


@njit(nogil=True, cache=True, inline="always")
def normalise(value, mean, slope, shift):  # type: ignore[no-untyped-def]
    """slope (value - mean) + shift. Without "contract", so that all loops agree to the bit on what is positive."""
    return (value - mean) * slope + shift


@njit(nogil=True, cache=True)
def moments(rows, mean, squares):  # type: ignore[no-untyped-def]
    """mean = the mean of rows (., F), squares = sum((x - mean)^2); both (F,) in float64."""
    mean[:], squares[:] = 0, 0
    for k in range(len(rows)):
        row = rows[k]
        for f in range(row.size):
            mean[f] += row[f]
    mean /= len(rows)
    for k in range(len(rows)):
        row = rows[k]
        for f in range(row.size):
            centred = row[f] - mean[f]
            squares[f] += centred * centred


@njit(nogil=True, cache=True)
def normalise_relu(convolved, norm, out):  # type: ignore[no-untyped-def]
    """out = max(0, normalised), convolved and out (pixels, F)."""
    mean, slope, shift, zero = norm.mean, norm.slope, norm.shift, out.dtype.type(0)
    for k in range(len(convolved)):
        row, target = convolved[k], out[k]
        for f in range(target.size):
            normalised = normalise(row[f], mean[f], slope[f], shift[f])
            target[f] = zero if normalised <= 0 else normalised


@njit(nogil=True, cache=True)
def normalise_relu_pool(convolved, norm, out, winner):  # type: ignore[no-untyped-def]
    """out = max(0, largest of the window of normalised), and which element that is, for one image.

    convolved (OH, OW, F); out and winner (OH // 2, OW // 2, F). The first of equals wins.
    """
    mean, slope, shift, zero = norm.mean, norm.slope, norm.shift, out.dtype.type(0)
    for h in range(out.shape[0]):
        for w in range(out.shape[1]):
            x0, x1 = convolved[2 * h, 2 * w], convolved[2 * h, 2 * w + 1]
            x2, x3 = convolved[2 * h + 1, 2 * w], convolved[2 * h + 1, 2 * w + 1]
            target, won = out[h, w], winner[h, w]
            for f in range(target.size):
                largest, element = normalise(x0[f], mean[f], slope[f], shift[f]), np.uint8(0)
                y1 = normalise(x1[f], mean[f], slope[f], shift[f])
                y2 = normalise(x2[f], mean[f], slope[f], shift[f])
                y3 = normalise(x3[f], mean[f], slope[f], shift[f])
                if y1 > largest or y1 != y1:
                    largest, element = y1, np.uint8(1)
                if y2 > largest or y2 != y2:
                    largest, element = y2, np.uint8(2)
                if y3 > largest or y3 != y3:
                    largest, element = y3, np.uint8(3)
                won[f] = np.uint8(CUT) if largest <= 0 else element
                target[f] = zero if largest <= 0 else largest


@njit(nogil=True, cache=True)
def affine_gradients(dout, convolved, norm, sums):  # type: ignore[no-untyped-def]
    """sums[0] = dshift = sum(dnormalised) and sums[1] = dscale = sum(dnormalised x_hat) in float64, sums (2, F).

    dout and convolved (pixels, F).
    """
    mean, slope, shift, zero = norm.mean, norm.slope, norm.shift, dout.dtype.type(0)
    dshift, dot = sums[0], sums[1]
    dshift[:], dot[:] = 0, 0
    for k in range(len(dout)):
        above, row = dout[k], convolved[k]
        for f in range(row.size):
            dnormalised = zero if normalise(row[f], mean[f], slope[f], shift[f]) <= 0 else above[f]
            dshift[f] += dnormalised
            dot[f] += np.float64(dnormalised) * np.float64(row[f] - mean[f])
    dot *= norm.inv_std


@njit(nogil=True, cache=True)
def pooled_affine_gradients(dout, winner, convolved, norm, sums, from_batch):  # type: ignore[no-untyped-def]
    """As `affine_gradients`, for one image with a pool: only the winners that ReLU let through count.

    dout and winner (OH // 2, OW // 2, F), convolved (OH, OW, F).

    Without from_batch, an infinite or NaN element of convolved leaves the statistics as they are. Then, as in the
    readable function, it makes dscale NaN, which has the summand 0 x_hat for an element that did not pass.
    """
    mean, zero = norm.mean, dout.dtype.type(0)
    dshift, dot = sums[0], sums[1]
    dshift[:], dot[:] = 0, 0
    for h in range(dout.shape[0]):
        for w in range(dout.shape[1]):
            x0, x1 = convolved[2 * h, 2 * w], convolved[2 * h, 2 * w + 1]
            x2, x3 = convolved[2 * h + 1, 2 * w], convolved[2 * h + 1, 2 * w + 1]
            above, won = dout[h, w], winner[h, w]
            for f in range(above.size):
                left, right = x0[f] if won[f] == 0 else x2[f], x1[f] if won[f] == 1 else x3[f]
                value = right if won[f] & 1 else left
                dnormalised = zero if won[f] == CUT else above[f]
                dshift[f] += dnormalised
                dot[f] += np.float64(dnormalised) * np.float64(value - mean[f])
    if not from_batch:
        for h in range(convolved.shape[0]):
            for w in range(convolved.shape[1]):
                row = convolved[h, w]
                for f in range(row.size):
                    dot[f] += np.float64(0) * (row[f] - mean[f])
    dot *= norm.inv_std


@njit(nogil=True, cache=True)
def gradient(dout, convolved, dconvolved, top, bottom, norm, offset, coefficient, from_batch):  # type: ignore[no-untyped-def]
    """dconvolved[: bottom - top, : OW] = slope dnormalised + offset - coefficient (convolved - mean) for rows
    top .. bottom; dout and convolved (OH, OW, F), dconvolved (., ., F).
    """
    for h in range(top, bottom):
        for w in range(convolved.shape[1]):
            target, row, above = dconvolved[h - top, w], convolved[h, w], dout[h, w]
            if from_batch:
                _gradient(target, row, above, norm, offset, coefficient)
            else:
                _gradient_of_constants(target, row, above, norm)


@njit(nogil=True, cache=True, inline="always")
def _gradient(target, row, above, norm, offset, coefficient):  # type: ignore[no-untyped-def]
    mean, slope, shift, zero = norm.mean, norm.slope, norm.shift, target.dtype.type(0)
    for f in range(target.size):
        passed = zero if normalise(row[f], mean[f], slope[f], shift[f]) <= 0 else slope[f] * above[f]
        target[f] = offset[f] - coefficient[f] * (row[f] - mean[f]) + passed


@njit(nogil=True, cache=True, inline="always")
def _gradient_of_constants(target, row, above, norm):  # type: ignore[no-untyped-def]
    mean, slope, shift, zero = norm.mean, norm.slope, norm.shift, target.dtype.type(0)
    for f in range(target.size):
        target[f] = zero if normalise(row[f], mean[f], slope[f], shift[f]) <= 0 else slope[f] * above[f]


@njit(nogil=True, cache=True)
def pooled_gradient(  # type: ignore[no-untyped-def]
    dout, winner, convolved, dconvolved, top, bottom, norm, offset, coefficient, from_batch
):
    """As `gradient`, for an image with a pool; dout and winner (OH // 2, OW // 2, F).

    A last row or column of convolved that belongs to no window has no dnormalised.
    """
    mean, slope, zero = norm.mean, norm.slope, dout.dtype.type(0)
    for h in range(top, bottom):
        for w in range(convolved.shape[1]):
            target, row = dconvolved[h - top, w], convolved[h, w]
            if h // 2 >= dout.shape[0] or w // 2 >= dout.shape[1]:
                for f in range(target.size):
                    target[f] = offset[f] - coefficient[f] * (row[f] - mean[f]) if from_batch else zero
                continue
            above, won, element = dout[h // 2, w // 2], winner[h // 2, w // 2], np.uint8(h % 2 * 2 + w % 2)
            if from_batch:
                for f in range(target.size):
                    passed = slope[f] * above[f] if won[f] == element else zero
                    target[f] = offset[f] - coefficient[f] * (row[f] - mean[f]) + passed
            else:
                for f in range(target.size):
                    target[f] = slope[f] * above[f] if won[f] == element else zero
