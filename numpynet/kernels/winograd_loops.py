"""The loops of winograd.py: from pixels to points and back.

The names and shapes are those of winograd.py. A point's row of an array (points, .) is a matrix (tiles, channels).
`size` is the number of outputs along a side of a tile: 4 with 36 points, 3 with 25.
"""

from typing import Any

from numpynet.kernels import winograd_rules as rules
from numpynet.kernels.code_cache import njit, njit_inner
from numpynet.kernels.pixels import add_piece, cut, paste
from numpynet.kernels.strip_work import put_gradient
from numpynet.kernels.vector_loops import grid_loop
from numpynet.kernels.winograd_rules import TAPS


def _each_tile(four: Any, three: Any, overlap: int, to_points: bool) -> Any:
    """A function for compiled loops: a grid loop for each tile of a strip, `four` or `three` by the size of the tiles.

    loop(pixels, points, t): pixels (rows, columns, channels), of which neighbouring tiles share `overlap` rows or
    columns; points (points, .), from tile t on. It returns the next t. to_points: from the pixels to the points;
    otherwise back.
    """

    def loop(pixels, points, t):  # type: ignore[no-untyped-def]
        rows, columns, C = pixels.shape
        row, point, size = columns * C, points.shape[1], size_of(len(points))
        line = (size + TAPS - 1) * point
        for i in range(0, rows - overlap, size):
            for j in range(0, columns - overlap, size):
                at = i * row + j * C
                if to_points and size == 4:
                    four(pixels, at, row, C, points, t * C, line, point, C, 1)
                elif to_points:
                    three(pixels, at, row, C, points, t * C, line, point, C, 1)
                elif size == 4:
                    four(points, t * C, line, point, pixels, at, row, C, C, 1)
                else:
                    three(points, t * C, line, point, pixels, at, row, C, C, 1)
                t += 1
        return t

    return njit_inner(loop, f"{__name__}.loop")


_points_of_input = _each_tile(
    grid_loop(rules.points_of_input, 6), grid_loop(rules.points_of_input_3, 5), overlap=TAPS - 1, to_points=True
)
_dpixels_of_points = _each_tile(
    grid_loop(rules.dinput_of_points, 6, accumulate=True), grid_loop(rules.dinput_of_points_3, 5, accumulate=True),
    overlap=TAPS - 1, to_points=False,
)  # fmt: skip
_outputs_of_points = _each_tile(
    grid_loop(rules.output_of_points, 6), grid_loop(rules.output_of_points_3, 5), overlap=0, to_points=False
)
_points_of_dout = _each_tile(
    grid_loop(rules.points_of_dout, 4), grid_loop(rules.points_of_dout_3, 3), overlap=0, to_points=True
)
_filter_4 = grid_loop(rules.points_of_filter, TAPS, apart="source")
_filter_3 = grid_loop(rules.points_of_filter_3, TAPS, apart="source")
_dfilter_4 = grid_loop(rules.dfilter_of_points, 6, apart="target")
_dfilter_3 = grid_loop(rules.dfilter_of_points_3, 5, apart="target")


@njit(nogil=True, cache=True)
def filter_points(weight, U, begin, end, apart, step):  # type: ignore[no-untyped-def]
    """The rows begin .. end of the matrices U (points, rows, columns), of weight (F, C, 3, 3).

    Row r's filter in column 0 begins at number r apart of weight; the next columns' follow at distances of step. So
    U is (points, C, F) with apart = 9 and step = 9 C, and (points, F, C) with apart = 9 C and step = 9.
    """
    points, rows, columns = U.shape
    size = size_of(points)
    for r in range(begin, end):
        if size == 4:
            _filter_4(weight, r * apart, TAPS, 1, U, r * columns, 6 * rows * columns, rows * columns, columns, step)
        else:
            _filter_3(weight, r * apart, TAPS, 1, U, r * columns, 5 * rows * columns, rows * columns, columns, step)


@njit(nogil=True, cache=True)
def dfilters(dU, dweight, begin, end):  # type: ignore[no-untyped-def]
    """dweight (F, C, 3, 3), channels begin .. end, from the sum of the groups of dU (groups, points, C, F).

    It changes dU.
    """
    F, C = dweight.shape[:2]
    total = dU[0]
    for group in range(1, len(dU)):
        for p in range(len(total)):
            row, other = total[p, begin:end].reshape(-1), dU[group, p, begin:end].reshape(-1)
            for k in range(row.size):
                row[k] += other[k]
    size = size_of(len(total))
    for c in range(begin, end):
        if size == 4:
            _dfilter_4(total, c * F, 6 * C * F, C * F, dweight, 9 * c, TAPS, 1, F, 9 * C)
        else:
            _dfilter_3(total, c * F, 5 * C * F, C * F, dweight, 9 * c, TAPS, 1, F, 9 * C)


@njit(nogil=True, cache=True)
def input_points(x, strip, pixels, V, g):  # type: ignore[no-untyped-def]
    """V of a strip; returns its number of tiles. pixels is working memory."""
    first, last, top, bottom = strip[0], strip[1], strip[2], strip[3]
    seen, t = pixels[: _in_tiles(bottom - top, size_of(len(V))) + TAPS - 1], 0
    for n in range(first, last):
        cut(x[n], top - g.PH, -g.PW, seen)
        t = _points_of_input(seen, V, t)
    return t


@njit(nogil=True, cache=True)
def outputs(M, strip, tiles, out, g):  # type: ignore[no-untyped-def]
    """The strip of out (N, OH, OW, F), from M; tiles is working memory."""
    first, last, top, bottom = strip[0], strip[1], strip[2], strip[3]
    high, t = _in_tiles(bottom - top, size_of(len(M))), 0
    for n in range(first, last):
        if high == bottom - top and tiles.shape[1] == g.OW:
            t = _outputs_of_points(out[n, top:bottom], M, t)
        else:
            t = _outputs_of_points(tiles[:high], M, t)
            paste(tiles[: bottom - top], out[n], top)


@njit(nogil=True, cache=True)
def strip_points(x, strip, pixels, tiles, V, D, t, before, g):  # type: ignore[no-untyped-def]
    """V and D of a strip, from tile t on; returns the next t."""
    first, last, top, bottom = strip[0], strip[1], strip[2], strip[3]
    size = size_of(len(V))
    high = _in_tiles(bottom - top, size)
    seen, outputs = pixels[: high + TAPS - 1], tiles[:high]
    outputs[bottom - top :] = 0
    outputs[:, g.OW :] = 0
    for n in range(first, last):
        cut(x[n], top - g.PH, -g.PW, seen)
        put_gradient(before, n, top, bottom, outputs)
        _points_of_dout(outputs, D, t)
        t = _points_of_input(seen, V, t)
    return t


@njit(nogil=True, cache=True)
def strip_pixels(V, t, strip, pixels, dx, g):  # type: ignore[no-untyped-def]
    """Write the strip's part of dx, from tile t of V on, or add it below an image's first strip."""
    first, last, top, bottom = strip[0], strip[1], strip[2], strip[3]
    piece = pixels[: _in_tiles(bottom - top, size_of(len(V))) + TAPS - 1]
    for n in range(first, last):
        piece[:] = 0
        t = _dpixels_of_points(piece, V, t)
        add_piece(piece, dx[n], top - g.PH, -g.PW, top == 0)


@njit(nogil=True, cache=True)
def size_of(points):  # type: ignore[no-untyped-def]
    """The size of the tiles that have so many points."""
    return 4 if points == 36 else 3


@njit(nogil=True, cache=True)
def _in_tiles(rows, size):  # type: ignore[no-untyped-def]
    """The rows of the tiles that cover so many rows."""
    return size * -(-rows // size)
