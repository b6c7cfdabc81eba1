"""3 x 3 convolution with stride 1 by Winograd's rules: a quarter of the products (winograd_rules.py).

The output is made of 4 x 4 tiles, each from 6 x 6 pixels. For each of the 36 points, all tiles and channels are one
product of matrices. (Tiles of 3 x 3 have 5 x 5 pixels and 25 points.) With t for a tile, and p for a point::

    V[p, t, c]   the pixels' points          D[p, t, f]   the points of the outputs' gradient
    U[p, c, f]   the filters' points         M[p, t, f] = V[p] U[p]

    dU[p] = V[p]^T D[p]                      dV[p] = D[p] U[p]^T, stored over V

A pixel that is not finite spoils all outputs of its tile, since it goes into every point.

A chunk is a number of strips whose V and D exist at the same time. If dU is small, each group of images is one task
that takes one strip after the other, in the processor's second-level cache, and sums a dU of its own. If dU is large,
there is one group, whose chunks are as large as is reasonable, and the threads share the points of each chunk.
"""

import numpy as np
from numpy.typing import NDArray

from numpynet.kernels import winograd_loops as loops
from numpynet.kernels.buffers import empty
from numpynet.kernels.lanes import VECTOR_BYTES
from numpynet.kernels.strip_work import After, Before, finish
from numpynet.kernels.tile_product import products
from numpynet.kernels.windows import Geometry
from numpynet.kernels.winograd_rules import TAPS
from numpynet.typing import Array, Pair
from numpynet.workers import run, run_ranges

STRIP_BYTES = 1 << 20
"""Bytes that V and M of a strip may take."""

CHUNK_BYTES = 1 << 22
"""Bytes that V and D of a chunk may take if the threads share its points."""

SMALL = 1 << 19
"""Bytes of a dU that a group of images may have for itself."""

GROUPS = 16
"""Groups of images, at most, that have a dU of their own; and ranges of strips that are one task."""

LEAST_STRIPS = 8
"""So that every thread has work, no strip has more than this part of the batch's images, rounded up."""


Strips = NDArray[np.int64]
"""(strips, 4): the images and the rows of the output, first, last, top, bottom, ends excluded. A strip has either all
rows, or one image only."""


def tile_size(g: Geometry) -> int:
    """Outputs along a side of a tile: 4 or 3, whichever needs fewer products for an image."""

    def needed(size: int) -> int:
        return -(-g.OH // size) * -(-g.OW // size) * (size + TAPS - 1) ** 2

    return 4 if needed(4) <= needed(3) else 3


def _points(g: Geometry) -> int:
    """Points per tile."""
    return (tile_size(g) + TAPS - 1) ** 2


def strips_of(g: Geometry, N: int, F: int, itemsize: int) -> Strips:
    """The strips of N images, in their order: as large as allowed, but at least one row of tiles."""
    size = tile_size(g)
    tiles = STRIP_BYTES // (_points(g) * (g.C + F) * itemsize)
    down, across = -(-g.OH // size), -(-g.OW // size)
    images = max(1, min(tiles // (down * across), -(-N // LEAST_STRIPS)))
    rows = size * max(1, tiles // across)  # all, or more, if several images fit
    found = [
        (n, min(N, n + images), top, min(g.OH, top + rows)) for n in range(0, N, images) for top in range(0, g.OH, rows)
    ]
    return np.array(found, np.int64)


def convolve(x: Array, weight: Array, g: Geometry, after: After) -> Array:
    """The convolution (N, OH, OW, F) of x (N, H, W, C), contiguous, with weight (F, C, 3, 3).

    after: what is done with each strip.
    """
    F = len(weight)
    U = empty((_points(g), g.C, F), x.dtype)
    weight = np.ascontiguousarray(weight)
    run_ranges(lambda begin, end: loops.filter_points(weight, U, begin, end, 9, 9 * g.C), g.C, _blocks(weight))
    out = empty((len(x), g.OH, g.OW, F), x.dtype)
    strips = strips_of(g, len(x), F, x.dtype.itemsize)

    def make(begin: int, end: int) -> None:
        pixels, tiles, V, M = _working_memory(strips[begin:end], g, F, x.dtype)
        for number in range(begin, end):
            strip = strips[number]
            T = loops.input_points(x, strip, pixels, V, g)
            _products(0, len(U), V, (g.C, 1), U, F, M, F, T, F, g.C, False)
            loops.outputs(M, strip, tiles, out, g)
            first, last, top, bottom = strip
            finish(after, number, out[first:last, top:bottom].reshape(-1, F))

    run_ranges(make, len(strips), GROUPS)
    return out


def gradients(
    x: Array, weight: Array, g: Geometry, before: Before, input_gradient: bool = True
) -> tuple[Array | None, Array]:
    """dx (N, H, W, C), or None without `input_gradient`, and dweight (F, C, 3, 3); x and weight as for `convolve`.

    before: from what the gradient of the output is made.
    """
    N, F, points = len(x), len(weight), _points(g)
    weight = np.ascontiguousarray(weight)
    U = empty((points, F, g.C) if input_gradient else (points, 0, 0), x.dtype)
    if input_gradient:
        run_ranges(lambda begin, end: loops.filter_points(weight, U, begin, end, 9 * g.C, 9), F, _blocks(weight))
    dx = empty((N, g.H, g.W, g.C) if input_gradient else (0, 0, 0, 0), x.dtype)
    own = points * F * g.C * x.dtype.itemsize <= SMALL
    groups = min(N, GROUPS) if own else 1
    dU = empty((groups, points, g.C, F), x.dtype)
    if own:

        def group(k: int) -> None:
            first, last = N * k // groups, N * (k + 1) // groups
            strips = strips_of(g, last - first, F, x.dtype.itemsize)
            strips[:, :2] += first
            pixels, tiles, V, D = _working_memory(strips, g, F, x.dtype)
            for i, strip in enumerate(strips):
                T = loops.strip_points(x, strip, pixels, tiles, V, D, 0, before, g)
                _gradients_of_products(0, points, V, D, U, dU[k], T, i > 0, input_gradient)
                if input_gradient:
                    loops.strip_pixels(V, 0, strip, pixels, dx, g)

        run(group, groups)
    else:
        for i, chunk in enumerate(_chunks(g, N, F, x.dtype.itemsize)):
            _chunk_gradients(x, U, chunk, before, dU[0], i > 0, dx, input_gradient, g)
    dweight = np.empty_like(weight)
    run_ranges(lambda begin, end: loops.dfilters(dU, dweight, begin, end), g.C, _blocks(weight))
    return dx if input_gradient else None, dweight


def _chunk_gradients(
    x: Array,
    U: Array,
    chunk: Strips,
    before: Before,
    dU: Array,
    accumulate: bool,
    dx: Array,
    with_dx: bool,
    g: Geometry,
) -> None:
    """Add the chunk's part to dU (points, C, F), or set it, and write its images' dx."""
    F = dU.shape[2]
    begins = np.cumsum([0, *_tiles(chunk, g)])
    T = int(begins[-1])
    V, D = _points_array(g, T, g.C, x.dtype), _points_array(g, T, F, x.dtype)

    def points(k: int) -> None:
        pixels, tiles = _pieces(chunk[k : k + 1], g, F, x.dtype)
        loops.strip_points(x, chunk[k], pixels, tiles, V, D, int(begins[k]), before, g)

    def pixels(k: int) -> None:
        piece, _ = _pieces(chunk[k : k + 1], g, F, x.dtype)
        loops.strip_pixels(V, int(begins[k]), chunk[k], piece, dx, g)

    run(points, len(chunk))
    run_ranges(lambda b, e: _gradients_of_products(b, e, V, D, U, dU, T, accumulate, with_dx), len(dU), 12)
    if with_dx:
        run(pixels, len(chunk))


def _gradients_of_products(
    begin: int, end: int, V: Array, D: Array, U: Array, dU: Array, T: int, accumulate: bool, with_dV: bool
) -> None:
    """dU[p] = V[p]^T D[p], or +=, and then V[p] = D[p] U[p], for the points begin .. end.

    dU (points, C, F), U (points, F, C); T tiles.
    """
    _, C, F = dU.shape
    _products(begin, end, V, (1, C), D, F, dU, F, C, F, T, accumulate)
    if with_dV:
        _products(begin, end, D, (F, 1), U, C, V, C, T, C, F, False)


def _products(
    begin: int, end: int, a: Array, a_strides: Pair, b: Array, b_row: int, c: Array, c_row: int,
    rows: int, columns: int, inner: int, accumulate: bool,
) -> None:  # fmt: skip
    """c[p] = a[p] b[p], or +=, for the points begin .. end: (rows, columns) = (rows, inner) @ (inner, columns).

    a_strides: from row to row of a[p], and from column to column; b_row, c_row: from row to row.
    """
    steps = a[0].size, b[0].size, c[0].size
    products(
        end - begin,
        a.reshape(-1), begin * steps[0], steps[0], a_strides[0], 0, a_strides[1],
        b.reshape(-1), begin * steps[1], steps[1], 0, b_row,
        c.reshape(-1), begin * steps[2], steps[2], c_row,
        rows, columns, 1, inner, accumulate,
    )  # fmt: skip


def _chunks(g: Geometry, N: int, F: int, itemsize: int) -> list[Strips]:
    """Strips of whole images in chunks, as many as CHUNK_BYTES allows."""
    strips = strips_of(g, N, F, itemsize)
    whole = strips[strips[:, 2] == 0]
    whole[:, 3] = g.OH
    most = CHUNK_BYTES // (_points(g) * (g.C + F) * itemsize)
    begins, tiles = [], 0
    for i, count in enumerate(_tiles(whole, g)):
        if tiles and tiles + count > most:
            begins.append(i)
            tiles = 0
        tiles += count
    return np.split(whole, begins)


def _tiles(strips: Strips, g: Geometry) -> list[int]:
    """The number of tiles of each strip."""
    first, last, top, bottom = strips.T
    size = tile_size(g)
    return ((last - first) * -(-(bottom - top) // size) * -(-g.OW // size)).tolist()


def _blocks(weight: Array) -> int:
    """In how many tasks the points of filters are computed."""
    return min(8, -(-weight.size // 8192))


def _working_memory(strips: Strips, g: Geometry, F: int, dtype: np.dtype) -> tuple[Array, Array, Array, Array]:
    """For the largest of the strips: pixels, tiles, V, and M or D."""
    T = max(_tiles(strips, g))
    return *_pieces(strips, g, F, dtype), _points_array(g, T, g.C, dtype), _points_array(g, T, F, dtype)


def _pieces(strips: Strips, g: Geometry, F: int, dtype: np.dtype) -> tuple[Array, Array]:
    """For one image of the largest of the strips, in whole tiles: the pixels that are seen, and the outputs."""
    size = tile_size(g)
    rows, columns = size * -(-int((strips[:, 3] - strips[:, 2]).max()) // size), size * -(-g.OW // size)
    return empty((rows + TAPS - 1, columns + TAPS - 1, g.C), dtype), empty((rows, columns, F), dtype)


def _points_array(g: Geometry, T: int, C: int, dtype: np.dtype) -> Array:
    """For T tiles and C channels: (points, .), the rows a little longer than T C numbers.

    If all rows began at the same place of a 4096-byte page, the first-level cache could not hold a line of each.
    """
    itemsize = dtype.itemsize
    size = -(-T * C * itemsize // 4096) * 4096 + VECTOR_BYTES
    return empty((_points(g), size // itemsize), dtype)
