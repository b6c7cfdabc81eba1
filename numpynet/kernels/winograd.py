"""3 x 3 convolution with stride 1 by Winograd's rules: a quarter of the products (winograd_rules.py).

The output is made of 4 x 4 tiles, each from 6 x 6 pixels. For each of the 36 points, all tiles and channels are one
product of matrices. With t for a tile, and p for a point::

    V[p, t, c]   the pixels' points          D[p, t, f]   the points of the outputs' gradient
    U[p, c, f]   the filters' points         M[p, t, f] = V[p] U[p]

    dU[p] = V[p]^T D[p]                      dV[p] = D[p] U[p]^T, stored over V

A chunk is a number of strips whose V and D exist at the same time. If dU is small, each group of images is one task
that takes one strip after the other, in the processor's second-level cache, and sums a dU of its own. If dU is large,
there is one group, whose chunks are as large as is reasonable, and the threads share the points of each chunk.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from numpynet.kernels import winograd_loops as loops
from numpynet.kernels.buffers import empty
from numpynet.kernels.lanes import VECTOR_BYTES
from numpynet.kernels.pixels import add_piece, cut
from numpynet.kernels.windows import Geometry
from numpynet.kernels.winograd_rules import OUTPUTS, POINTS, TAPS
from numpynet.typing import Array
from numpynet.workers import run

ALL_POINTS = POINTS * POINTS

STRIP_BYTES = 1 << 20
"""Bytes that V and M of a strip may take."""

CHUNK_BYTES = 1 << 24
"""Bytes that V and D of a chunk may take if the threads share its points."""

SMALL = 1 << 19
"""Bytes of a dU that a group of images may have for itself."""

GROUPS = 16
"""Groups of images, at most, that have a dU of their own."""

LEAST_STRIPS = 8
"""The batch is cut into at least this many strips, if it has as many images, so that every thread has work."""


class Strip(NamedTuple):
    """The output rows top .. bottom of the images first .. last, ends excluded: all rows, or one image only."""

    first: int
    last: int
    top: int
    bottom: int

    def tiles(self, g: Geometry) -> int:
        """Its tiles."""
        return (self.last - self.first) * -(-(self.bottom - self.top) // OUTPUTS) * -(-g.OW // OUTPUTS)


def strips_of(g: Geometry, N: int, F: int, itemsize: int) -> list[Strip]:
    """The strips of N images, in their order: as large as allowed, but at least one row of tiles."""
    tiles = max(1, STRIP_BYTES // (ALL_POINTS * (g.C + F) * itemsize))
    down, across = -(-g.OH // OUTPUTS), -(-g.OW // OUTPUTS)
    images = max(1, min(tiles // (down * across), -(-N // LEAST_STRIPS)))
    rows = g.OH if images > 1 or tiles >= down * across else OUTPUTS * max(1, tiles // across)
    return [
        Strip(n, min(N, n + images), top, min(g.OH, top + rows))
        for n in range(0, N, images)
        for top in range(0, g.OH, rows)
    ]


def filter_points(filters: Array) -> Array:
    """filters (3, 3, ., .) -> (36, ., .)."""
    filters = np.ascontiguousarray(filters)
    points = empty((ALL_POINTS, *filters.shape[2:]), filters.dtype)
    flat, out = filters.reshape(TAPS * TAPS, -1), points.reshape(ALL_POINTS, -1)
    blocks = min(8, -(-flat.shape[1] // 1024))
    run(lambda k: loops.filter_points(flat, out, *_part(flat.shape[1], blocks, k)), blocks)
    return points


def convolve(x: Array, weight: Array, g: Geometry, finish: Callable[[int, Array], None]) -> Array:
    """The convolution (N, OH, OW, F) of x (N, H, W, C), contiguous, with weight (F, C, 3, 3).

    finish(n, rows) is called with each strip's output (., F), a view that it may change, while it is in the cache;
    n is the strip's number.
    """
    N, F = len(x), len(weight)
    U = filter_points(weight.transpose(2, 3, 1, 0))  # (36, C, F)
    out = empty((N, g.OH, g.OW, F), x.dtype)
    strips = strips_of(g, N, F, x.dtype.itemsize)

    def make(i: int) -> None:
        strip = strips[i]
        V, M = _points_array(strip.tiles(g), g.C, x.dtype), _points_array(strip.tiles(g), F, x.dtype)
        pixels = empty(_padded(strip.bottom - strip.top, g.OW, g.C), x.dtype)
        tiles = empty(_tiled(strip.bottom - strip.top, g.OW, F), x.dtype)
        loops.convolve_strip(x, U, out, pixels, tiles, V, M, strip, g)
        finish(i, out[strip.first : strip.last, strip.top : strip.bottom].reshape(-1, F))

    run(make, len(strips))
    return out


def gradients(
    x: Array,
    weight: Array,
    g: Geometry,
    put_dout: Callable[[int, int, int, Array], None],
    input_gradient: bool = True,
) -> tuple[Array | None, Array]:
    """dx (N, H, W, C), or None without `input_gradient`, and dweight (F, C, 3, 3); x and weight as for `convolve`.

    put_dout(n, top, bottom, target) writes the gradient of the rows top .. bottom of image n's output to
    target[: bottom - top, : OW], target being (., ., F).
    """
    N, F = len(x), len(weight)
    U = filter_points(weight.transpose(2, 3, 0, 1))  # (36, F, C)
    dx = empty((N, g.H, g.W, g.C), x.dtype) if input_gradient else None
    own = ALL_POINTS * F * g.C * x.dtype.itemsize <= SMALL
    groups = min(N, GROUPS) if own else 1
    dU = empty((groups, ALL_POINTS, g.C, F), x.dtype)

    def group(k: int) -> None:
        first, last = _part(N, groups, k)
        chunks = _chunks(g, first, last, F, x.dtype.itemsize, own)
        for i, chunk in enumerate(chunks):
            _chunk_gradients(x, U, g, chunk, put_dout, dU[k], i > 0, dx)

    run(group, groups)
    flat, dfilters = dU.reshape(groups, ALL_POINTS, -1), np.empty((TAPS * TAPS, g.C * F), x.dtype)
    blocks = min(8, -(-dfilters.shape[1] // 1024))
    run(lambda k: loops.dfilters(flat, dfilters, *_part(dfilters.shape[1], blocks, k)), blocks)
    return dx, dfilters.reshape(TAPS, TAPS, g.C, F).transpose(3, 2, 0, 1)


def _chunk_gradients(
    x: Array,
    U: Array,
    g: Geometry,
    chunk: list[Strip],
    put_dout: Callable[[int, int, int, Array], None],
    dU: Array,
    accumulate: bool,
    dx: Array | None,
) -> None:
    """Add the chunk's part to dU (36, C, F), or set it, and write or, below the first strip of an image, add its dx."""
    F, begins = dU.shape[2], np.cumsum([0, *(strip.tiles(g) for strip in chunk)])
    T = int(begins[-1])
    V, D = _points_array(T, g.C, x.dtype), _points_array(T, F, x.dtype)

    def points(k: int) -> None:
        strip, t = chunk[k], int(begins[k])
        rows = strip.bottom - strip.top
        pixels, tiles = empty(_padded(rows, g.OW, g.C), x.dtype), empty(_tiled(rows, g.OW, F), x.dtype)
        tiles[rows:] = 0
        tiles[:, g.OW :] = 0
        for n in range(strip.first, strip.last):
            cut(x[n], strip.top - g.PH, -g.PW, pixels)
            put_dout(n, strip.top, strip.bottom, tiles)
            t = loops.points_of(pixels, tiles, V, D, t)

    def products(k: int) -> None:
        loops.point_products(V, D, U, dU, T, *_part(ALL_POINTS, parts, k), accumulate, dx is not None)

    def pixels(k: int) -> None:
        assert dx is not None
        strip, t = chunk[k], int(begins[k])
        rows = _padded(strip.bottom - strip.top, g.OW, g.C)
        piece = empty(rows, x.dtype)
        for n in range(strip.first, strip.last):
            t = loops.dpixels_of(V, piece, t)
            add_piece(piece, dx[n], strip.top - g.PH, -g.PW, strip.top == 0)

    parts = 12
    run(points, len(chunk))
    run(products, parts)
    if dx is not None:
        run(pixels, len(chunk))


def _chunks(g: Geometry, first: int, last: int, F: int, itemsize: int, own: bool) -> list[list[Strip]]:
    """The strips of images first .. last in chunks: one in each if the group is a task of its own; otherwise as many
    as CHUNK_BYTES allows, each of whole images.
    """
    strips = [s._replace(first=s.first + first, last=s.last + first) for s in strips_of(g, last - first, F, itemsize)]
    if own:
        return [[strip] for strip in strips]
    whole = sorted({s.first: s.last for s in strips}.items())
    strips = [Strip(begin, end, 0, g.OH) for begin, end in whole]
    tiles = max(1, CHUNK_BYTES // (ALL_POINTS * (g.C + F) * itemsize))
    chunks: list[list[Strip]] = [[]]
    for strip in strips:
        if chunks[-1] and sum(s.tiles(g) for s in chunks[-1]) + strip.tiles(g) > tiles:
            chunks.append([])
        chunks[-1].append(strip)
    return chunks


def _part(count: int, parts: int, k: int) -> tuple[int, int]:
    return count * k // parts, count * (k + 1) // parts


def _points_array(T: int, C: int, dtype: np.dtype) -> Array:  # type: ignore[type-arg]
    """For T tiles and C channels: (36, .), the points' rows a little longer than T C numbers.

    If all rows began at the same place of a 4096-byte page, the first-level cache could not hold a line of each.
    """
    itemsize = dtype.itemsize
    size = -(-T * C * itemsize // 4096) * 4096 + VECTOR_BYTES
    return empty((ALL_POINTS, size // itemsize), dtype)


def _padded(rows: int, columns: int, C: int) -> tuple[int, int, int]:
    """The shape of the pixels under rows x columns outputs, in whole tiles."""
    frame = TAPS - 1
    return OUTPUTS * -(-rows // OUTPUTS) + frame, OUTPUTS * -(-columns // OUTPUTS) + frame, C


def _tiled(rows: int, columns: int, F: int) -> tuple[int, int, int]:
    """The shape of rows x columns outputs, in whole tiles."""
    return OUTPUTS * -(-rows // OUTPUTS), OUTPUTS * -(-columns // OUTPUTS), F
