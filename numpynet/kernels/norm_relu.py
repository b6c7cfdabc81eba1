"""Batch norm, ReLU and perhaps 2 x 2 max pooling of a convolution's result: the loops of conv_block.py.

Channels are last. A loop takes the channels of one vector, and goes over a row of pixels. What it does to each is a
rule, a function of vectors (lanes.py). With the four arrays of `Norm`, each line about one channel f::

    convolved      the convolution's result without its bias; mean is the mean of this
    x_hat          = inv_std (convolved - mean)
    normalised     = slope (convolved - mean) + shift                        slope = scale inv_std
    out            = max(normalised, 0), or the maximum of each 2 x 2 window of that
    dnormalised    = dout if normalised is positive (and won its window), and 0 otherwise
    dshift, dscale = sum(dnormalised), sum(dnormalised x_hat)
    dconvolved     = slope (dnormalised - dshift / M - x_hat dscale / M)     only the first term if not from_batch
                   = slope dnormalised + offset - coefficient (convolved - mean)
    offset         = -slope dshift / M                                       0 if not from_batch; likewise:
    coefficient    = slope inv_std dscale / M

A NaN passes ReLU, forward and backward, as in the readable functions.
"""

from typing import Any, NamedTuple

import numpy as np

from numpynet.kernels.code_cache import njit
from numpynet.kernels.max_pool2d import largest_of_four
from numpynet.kernels.vector_loops import pixel_loop
from numpynet.typing import Array

CUT = 4
"""Stands in `winner` for the element's number, 0 to 3 in row-major order, if ReLU let nothing of the window through."""


TRUSTED = 8
"""x_hat is computed from the output if each channel's |shift| is less than this many times its |scale|."""


class Norm(NamedTuple):
    """What batch norm does to each channel; see above."""

    mean: Array  # (F,), of the convolution's result without its bias
    inv_std: Array  # (F,)
    slope: Array  # (F,): scale inv_std
    shift: Array  # (F,)


def normalise(x: Any, mean: Any, slope: Any, shift: Any) -> Any:
    """slope (x - mean) + shift, rounded alike everywhere, so that all loops agree on what is positive."""
    return (x - mean).times_plus(slope, shift)


def _relu(x: Any, mean: Any, slope: Any, shift: Any) -> tuple[Any]:
    """out"""
    y = normalise(x, mean, slope, shift)
    return (y.at_most(0).choose(0, y),)


def _relu_pool(x0: Any, x1: Any, x2: Any, x3: Any, zero: Any, mean: Any, slope: Any, shift: Any) -> tuple[Any, Any]:
    """out, winner; `zero` is a vector of whole numbers."""
    y0, y1, y2, y3 = (normalise(x, mean, slope, shift) for x in (x0, x1, x2, x3))
    largest, element = largest_of_four(y0, y1, y2, y3, zero)
    cut = largest.at_most(0)
    return cut.choose(0, largest), cut.choose(CUT, element)


def _moment(x: Any) -> tuple[Any]:
    """The summand of the mean."""
    return (x,)


def _square(x: Any, mean: Any) -> tuple[Any]:
    """The summand of the variance."""
    centred = x.wide() - mean
    return (centred * centred,)


def _affine(dout: Any, x: Any, mean: Any, slope: Any, shift: Any) -> tuple[Any, Any]:
    """The summands of dshift and of dscale / inv_std."""
    dnormalised = normalise(x, mean, slope, shift).at_most(0).choose(0, dout)
    return dnormalised, dnormalised.wide() * (x - mean).wide()


def _pooled_affine(dout: Any, won: Any, x0: Any, x1: Any, x2: Any, x3: Any, mean: Any) -> tuple[Any, Any]:
    """The summands of dshift and of dscale / inv_std of a window."""
    winner = won.equals(0).choose(x0, won.equals(1).choose(x1, won.equals(2).choose(x2, x3)))
    dnormalised = won.equals(CUT).choose(0, dout)
    return dnormalised, dnormalised.wide() * (winner - mean).wide()


def _affine_of_output(dout: Any, out: Any, shift: Any) -> tuple[Any, Any]:
    """The summands of dshift and of dscale scale, if out is the output of a window."""
    dnormalised = out.at_most(0).choose(0, dout)
    return dnormalised, dnormalised.wide() * (out - shift).wide()


def _nothing_times(x: Any, mean: Any) -> tuple[Any]:
    """0 x_hat / inv_std, which is NaN if x is not finite."""
    return ((x - mean).wide() * 0,)


def _still(x: Any, mean: Any, offset: Any, coefficient: Any) -> Any:
    """dconvolved without the part that dout sends. If the statistics are constants, it is 0, whatever x is."""
    return offset - coefficient.equals(0).choose(0, coefficient * (x - mean))


def _gradient(dout: Any, x: Any, mean: Any, slope: Any, shift: Any, offset: Any, coefficient: Any) -> tuple[Any]:
    """dconvolved"""
    passed = normalise(x, mean, slope, shift).at_most(0).choose(0, slope * dout)
    return (_still(x, mean, offset, coefficient) + passed,)


def _pooled_gradient(row: int) -> Any:
    """The rule of dconvolved for the two pixels of a window's upper (0) or lower (1) row."""

    def rule(
        dout: Any, won: Any, x0: Any, x1: Any, mean: Any, slope: Any, offset: Any, coefficient: Any
    ) -> tuple[Any, Any]:
        sent = slope * dout
        left, right = (_still(x, mean, offset, coefficient) for x in (x0, x1))
        return left + won.equals(2 * row).choose(sent, 0), right + won.equals(2 * row + 1).choose(sent, 0)

    return rule


def _unpooled_gradient(x: Any, mean: Any, offset: Any, coefficient: Any) -> tuple[Any]:
    """dconvolved of a pixel that belongs to no window."""
    return (_still(x, mean, offset, coefficient),)


_relu_loop, _relu_pool_loop = pixel_loop(_relu), pixel_loop(_relu_pool)
_moment_loop, _square_loop = pixel_loop(_moment), pixel_loop(_square)
_affine_loop, _pooled_affine_loop = pixel_loop(_affine), pixel_loop(_pooled_affine)
_affine_of_output_loop, _nothing_loop = pixel_loop(_affine_of_output), pixel_loop(_nothing_times)
_gradient_loop = pixel_loop(_gradient)
_upper_loop, _lower_loop = pixel_loop(_pooled_gradient(0)), pixel_loop(_pooled_gradient(1))
_unpooled_loop = pixel_loop(_unpooled_gradient)


@njit(nogil=True, cache=True)
def add_pixels(rows, total):  # type: ignore[no-untyped-def]
    """total (F,), in float64, += the sum of the rows (pixels, F)."""
    pixels, F = rows.shape
    _moment_loop(pixels, F, (rows, 0, F), (), (), (total,))


@njit(nogil=True, cache=True)
def moments(rows, mean, squares):  # type: ignore[no-untyped-def]
    """mean = the mean of rows (pixels, F), squares = sum((x - mean)^2); both (F,) in float64."""
    pixels, F = rows.shape
    for f in range(F):
        mean[f], squares[f] = 0, 0
    add_pixels(rows, mean)
    for f in range(F):
        mean[f] /= pixels
    _square_loop(pixels, F, (rows, 0, F), (), (mean,), (squares,))


@njit(nogil=True, cache=True)
def normalise_relu(convolved, norm, out):  # type: ignore[no-untyped-def]
    """out = max(0, normalised), convolved and out (pixels, F)."""
    pixels, F = out.shape
    _relu_loop(pixels, F, (convolved, 0, F), (out, 0, F), (norm.mean, norm.slope, norm.shift), ())


@njit(nogil=True, cache=True)
def normalise_relu_pool(convolved, norm, out, winner):  # type: ignore[no-untyped-def]
    """out = max(0, largest of the window of normalised), and which element that is, for one image.

    convolved (OH, OW, F); out and winner (OH // 2, OW // 2, F). The first of equals wins.
    """
    _, OW, F = convolved.shape
    PH, PW, _ = out.shape
    zero = np.zeros(F, np.uint8)
    for h in range(PH):
        upper, lower, to = 2 * h * OW * F, (2 * h + 1) * OW * F, h * PW * F
        reads = (convolved, upper, 2 * F, convolved, upper + F, 2 * F, convolved, lower, 2 * F)
        _relu_pool_loop(
            PW,
            F,
            (*reads, convolved, lower + F, 2 * F),
            (out, to, F, winner, to, F),
            (zero, norm.mean, norm.slope, norm.shift),
            (),
        )


@njit(nogil=True, cache=True)
def affine_gradients(dout, convolved, norm, sums):  # type: ignore[no-untyped-def]
    """sums[0] = dshift = sum(dnormalised) and sums[1] = dscale = sum(dnormalised x_hat) in float64, sums (2, F).

    dout and convolved (pixels, F).
    """
    pixels, F = dout.shape
    sums[...] = 0
    parameters = (norm.mean, norm.slope, norm.shift)
    _affine_loop(pixels, F, (dout, 0, F, convolved, 0, F), (), parameters, (sums[0], sums[1]))
    for f in range(F):
        sums[1, f] *= norm.inv_std[f]


@njit(nogil=True, cache=True)
def pooled_affine_gradients(dout, out, winner, convolved, norm, sums, from_batch):  # type: ignore[no-untyped-def]
    """As `affine_gradients`, for one image with a pool: only the winners that ReLU let through count.

    dout, out and winner (OH // 2, OW // 2, F), convolved (OH, OW, F). x_hat = (out - shift) / scale is computed from
    out, a quarter as much to read as convolved, unless a |shift| is so large beside its |scale| that digits would be
    lost.

    Without from_batch, an infinite or NaN element of convolved leaves the statistics as they are. Then, as in the
    readable function, it makes dscale NaN, which has the summand 0 x_hat for an element that did not pass.
    """
    OH, OW, F = convolved.shape
    PH, PW, _ = dout.shape
    sums[...] = 0
    if _trusted(norm):
        _affine_of_output_loop(PH * PW, F, (dout, 0, F, out, 0, F), (), (norm.shift,), (sums[0], sums[1]))
        for f in range(F):
            sums[1, f] /= norm.slope[f]
    else:
        for h in range(PH):
            upper, lower, at = 2 * h * OW * F, (2 * h + 1) * OW * F, h * PW * F
            reads = (dout, at, F, winner, at, F, convolved, upper, 2 * F, convolved, upper + F, 2 * F)
            reads_all = (*reads, convolved, lower, 2 * F, convolved, lower + F, 2 * F)
            _pooled_affine_loop(PW, F, reads_all, (), (norm.mean,), (sums[0], sums[1]))
    if not from_batch:
        _nothing_loop(OH * OW, F, (convolved, 0, F), (), (norm.mean,), (sums[1],))
    for f in range(F):
        sums[1, f] *= norm.inv_std[f]


@njit(nogil=True, cache=True)
def _trusted(norm):  # type: ignore[no-untyped-def]
    """Whether x_hat can be computed from the output in every channel."""
    return (np.abs(norm.shift) * norm.inv_std < TRUSTED * np.abs(norm.slope)).all()


@njit(nogil=True, cache=True)
def gradient(dout, convolved, dconvolved, top, bottom, norm, offset, coefficient):  # type: ignore[no-untyped-def]
    """dconvolved[: bottom - top, : OW] = slope dnormalised + offset - coefficient (convolved - mean) for rows
    top .. bottom; dout and convolved (OH, OW, F), dconvolved (., ., F).
    """
    _, OW, F = convolved.shape
    parameters = (norm.mean, norm.slope, norm.shift, offset, coefficient)
    for h in range(top, bottom):
        at, to = h * OW * F, (h - top) * dconvolved.shape[1] * F
        _gradient_loop(OW, F, (dout, at, F, convolved, at, F), (dconvolved, to, F), parameters, ())


@njit(nogil=True, cache=True)
def pooled_gradient(dout, winner, convolved, dconvolved, top, bottom, norm, offset, coefficient):  # type: ignore[no-untyped-def]
    """As `gradient`, for an image with a pool; dout and winner (OH // 2, OW // 2, F).

    A last row or column of convolved that belongs to no window has no dnormalised.
    """
    _, OW, F = convolved.shape
    PH, PW, _ = dout.shape
    parameters = (norm.mean, norm.slope, offset, coefficient)
    for h in range(top, bottom):
        windows, at = PW if h // 2 < PH else 0, h // 2 * PW * F
        row, to = h * OW * F, (h - top) * dconvolved.shape[1] * F
        reads = (dout, at, F, winner, at, F, convolved, row, 2 * F, convolved, row + F, 2 * F)
        both = (dconvolved, to, 2 * F, dconvolved, to + F, 2 * F)
        if h % 2 == 0:
            _upper_loop(windows, F, reads, both, parameters, ())
        else:
            _lower_loop(windows, F, reads, both, parameters, ())
        rest, to_rest = (convolved, row + 2 * windows * F, F), (dconvolved, to + 2 * windows * F, F)
        _unpooled_loop(OW - 2 * windows, F, rest, to_rest, (norm.mean, offset, coefficient), ())
