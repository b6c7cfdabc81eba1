"""1 x 1 convolution with stride 1 and channels last: one product of matrices, (pixels, C) by (C, F)."""

import numpy as np
from numpy.typing import NDArray

from numpynet.kernels.buffers import empty
from numpynet.kernels.code_cache import njit
from numpynet.kernels.direct import GROUPS, LEAST_STRIPS, STRIP_BYTES
from numpynet.kernels.strip_work import After, Before, finish, put_gradient
from numpynet.kernels.tile_product import product
from numpynet.kernels.windows import Geometry
from numpynet.typing import Array
from numpynet.workers import run, run_ranges


def convolve(x: Array, weight: Array, g: Geometry, after: After) -> Array:
    """As winograd.convolve, for filters (F, C, 1, 1)."""
    N, F = len(x), len(weight)
    matrix = np.ascontiguousarray(weight.reshape(F, g.C).T)  # (F, C, 1, 1) -> (C, F)
    out = empty((N, g.OH, g.OW, F), x.dtype)
    strips = strips_of(g, N, F, x.dtype.itemsize)
    rows = x.reshape(-1, g.C), matrix, out.reshape(-1, F)
    run_ranges(lambda begin, end: _convolve_strips(*rows, strips, begin, end, after), len(strips), GROUPS)
    return out


def strips_of(g: Geometry, N: int, F: int, itemsize: int) -> NDArray[np.int64]:
    """(strips, 2): pixels begin .. end of the whole batch."""
    pixels = N * g.OH * g.OW
    size = max(1, min(STRIP_BYTES // (F * itemsize), -(-pixels // LEAST_STRIPS)))
    return np.array([(at, min(pixels, at + size)) for at in range(0, pixels, size)], np.int64)


def gradients(
    x: Array, weight: Array, g: Geometry, before: Before, input_gradient: bool = True
) -> tuple[Array | None, Array]:
    """As winograd.gradients, for filters (F, C, 1, 1)."""
    N, F = len(x), len(weight)
    matrix = np.ascontiguousarray(weight).reshape(F, g.C)
    dx = empty(x.shape if input_gradient else (0, 0, 0, 0), x.dtype)
    groups = min(N, GROUPS)
    dmatrix = np.zeros((groups, g.C, F), x.dtype)

    def group(k: int) -> None:
        dout = empty((0, 0, 0) if before.plain else (g.OH, g.OW, F), x.dtype)
        for n in range(N * k // groups, N * (k + 1) // groups):
            if not before.plain:
                put_gradient(before, n, 0, g.OH, dout)
            _image_gradients(x, matrix, n, before.dout[n] if before.plain else dout, dmatrix[k], dx, input_gradient)

    run(group, groups)
    dweight = np.ascontiguousarray(dmatrix.sum(axis=0).T).reshape(weight.shape)  # (groups, C, F) -> (F, C, 1, 1)
    return dx if input_gradient else None, dweight


@njit(nogil=True, cache=True)
def _convolve_strips(x, matrix, out, strips, begin, end, after):  # type: ignore[no-untyped-def]
    """The strips begin .. end of out (pixels, F) = x (pixels, C) @ matrix (C, F)."""
    C, F = matrix.shape
    for number in range(begin, end):
        at, last = strips[number, 0], strips[number, 1]
        product(x, at * C, C, 0, 1, matrix, 0, 0, F, out, at * F, F, last - at, F, 1, C, False)
        finish(after, number, out[at:last])


@njit(nogil=True, cache=True)
def _image_gradients(x, matrix, n, dout, dmatrix, dx, with_dx):  # type: ignore[no-untyped-def]
    """Add image n's part to dmatrix (C, F), and write its dx; dout (H, W, F), matrix (F, C)."""
    F, C = matrix.shape
    _, H, W, _ = x.shape
    at = n * H * W * C
    product(x, at, 1, 0, C, dout, 0, 0, F, dmatrix, 0, F, C, F, 1, H * W, True)
    if with_dx:
        product(dout, 0, F, 0, 1, matrix, 0, 0, C, dx, at, C, H * W, C, 1, F, False)
