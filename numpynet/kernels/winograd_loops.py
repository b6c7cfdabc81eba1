"""The loops of winograd.py: from pixels to points and back, and the products of the points.

The names and shapes are those of winograd.py. A point's row of an array (36, .) is a matrix (tiles, channels).
"""

from numpynet.kernels.code_cache import njit
from numpynet.kernels.pixels import add_piece, cut, paste
from numpynet.kernels.strip_work import finish, put_gradient
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
_filter = grid_loop(points_of_filter, TAPS, apart="source")
_dfilter = grid_loop(dfilter_of_points, POINTS, apart="target")


@njit(nogil=True, cache=True)
def filter_points(weight, U, begin, end):  # type: ignore[no-untyped-def]
    """U (36, C, F) of weight (F, C, 3, 3), channels begin .. end."""
    F, C = weight.shape[:2]
    for c in range(begin, end):
        _filter(weight, 9 * c, TAPS, 1, U, c * F, POINTS * C * F, C * F, F, 9 * C)


@njit(nogil=True, cache=True)
def transposed_filter_points(weight, U, begin, end):  # type: ignore[no-untyped-def]
    """U (36, F, C) of weight (F, C, 3, 3), filters begin .. end."""
    F, C = weight.shape[:2]
    for f in range(begin, end):
        _filter(weight, 9 * C * f, TAPS, 1, U, f * C, POINTS * F * C, F * C, C, 9)


@njit(nogil=True, cache=True)
def dfilters(dU, dweight, begin, end):  # type: ignore[no-untyped-def]
    """dweight (F, C, 3, 3), channels begin .. end, from the sum of the groups of dU (groups, 36, C, F). It changes dU."""
    F, C = dweight.shape[:2]
    total = dU[0]
    for group in range(1, len(dU)):
        for p in range(len(total)):
            row, other = total[p, begin:end].reshape(-1), dU[group, p, begin:end].reshape(-1)
            for k in range(row.size):
                row[k] += other[k]
    for c in range(begin, end):
        _dfilter(total, c * F, POINTS * C * F, C * F, dweight, 9 * c, TAPS, 1, F, 9 * C)


@njit(nogil=True, cache=True)
def convolve_strips(x, U, out, strips, begin, end, pixels, tiles, V, M, after, g):  # type: ignore[no-untyped-def]
    """The strips begin .. end of out; pixels, tiles, V and M are working memory."""
    _, C, F = U.shape
    all_rows = out.reshape(-1, F)
    for number in range(begin, end):
        first, last, top, bottom = strips[number, 0], strips[number, 1], strips[number, 2], strips[number, 3]
        high = _in_tiles(bottom - top)
        seen, t = pixels[: high + TAPS - 1], 0
        for n in range(first, last):
            cut(x[n], top - g.PH, -g.PW, seen)
            t = _input_points(seen, V, t)
        for p in range(len(U)):
            product(V, p * V.shape[1], C, 0, 1, U, p * C * F, 0, F, M, p * M.shape[1], F, t, F, 1, C, False)
        t = 0
        for n in range(first, last):
            if high == bottom - top and tiles.shape[1] == g.OW:
                t = _outputs(M, out[n, top:bottom], t)
            else:
                t = _outputs(M, tiles[:high], t)
                paste(tiles[: bottom - top], out[n], top)
        row = (first * g.OH + top) * g.OW
        finish(after, number, all_rows[row : row + (last - first) * (bottom - top) * g.OW])


@njit(nogil=True, cache=True)
def strip_gradients(x, U, strips, pixels, tiles, V, D, before, dU, dx, with_dx, g):  # type: ignore[no-untyped-def]
    """dU (36, C, F) of all these strips, and the dx of their images; pixels, tiles, V and D are working memory."""
    for i in range(len(strips)):
        T = strip_points(x, strips[i], pixels, tiles, V, D, 0, before, g)
        point_products(V, D, U, dU, T, 0, len(V), i > 0, with_dx)
        if with_dx:
            strip_pixels(V, 0, strips[i], pixels, dx, g)


@njit(nogil=True, cache=True)
def strip_points(x, strip, pixels, tiles, V, D, t, before, g):  # type: ignore[no-untyped-def]
    """V and D of a strip, from tile t on; returns the next t."""
    first, last, top, bottom = strip[0], strip[1], strip[2], strip[3]
    high = _in_tiles(bottom - top)
    seen, outputs = pixels[: high + TAPS - 1], tiles[:high]
    outputs[bottom - top :] = 0
    outputs[:, g.OW :] = 0
    for n in range(first, last):
        cut(x[n], top - g.PH, -g.PW, seen)
        put_gradient(before, n, top, bottom, outputs)
        _dout_points(outputs, D, t)
        t = _input_points(seen, V, t)
    return t


@njit(nogil=True, cache=True)
def point_products(V, D, U, dU, T, begin, end, accumulate, with_dV):  # type: ignore[no-untyped-def]
    """dU[p] = V[p]^T D[p], or +=, and then V[p] = D[p] U[p], for the points begin .. end; dU (36, C, F), U (36, F, C).

    If one of T, C, F is the inner dimension of a product, the others are those of its result.
    """
    _, C, F = dU.shape
    for p in range(begin, end):
        v, d = p * V.shape[1], p * D.shape[1]
        product(V, v, 1, 0, C, D, d, 0, F, dU, p * C * F, F, C, F, 1, T, accumulate)
        if with_dV:
            product(D, d, F, 0, 1, U, p * F * C, 0, C, V, v, C, T, C, 1, F, False)


@njit(nogil=True, cache=True)
def strip_pixels(V, t, strip, pixels, dx, g):  # type: ignore[no-untyped-def]
    """Write the strip's part of dx, from tile t of V on, or add it below an image's first strip."""
    first, last, top, bottom = strip[0], strip[1], strip[2], strip[3]
    piece = pixels[: _in_tiles(bottom - top) + TAPS - 1]
    for n in range(first, last):
        t = _dpixels(V, piece, t)
        add_piece(piece, dx[n], top - g.PH, -g.PW, top == 0)


@njit(nogil=True, cache=True)
def _in_tiles(rows):  # type: ignore[no-untyped-def]
    """The rows of the tiles that cover so many rows."""
    return OUTPUTS * -(-rows // OUTPUTS)


@njit(nogil=True, cache=True)
def _dout_points(tiles, D, t):  # type: ignore[no-untyped-def]
    """D of the tiles (., ., F), which hold dout, from tile t on."""
    rows, columns, F = tiles.shape
    point = D.shape[1]
    for i in range(0, rows, OUTPUTS):
        for j in range(0, columns, OUTPUTS):
            _dout(tiles, (i * columns + j) * F, columns * F, F, D, t * F, POINTS * point, point, F, 1)
            t += 1


@njit(nogil=True, cache=True)
def _dpixels(V, pixels, t):  # type: ignore[no-untyped-def]
    """pixels (., ., C) = the transposed `points_of_input` of V's tiles, from tile t on; returns the next t."""
    rows, columns, C = pixels.shape
    point, flat = V.shape[1], pixels.reshape(-1)
    for k in range(flat.size):
        flat[k] = 0
    for i in range(0, rows - TAPS + 1, OUTPUTS):
        for j in range(0, columns - TAPS + 1, OUTPUTS):
            _dinput(V, t * C, POINTS * point, point, pixels, (i * columns + j) * C, columns * C, C, C, 1)
            t += 1
    return t


@njit(nogil=True, cache=True)
def _input_points(pixels, V, t):  # type: ignore[no-untyped-def]
    """V of the tiles of pixels (., ., C), from tile t on; returns the next t."""
    rows, columns, C = pixels.shape
    point = V.shape[1]
    for i in range(0, rows - TAPS + 1, OUTPUTS):
        for j in range(0, columns - TAPS + 1, OUTPUTS):
            _input(pixels, (i * columns + j) * C, columns * C, C, V, t * C, POINTS * point, point, C, 1)
            t += 1
    return t


@njit(nogil=True, cache=True)
def _outputs(M, tiles, t):  # type: ignore[no-untyped-def]
    """tiles (., ., F) from M, from tile t on; returns the next t."""
    rows, columns, F = tiles.shape
    point = M.shape[1]
    for i in range(0, rows, OUTPUTS):
        for j in range(0, columns, OUTPUTS):
            _output(M, t * F, POINTS * point, point, tiles, (i * columns + j) * F, columns * F, F, F, 1)
            t += 1
    return t
