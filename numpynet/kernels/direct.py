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
from numpynet.kernels.code_cache import njit
from numpynet.kernels.pixels import cut
from numpynet.kernels.strip_work import After, Before, finish, put_gradient
from numpynet.kernels.tile_product import product
from numpynet.kernels.windows import Geometry
from numpynet.typing import Array
from numpynet.workers import run, run_ranges

STRIP_BYTES = 1 << 19
"""Bytes of output that a strip may have: it stays in the cache for what follows."""

LEAST_STRIPS = 8
"""The batch is cut into at least this many strips, if it has as many rows, so that every thread has work."""

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
        _convolve_strips(x, filters, out, strips, begin, end, pixels, after, g)

    run_ranges(make, len(strips), GROUPS)
    return out


def strips_of(g: Geometry, N: int, F: int, itemsize: int) -> NDArray[np.int64]:
    """(strips, 3): the image and the rows of the output, top .. bottom, as many as allowed."""
    rows = min(g.OH, max(1, STRIP_BYTES // (g.OW * F * itemsize)), max(1, -(-g.OH * N // LEAST_STRIPS)))
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
            put_gradient(before, n, 0, g.OH, dout)
            _image_gradients(x, rotated, n, pixels, dout, framed, dfilters[k], dx, input_gradient, g)

    run(group, groups)
    dweight = dfilters.sum(axis=0).transpose(3, 2, 0, 1)  # (KH, KW, C, F) -> (F, C, KH, KW)
    return dx if input_gradient else None, np.ascontiguousarray(dweight)


def _seen(g: Geometry, rows: int) -> tuple[int, int, int]:
    """The shape of the pixels that `rows` rows of outputs see."""
    return (rows - 1) * g.SH + (g.KH - 1) * g.DH + 1, (g.OW - 1) * g.SW + (g.KW - 1) * g.DW + 1, g.C


@njit(nogil=True, cache=True)
def _convolve_strips(x, filters, out, strips, begin, end, pixels, after, g):  # type: ignore[no-untyped-def]
    """The strips begin .. end of out (N, OH, OW, F); pixels is working memory."""
    for number in range(begin, end):
        n, top, bottom = strips[number, 0], strips[number, 1], strips[number, 2]
        seen = pixels[: (bottom - top - 1) * g.SH + (g.KH - 1) * g.DH + 1]
        cut(x[n], top * g.SH - g.PH, -g.PW, seen)
        rows = out[n, top:bottom]
        _convolve(seen, filters, rows, g)
        finish(after, number, rows.reshape(-1, rows.shape[2]))


@njit(nogil=True, cache=True)
def _image_gradients(x, rotated, n, pixels, dout, framed, dfilters, dx, with_dx, g):  # type: ignore[no-untyped-def]
    """Add image n's part to dfilters (KH, KW, C, F), and write its dx; dout (OH, OW, F) is its output's gradient.

    pixels, and framed, which is 0 where no gradient lies, are working memory.
    """
    down, right = (g.KH - 1) * g.DH, (g.KW - 1) * g.DW
    cut(x[n], -g.PH, -g.PW, pixels)
    _add_dfilters(pixels, dout, dfilters, g)
    if with_dx:
        for oh in range(g.OH):
            for ow in range(g.OW):
                source, target = dout[oh, ow], framed[down + oh * g.SH, right + ow * g.SW]
                for f in range(source.size):
                    target[f] = source[f]
        _dpixels(framed, rotated, dx[n], g)


@njit(nogil=True, cache=True)
def _convolve(pixels, filters, out, g):  # type: ignore[no-untyped-def]
    """out (rows, OW, F) of the pixels that it sees and filters (KH, KW, C, F)."""
    rows, OW, F = out.shape
    KH, KW, C, _ = filters.shape
    row = pixels.shape[1] * C
    pieces, inner = (1, KW * C) if g.DW == 1 else (KW, C)
    for oh in range(rows):
        for kw in range(pieces):
            at, step = oh * g.SH * row + kw * g.DW * C, KW * C * F
            weights = kw * C * F
            product(
                pixels, at, g.SW * C, g.DH * row, 1, filters, weights, step, F, out, oh * OW * F, F,
                OW, F, KH, inner, kw > 0,
            )  # fmt: skip


@njit(nogil=True, cache=True)
def _add_dfilters(pixels, dout, dfilters, g):  # type: ignore[no-untyped-def]
    """dfilters (KH, KW, C, F) += pixels^T dout, for dout (OH, OW, F) and the pixels that it sees."""
    OH, OW, F = dout.shape
    KH, KW, C, _ = dfilters.shape
    row = pixels.shape[1] * C
    pieces, inner = (1, KW * C) if g.DW == 1 else (KW, C)
    for kh in range(KH):
        for kw in range(pieces):
            at, to = kh * g.DH * row + kw * g.DW * C, (kh * KW + kw) * C * F
            product(pixels, at, 1, g.SH * row, g.SW * C, dout, 0, OW * F, F, dfilters, to, F, inner, F, OH, OW, True)


@njit(nogil=True, cache=True)
def _dpixels(framed, rotated, dx, g):  # type: ignore[no-untyped-def]
    """dx (H, W, C): the convolution of the framed gradient with the rotated filters (KH, KW, F, C)."""
    H, W, C = dx.shape
    KH, KW, F, _ = rotated.shape
    row = framed.shape[1] * F
    pieces, inner = (1, KW * F) if g.DW == 1 else (KW, F)
    for h in range(H):
        for kw in range(pieces):
            at, weights = (h + g.PH) * row + (g.PW + kw * g.DW) * F, kw * F * C
            product(
                framed, at, F, g.DH * row, 1, rotated, weights, KW * F * C, C, dx, h * W * C, C,
                W, C, KH, inner, kw > 0,
            )  # fmt: skip
