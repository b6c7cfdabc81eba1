"""1 x 1 convolution with stride 1 and channels last: one product of matrices, (pixels, C) by (C, F)."""

import numpy as np
from numpy.typing import NDArray

from numpynet.kernels.buffers import empty
from numpynet.kernels.direct import GROUPS, LEAST_STRIPS, STRIP_BYTES
from numpynet.kernels.strip_work import After, Before, finish, put_gradient
from numpynet.kernels.tile_product import products
from numpynet.kernels.windows import Geometry
from numpynet.typing import Array
from numpynet.workers import run


def convolve(x: Array, weight: Array, g: Geometry, after: After) -> Array:
    """As winograd.convolve, for filters (F, C, 1, 1)."""
    N, F = len(x), len(weight)
    matrix = np.ascontiguousarray(weight.reshape(F, g.C).T)  # (F, C, 1, 1) -> (C, F)
    out = empty((N, g.OH, g.OW, F), x.dtype)
    strips = strips_of(g, N, F, x.dtype.itemsize)
    flat_x, flat_matrix, flat_out = x.reshape(-1), matrix.reshape(-1), out.reshape(-1)

    def make(number: int) -> None:
        at, last = strips[number]
        products(
            1, flat_x, at * g.C, 0, g.C, 0, 1, flat_matrix, 0, 0, 0, F, flat_out, at * F, 0, F,
            last - at, F, 1, g.C, False,
        )  # fmt: skip
        finish(after, number, out.reshape(-1, F)[at:last])

    run(make, len(strips))
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
    flat_x, flat_matrix, flat_dx, pixels = x.reshape(-1), matrix.reshape(-1), dx.reshape(-1), g.OH * g.OW

    def group(k: int) -> None:
        dout = empty((0, 0, 0) if before.plain else (g.OH, g.OW, F), x.dtype)
        for n in range(N * k // groups, N * (k + 1) // groups):
            if not before.plain:
                put_gradient(before, n, 0, g.OH, dout)
            gradient, at = (before.dout[n] if before.plain else dout).reshape(-1), n * pixels * g.C
            products(
                1, flat_x, at, 0, 1, 0, g.C, gradient, 0, 0, 0, F, dmatrix[k].reshape(-1), 0, 0, F,
                g.C, F, 1, pixels, True,
            )  # fmt: skip
            if input_gradient:
                products(
                    1, gradient, 0, 0, F, 0, 1, flat_matrix, 0, 0, 0, g.C, flat_dx, at, 0, g.C,
                    pixels, g.C, 1, F, False,
                )  # fmt: skip

    run(group, groups)
    dweight = np.ascontiguousarray(dmatrix.sum(axis=0).T).reshape(weight.shape)  # (groups, C, F) -> (F, C, 1, 1)
    return dx if input_gradient else None, dweight
