"""Products of matrices of every number of rows and columns that is left after the last whole tile."""

import numba
import numpy as np
import pytest

from numpynet.kernels import tile_product
from numpynet.kernels.lanes import VECTOR_BYTES
from numpynet.kernels.tile_product import WIDEST, _tiles, products

DTYPES = [np.float64, np.float32]
dtypes = pytest.mark.parametrize("dtype", DTYPES)
accumulates = pytest.mark.parametrize("accumulate", [False, True])


def numbers(shape, dtype, seed):
    """Small whole numbers, whose sums are exact."""
    return np.random.default_rng(seed).integers(-9, 10, shape).astype(dtype)


@dtypes
@accumulates
@pytest.mark.usefixtures("compiling")
@pytest.mark.parametrize(("vectors", "masked"), [(1, True), (1, False), (2, False)])
def test_tiles(vectors, masked, accumulate, dtype):
    """Tiles of 6, 3 and 1 rows; all strides differ, and what lies beside the result stays."""
    tiles, lanes = _tiles(vectors, masked), VECTOR_BYTES // np.dtype(dtype).itemsize

    @numba.njit
    def call(a, b, c, M, accumulate, count):
        tiles(
            a, 2, 31, 11, 3, b, 5, 2 * (lanes * 2 + 1), lanes * 2 + 1, c, 1, lanes * 2 + 2, M, 2, 3, accumulate, count
        )

    KO, KI, row = 2, 3, 2 * lanes + 1
    for M in (0, 1, 2, 3, 5, 6, 7, 10):
        for count in range(1, lanes) if masked and M == 2 else (lanes - masked,):
            a, b, c = numbers(400, dtype, M), numbers(5 + 9 * row, dtype, 1), numbers(12 * (row + 1), dtype, 2)
            expected = c.copy()
            for m in range(M):
                out = expected[1 + m * (row + 1) :][: count * vectors]
                total = sum(
                    a[2 + m * 31 + ko * 11 + ki * 3] * b[5 + ko * 2 * row + ki * row :][: count * vectors]
                    for ko in range(KO)
                    for ki in range(KI)
                )
                out[...] = total + (out if accumulate else 0)
            call(a, b, c, M, accumulate, count)
            np.testing.assert_array_equal(c, expected)


@dtypes
@accumulates
@pytest.mark.parametrize("M", [1, 4, 7])
def test_products(M, accumulate, dtype):
    """Two products, of every number of columns up to more than the widest tile and a part of a vector."""
    lanes, (KO, KI) = VECTOR_BYTES // np.dtype(dtype).itemsize, (2, 3)
    most = (WIDEST + 3) * lanes + 1
    for F in sorted({1, lanes - 1, lanes, lanes + 1, 2 * lanes, 3 * lanes + 1, WIDEST * lanes, most} - {0}):
        a, b = numbers((3, M, KO, KI), dtype, 0), numbers((3, KO, KI, F), dtype, 1)
        c = numbers((3, M + 1, F), dtype, 2)
        expected = c.copy()
        expected[1:, :M] = np.einsum("imkl,iklf->imf", a[1:], b[1:]) + (c[1:, :M] if accumulate else 0)
        products(
            2,
            a.reshape(-1), M * KO * KI, M * KO * KI, KO * KI, KI, 1,
            b.reshape(-1), KO * KI * F, KO * KI * F, KI * F, F,
            c.reshape(-1), (M + 1) * F, (M + 1) * F, F,
            M, F, KO, KI, accumulate,
        )  # fmt: skip
        np.testing.assert_array_equal(c, expected)


@pytest.mark.parametrize(
    ("vectors", "rest", "expected"),
    [
        (0, 1, [("part", 0)]),
        (1, 0, [("one", 0)]),
        (1, 1, [("one", 0), ("part", 1)]),
        (1, -1, [("one", 0), ("part", 1)]),
        (2 * WIDEST, 0, [("widest", 0), ("widest", WIDEST)]),
        (2 * WIDEST + 1, 1, [("widest", 0), ("widest", WIDEST), ("one", 2 * WIDEST), ("part", 2 * WIDEST + 1)]),
        (WIDEST + 2, 0, [("widest", 0), ("two" if WIDEST > 2 else "widest", WIDEST)]),
        (3, 1, [("two" if WIDEST > 2 else "widest", 0), ("one", 2), ("part", 3)]),
    ],
)
@dtypes
def test_columns_are_cut_into_the_widest_tiles_that_fit(vectors, rest, expected, dtype, monkeypatch):
    """Which tiles, and from which vector on; each is told how many lanes of a vector it has. Rest -1: all but one."""
    lanes, calls = VECTOR_BYTES // np.dtype(dtype).itemsize, []
    rest %= lanes
    for name in ("widest", "two", "one", "part"):

        def tiles(*arguments, name=name):
            b_at, c_at, count = arguments[6], arguments[10], arguments[-1]
            assert b_at - 100 == c_at - 1000
            assert count == (rest if name == "part" else lanes)
            calls.append((name, (b_at - 100) / lanes))

        monkeypatch.setattr(tile_product, f"_{name}", tiles)
    product = getattr(tile_product.product, "py_func", tile_product.product)
    a, b, c = (np.zeros(1, dtype) for _ in range(3))
    product(a, 0, 1, 1, 1, b, 100, 1, 1, c, 1000, 1, 5, vectors * lanes + rest, 1, 1, False)
    assert calls == expected
