"""Convolution with stride 1 by its definition, without unfolding: a window's rows are neighbours in memory.

With channels last, row kh of a window is KW C numbers in a row, and the next window's begin C numbers further on. So
for each row of outputs, tile_product.py adds the products over kh, and over the KW C numbers of each row.
"""

from collections.abc import Callable

import numpy as np

from numpynet.kernels.buffers import empty
from numpynet.kernels.code_cache import njit
from numpynet.kernels.pixels import cut
from numpynet.kernels.tile_product import product
from numpynet.kernels.windows import Geometry
from numpynet.typing import Array
from numpynet.workers import run

STRIP_BYTES = 1 << 19
"""Bytes of output that a strip may have: it stays in the cache for what follows."""

GROUPS = 16
"""Groups of images, at most, that have a dweight of their own."""


def convolve(x: Array, weight: Array, g: Geometry, finish: Callable[[int, Array], None]) -> Array:
    """As winograd.convolve, for filters (F, C, KH, KW) of any size."""
    N, F = len(x), len(weight)
    filters = np.ascontiguousarray(weight.transpose(2, 3, 1, 0))  # (KH, KW, C, F)
    out = empty((N, g.OH, g.OW, F), x.dtype)
    rows = rows_per_strip(g, N, F, x.dtype.itemsize)
    parts = -(-g.OH // rows)

    def make(i: int) -> None:
        n, top = i // parts, i % parts * rows
        bottom = min(g.OH, top + rows)
        pixels = empty((bottom - top + g.KH - 1, g.OW + g.KW - 1, g.C), x.dtype)
        cut(x[n], top - g.PH, -g.PW, pixels)
        _convolve(pixels, filters, out[n, top:bottom])
        finish(i, out[n, top:bottom].reshape(-1, F))

    run(make, N * parts)
    return out


def rows_per_strip(g: Geometry, N: int, F: int, itemsize: int) -> int:
    """Rows of output per strip: as many as allowed, but at least eight strips in a batch."""
    rows = min(g.OH, max(1, STRIP_BYTES // (g.OW * F * itemsize)))
    return min(rows, -(-g.OH * N // 8))


def gradients(
    x: Array,
    weight: Array,
    g: Geometry,
    put_dout: Callable[[int, int, int, Array], None],
    input_gradient: bool = True,
) -> tuple[Array | None, Array]:
    """As winograd.gradients, for filters (F, C, KH, KW) of any size."""
    N, F = len(x), len(weight)
    rotated = np.ascontiguousarray(weight[:, :, ::-1, ::-1].transpose(2, 3, 0, 1))  # (KH, KW, F, C)
    dx = empty((N, g.H, g.W, g.C), x.dtype) if input_gradient else None
    groups = min(N, GROUPS)
    dfilters = np.zeros((groups, g.KH, g.KW * g.C, F), x.dtype)

    def group(k: int) -> None:
        down, right = g.KH - 1, g.KW - 1
        pixels = empty((g.OH + down, g.OW + right, g.C), x.dtype)
        dout = empty((g.OH, g.OW, F), x.dtype)
        framed = empty((max(g.H, g.OH) + 2 * down, max(g.W, g.OW) + 2 * right, F), x.dtype)
        for n in range(N * k // groups, N * (k + 1) // groups):
            cut(x[n], -g.PH, -g.PW, pixels)
            put_dout(n, 0, g.OH, dout)
            cut(dout, -down, -right, framed)
            _add_dfilters(pixels, framed, g.OH, g.OW, dfilters[k])
            if dx is not None:
                _dpixels(framed, rotated, dx[n], g.PH, g.PW)

    run(group, groups)
    total = dfilters.sum(axis=0).reshape(g.KH, g.KW, g.C, F)
    return dx, total.transpose(3, 2, 0, 1)


@njit(nogil=True, cache=True)
def _convolve(pixels, filters, out):  # type: ignore[no-untyped-def]
    """out (rows, OW, F) of pixels (rows + KH - 1, OW + KW - 1, C) and filters (KH, KW, C, F)."""
    rows, OW, F = out.shape
    KH, KW, C, _ = filters.shape
    row, inner = pixels.shape[1] * C, KW * C
    for oh in range(rows):
        product(pixels, oh * row, C, row, 1, filters, 0, inner * F, F, out, oh * OW * F, F, OW, F, KH, inner, False)


@njit(nogil=True, cache=True)
def _add_dfilters(pixels, framed, OH, OW, dfilters):  # type: ignore[no-untyped-def]
    """dfilters (KH, KW C, F) += pixels^T dout, dout (OH, OW, F) being framed by KH - 1 rows and KW - 1 columns."""
    KH, inner, F = dfilters.shape
    C, row = pixels.shape[2], pixels.shape[1] * pixels.shape[2]
    down, right, width = KH - 1, inner // C - 1, framed.shape[1]
    at = (down * width + right) * F
    for kh in range(KH):
        product(
            pixels, kh * row, 1, row, C, framed, at, width * F, F, dfilters, kh * inner * F, F, inner, F, OH, OW, True
        )


@njit(nogil=True, cache=True)
def _dpixels(framed, rotated, dx, top, left):  # type: ignore[no-untyped-def]
    """dx (H, W, C): the convolution of the framed gradient with the rotated filters (KH, KW, F, C)."""
    H, W, C = dx.shape
    KH, KW, F, _ = rotated.shape
    row = framed.shape[1] * F
    for h in range(H):
        at = (h + top) * row + left * F
        product(framed, at, F, row, 1, rotated, 0, KW * F * C, C, dx, h * W * C, C, W, C, KH, KW * F, False)
