"""The compiled loops of conv_block.py: over one image, or rows of it."""

import numpy as np

from numpynet.kernels.code_cache import njit

CUT = 4
"""In place of the winner's number, 0 to 3 in row-major order: ReLU let nothing of this window through."""


TRUSTED = 8
"""How many times as large as its scale a channel's shift may be for x_hat to be taken from the output."""


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
        c, s, b, zero = centre[f], slope[f], level[f], out.dtype.type(0)
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
                who[w] = np.uint8(CUT) if best <= 0 else number
                target[w] = zero if best <= 0 else best


@njit(nogil=True, cache=True)
def sum_winners(dout, out, winner, x, centre, inv_std, slope, level, sums, given):  # type: ignore[no-untyped-def]
    """For one image: sums[0] = sum(dout) and sums[1] = sum(dout x_hat) of each channel, where ReLU let it through.

    x_hat is taken from out = x_hat scale + shift, a quarter as much to read as the convolution's result. Only where
    the shift is so much larger than the scale that this would cost digits is it made of the latter.

    given: whether the statistics are constants, which an infinite x does not make NaN. Then it makes NaN of its
    channel's sum, which has 0 x_hat in it where nothing passed, as in the readable function.
    """
    for f in range(len(out)):
        total, along = 0.0, 0.0
        if abs(level[f]) * inv_std[f] < TRUSTED * abs(slope[f]):
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
                        distance = x[f, 2 * h + (number >> 1 & 1), 2 * w + (number & 1)] - centre[f]
                        along += np.float64(dout[f, h, w]) * distance
        if given:
            for h in range(x.shape[1]):
                for w in range(x.shape[2]):
                    along += np.float64(0) * (x[f, h, w] - centre[f])
        sums[0, f], sums[1, f] = total, along * inv_std[f]


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def sums_of_row(g, y, level):  # type: ignore[no-untyped-def]
    """sum(g) and sum(g (y - level)) where y is positive or NaN, in float64."""
    total, along = 0.0, 0.0
    none = g.dtype.type(0)
    for w in range(g.size):
        through = none if y[w] <= 0 else g[w]
        total += through
        along += np.float64(through) * np.float64(y[w] - level)
    return total, along


@njit(nogil=True, cache=True)
def spread_winners(dout, winner, x, dx, top, bottom, centre, slope, base, lean, given):  # type: ignore[no-untyped-def]
    """dL/dconvolved for rows top .. bottom of images x (n, F, OH, OW), side by side into dx (F, n rows OW).

    That is slope (g - mean of g - x_hat mean of g x_hat) = slope g + base - lean (x - centre), where g is dout at the
    winners and zero elsewhere. Of given statistics it is slope g alone.
    """
    OW = x.shape[3]
    for n in range(len(x)):
        for f in range(x.shape[1]):
            c, b, a, s = centre[f], base[f], lean[f], slope[f]
            for r in range(top, bottom):
                begin, h = (n * (bottom - top) + r - top) * OW, r // 2
                target = dx[f, begin : begin + OW]
                windows = dout.shape[3] if h < dout.shape[2] else 0
                if windows and given:
                    place_row(target, dout[n, f, h], winner[n, f, h], np.uint8(r % 2 * 2), s)
                elif windows:
                    spread_row(x[n, f, r], target, dout[n, f, h], winner[n, f, h], np.uint8(r % 2 * 2), c, b, a, s)
                for k in range(2 * windows, OW):  # a last row or column that no window has seen
                    target[k] = 0 if given else b - a * (x[n, f, r, k] - c)


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


@njit(nogil=True, cache=True)
def place_row(target, g, who, number, s):  # type: ignore[no-untyped-def]
    """As spread_row, of given statistics."""
    zero = target.dtype.type(0)
    for w in range(g.size):
        value = s * g[w]
        target[2 * w] = value if who[w] == number else zero
        target[2 * w + 1] = value if who[w] == number + 1 else zero


@njit(nogil=True, cache=True)
def normal(x, c, s, b):  # type: ignore[no-untyped-def]
    """Batch norm. Without "contract", so that forward and backward agree to the bit on what is positive."""
    return (x - c) * s + b


@njit(nogil=True, cache=True)
def cut_normalised(x, centre, slope, level, out):  # type: ignore[no-untyped-def]
    """For one image x (F, OH OW): batch norm, and zero in place of what is negative."""
    for f in range(len(x)):
        row, target, c, s, b = x[f], out[f], centre[f], slope[f], level[f]
        zero = target.dtype.type(0)
        for k in range(target.size):
            y = normal(row[k], c, s, b)
            target[k] = zero if y <= 0 else y


@njit(nogil=True, cache=True)
def sum_passed(dout, x, centre, inv_std, slope, level, sums):  # type: ignore[no-untyped-def]
    """As sum_winners, for one image without a pool: dout and x (F, OH OW)."""
    for f in range(len(x)):
        total, along = sums_of_passed(dout[f], x[f], centre[f], slope[f], level[f])
        sums[0, f], sums[1, f] = total, along * inv_std[f]


@njit(nogil=True, cache=True, fastmath={"reassoc"})
def sums_of_passed(g, x, c, s, b):  # type: ignore[no-untyped-def]
    """sum(g) and sum(g (x - c)) where batch norm makes x positive or NaN, in float64."""
    total, along = 0.0, 0.0
    none = g.dtype.type(0)
    for k in range(g.size):
        through = none if normal(x[k], c, s, b) <= 0 else g[k]
        total += through
        along += np.float64(through) * np.float64(x[k] - c)
    return total, along


@njit(nogil=True, cache=True)
def spread_passed(dout, x, dx, begin, end, centre, slope, level, base, lean, given):  # type: ignore[no-untyped-def]
    """As spread_winners, without a pool: pixels begin .. end of images x (n, F, OH OW), side by side into dx (F, .)."""
    size = end - begin
    for n in range(len(x)):
        for f in range(x.shape[1]):
            target, g, pixels = dx[f, n * size : (n + 1) * size], dout[n, f, begin:end], x[n, f, begin:end]
            if given:
                place_row_passed(g, pixels, target, centre[f], slope[f], level[f])
            else:
                spread_row_passed(g, pixels, target, centre[f], slope[f], level[f], base[f], lean[f])


@njit(nogil=True, cache=True, fastmath={"contract"})
def spread_row_passed(g, x, target, c, s, level, b, a):  # type: ignore[no-untyped-def]
    """One row, in a function of its own for the same reason as spread_row."""
    zero = target.dtype.type(0)
    for k in range(target.size):
        target[k] = b - a * (x[k] - c) + (zero if normal(x[k], c, s, level) <= 0 else s * g[k])


@njit(nogil=True, cache=True)
def place_row_passed(g, x, target, c, s, level):  # type: ignore[no-untyped-def]
    """As spread_row_passed, of given statistics."""
    zero = target.dtype.type(0)
    for k in range(target.size):
        target[k] = zero if normal(x[k], c, s, level) <= 0 else s * g[k]
