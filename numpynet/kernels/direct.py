"""Convolution by its definition, without unfolding: the rows of a window are neighbours in memory.

With channels last, row kh of a window is KW C numbers in a row, and the next window's begin SW C numbers further on. So
for each row of outputs, tile_product.py adds the products over kh, and over the KW C numbers of each row. (With a
dilation, a row of a window is KW pieces of C numbers, and each piece is a product of its own.)

Backward, dx is a convolution, too: of dout, with SH - 1 rows and SW - 1 columns of zeros between its numbers and a
frame of zeros around them, by the rotated filters.
"""

import numpy as np
from numpy.typing import NDArray

from numpynet.kernels.buffers import empty
from numpynet.kernels.pixels import cut
from numpynet.kernels.strip_work import After, Before, finish, put_gradient
from numpynet.kernels.tile_product import products
from numpynet.kernels.windows import Geometry
from numpynet.typing import Array, Pair
from numpynet.workers import run, run_ranges

STRIP_BYTES = 1 << 19
"""Bytes of output that a strip may have: it stays in the cache for what follows."""

LEAST_STRIPS = 8
"""So that every thread has work, no strip has more than this part of the batch's rows, rounded up."""

GROUPS = 16
"""Groups of images, at most, that have a dweight of their own; and ranges of strips that are one task."""


def convolve(x: Array, weight: Array, g: Geometry, after: After) -> Array:
    """As winograd.convolve, for filters (F, C, KH, KW) of any size."""
    N, F = len(x), len(weight)
    filters = np.ascontiguousarray(weight.transpose(2, 3, 1, 0))  # (KH, KW, C, F)
    out = empty((N, g.OH, g.OW, F), x.dtype)
    strips = strips_of(g, N, F, x.dtype.itemsize)

    def make(begin: int, end: int) -> None:
        pixels = empty(_seen(g, int((strips[:, 2] - strips[:, 1]).max())), x.dtype)
        for number in range(begin, end):
            n, top, bottom = strips[number]
            seen, rows = pixels[: _seen(g, bottom - top)[0]], out[n, top:bottom]
            cut(x[n], top * g.SH - g.PH, -g.PW, seen)
            _convolve(seen, 0, filters, rows, (g.SH, g.SW), (g.DH, g.DW))
            finish(after, number, rows.reshape(-1, F))

    run_ranges(make, len(strips), GROUPS)
    return out


def strips_of(g: Geometry, N: int, F: int, itemsize: int) -> NDArray[np.int64]:
    """(strips, 3): the image and the rows of the output, top .. bottom, as many as allowed."""
    rows = min(g.OH, max(1, STRIP_BYTES // (g.OW * F * itemsize)), -(-g.OH * N // LEAST_STRIPS))
    found = [(n, top, min(g.OH, top + rows)) for n in range(N) for top in range(0, g.OH, rows)]
    return np.array(found, np.int64)


def gradients(
    x: Array, weight: Array, g: Geometry, before: Before, input_gradient: bool = True
) -> tuple[Array | None, Array]:
    """As winograd.gradients, for filters (F, C, KH, KW) of any size."""
    N, F = len(x), len(weight)
    rotated = np.ascontiguousarray(weight[:, :, ::-1, ::-1].transpose(2, 3, 0, 1))  # (KH, KW, F, C)
    dx = empty((N, g.H, g.W, g.C) if input_gradient else (0, 0, 0, 0), x.dtype)
    groups = min(N, GROUPS)
    dfilters = np.zeros((groups, g.KH, g.KW, g.C, F), x.dtype)
    down, right = (g.KH - 1) * g.DH, (g.KW - 1) * g.DW
    rows, columns = max(g.PH + g.H, (g.OH - 1) * g.SH + 1), max(g.PW + g.W, (g.OW - 1) * g.SW + 1)

    def group(k: int) -> None:
        pixels, dout = empty(_seen(g, g.OH), x.dtype), empty((g.OH, g.OW, F), x.dtype)
        framed = empty((down + rows, right + columns, F) if input_gradient else (0, 0, F), x.dtype)
        framed[...] = 0
        for n in range(N * k // groups, N * (k + 1) // groups):
            cut(x[n], -g.PH, -g.PW, pixels)
            put_gradient(before, n, 0, g.OH, dout)
            _add_dfilters(pixels, dout, dfilters[k], g)
            if input_gradient:
                framed[down : down + g.OH * g.SH : g.SH, right : right + g.OW * g.SW : g.SW] = dout
                begin = (g.PH * framed.shape[1] + g.PW) * F
                _convolve(framed, begin, rotated, dx[n], (1, 1), (g.DH, g.DW))

    run(group, groups)
    dweight = dfilters.sum(axis=0).transpose(3, 2, 0, 1)  # (KH, KW, C, F) -> (F, C, KH, KW)
    return dx if input_gradient else None, np.ascontiguousarray(dweight)


def _seen(g: Geometry, rows: int) -> tuple[int, int, int]:
    """The shape of the pixels that `rows` rows of outputs see."""
    return (rows - 1) * g.SH + (g.KH - 1) * g.DH + 1, (g.OW - 1) * g.SW + (g.KW - 1) * g.DW + 1, g.C


def _convolve(pixels: Array, begin: int, filters: Array, out: Array, stride: Pair, dilation: Pair) -> None:
    """out (rows, columns, F) of filters (KH, KW, C, F) and the pixels that it sees, from number `begin` of them on."""
    rows, columns, F = out.shape
    KH, KW, C, _ = filters.shape
    row = pixels.shape[1] * C
    pieces, inner = (1, KW * C) if dilation[1] == 1 else (KW, C)
    for kw in range(pieces):
        products(
            rows,
            pixels.reshape(-1), begin + kw * dilation[1] * C, stride[0] * row, stride[1] * C, dilation[0] * row, 1,
            filters.reshape(-1), kw * C * F, 0, KW * C * F, F,
            out.reshape(-1), 0, columns * F, F,
            columns, F, KH, inner, kw > 0,
        )  # fmt: skip


def _add_dfilters(pixels: Array, dout: Array, dfilters: Array, g: Geometry) -> None:
    """dfilters (KH, KW, C, F) += pixels^T dout, for dout (OH, OW, F) and the pixels that it sees."""
    OH, OW, F = dout.shape
    KH, KW, C, _ = dfilters.shape
    row = pixels.shape[1] * C
    pieces, inner = (1, KW * C) if g.DW == 1 else (KW, C)
    for kw in range(pieces):
        products(
            KH,
            pixels.reshape(-1), kw * g.DW * C, g.DH * row, 1, g.SH * row, g.SW * C,
            dout.reshape(-1), 0, 0, OW * F, F,
            dfilters.reshape(-1), kw * C * F, KW * C * F, F,
            inner, F, OH, OW, True,
        )  # fmt: skip
