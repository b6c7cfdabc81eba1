"""The loops of winograd.py: from pixels to points and back, and the products of the points.

The names and shapes are those of winograd.py. A point's row of an array (36, .) is a matrix (tiles, channels).
"""

from numpynet.kernels.code_cache import njit
from numpynet.kernels.pixels import cut, paste
from numpynet.kernels.tile_product import product
from numpynet.kernels.vector_loops import grid_loop
from numpynet.kernels.winograd_rules import (
    OUTPUTS,
    POINTS,
    TAPS,
    dfilter_of_points,
    dinput_of_points,
    output_of_points,
    points_of_dout,
    points_of_filter,
    points_of_input,
)

_input, _dinput = grid_loop(points_of_input, POINTS), grid_loop(dinput_of_points, POINTS, accumulate=True)
_output, _dout = grid_loop(output_of_points, POINTS), grid_loop(points_of_dout, OUTPUTS)
_filter, _dfilter = grid_loop(points_of_filter, TAPS), grid_loop(dfilter_of_points, POINTS)


@njit(nogil=True, cache=True)
def filter_points(filters, points, begin, end):  # type: ignore[no-untyped-def]
    """points (36, .) of filters (9, .), columns begin .. end."""
    size = filters.shape[1]
    _filter(filters, begin, TAPS * size, size, points, begin, POINTS * size, size, end - begin)


@njit(nogil=True, cache=True)
def dfilters(points, filters, begin, end):  # type: ignore[no-untyped-def]
    """filters (9, .) from the sum of the groups of points (groups, 36, .), columns begin .. end; it changes points."""
    size, total = filters.shape[1], points[0]
    for group in range(1, len(points)):
        for p in range(len(total)):
            row, other = total[p, begin:end], points[group, p, begin:end]
            for k in range(row.size):
                row[k] += other[k]
    _dfilter(total, begin, POINTS * size, size, filters, begin, TAPS * size, size, end - begin)


@njit(nogil=True, cache=True)
def convolve_strip(x, U, out, pixels, tiles, V, M, strip, g):  # type: ignore[no-untyped-def]
    """The strip of out; pixels, tiles, V and M are its working memory."""
    F, t = U.shape[2], 0
    for n in range(strip.first, strip.last):
        cut(x[n], strip.top - g.PH, -g.PW, pixels)
        t = _input_points(pixels, V, t)
    for p in range(len(U)):
        product(V, p * V.shape[1], g.C, 0, 1, U, p * g.C * F, 0, F, M, p * M.shape[1], F, t, F, 1, g.C, False)
    t, rows = 0, strip.bottom - strip.top
    for n in range(strip.first, strip.last):
        if tiles.shape[0] == rows and tiles.shape[1] == g.OW:
            t = _outputs(M, out[n, strip.top : strip.bottom], t)
        else:
            t = _outputs(M, tiles, t)
            paste(tiles[:rows], out[n], strip.top)


@njit(nogil=True, cache=True)
def points_of(pixels, tiles, V, D, t):  # type: ignore[no-untyped-def]
    """V of the pixels and D of the tiles, which hold dout, from tile t on; returns the next t."""
    rows, columns, F = tiles.shape
    point, first = D.shape[1], t
    for i in range(0, rows, OUTPUTS):
        for j in range(0, columns, OUTPUTS):
            _dout(tiles, (i * columns + j) * F, columns * F, F, D, t * F, POINTS * point, point, F)
            t += 1
    return _input_points(pixels, V, first)


@njit(nogil=True, cache=True)
def point_products(V, D, U, dU, T, begin, end, accumulate, with_dV):  # type: ignore[no-untyped-def]
    """dU[p] = V[p]^T D[p], or +=, and then V[p] = D[p] U[p], for the points begin .. end; U is (36, F, C)."""
    _, F, C = U.shape
    for p in range(begin, end):
        v, d = p * V.shape[1], p * D.shape[1]
        product(V, v, 1, 0, C, D, d, 0, F, dU, p * C * F, F, C, F, 1, T, accumulate)
        if with_dV:
            product(D, d, F, 0, 1, U, p * F * C, 0, C, V, v, C, T, C, 1, F, False)


@njit(nogil=True, cache=True)
def dpixels_of(V, pixels, t):  # type: ignore[no-untyped-def]
    """pixels (., ., C) = the transposed `points_of_input` of V's tiles, from tile t on; returns the next t."""
    rows, columns, C = pixels.shape
    point, flat = V.shape[1], pixels.reshape(-1)
    for k in range(flat.size):
        flat[k] = 0
    for i in range(0, rows - TAPS + 1, OUTPUTS):
        for j in range(0, columns - TAPS + 1, OUTPUTS):
            _dinput(V, t * C, POINTS * point, point, pixels, (i * columns + j) * C, columns * C, C, C)
            t += 1
    return t


@njit(nogil=True, cache=True)
def _input_points(pixels, V, t):  # type: ignore[no-untyped-def]
    """V of the tiles of pixels (., ., C), from tile t on; returns the next t."""
    rows, columns, C = pixels.shape
    point = V.shape[1]
    for i in range(0, rows - TAPS + 1, OUTPUTS):
        for j in range(0, columns - TAPS + 1, OUTPUTS):
            _input(pixels, (i * columns + j) * C, columns * C, C, V, t * C, POINTS * point, point, C)
            t += 1
    return t


@njit(nogil=True, cache=True)
def _outputs(M, tiles, t):  # type: ignore[no-untyped-def]
    """tiles (., ., F) from M, from tile t on; returns the next t."""
    rows, columns, F = tiles.shape
    point = M.shape[1]
    for i in range(0, rows, OUTPUTS):
        for j in range(0, columns, OUTPUTS):
            _output(M, t * F, POINTS * point, point, tiles, (i * columns + j) * F, columns * F, F, F)
            t += 1
    return t
