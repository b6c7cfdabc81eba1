"""The arithmetic of vectors, compiled and in NumPy: what an operation gives, which numbers a loop reads and writes."""

import numpy as np
import pytest

from numpynet.kernels import vector_loops
from numpynet.kernels.lanes import VECTOR_BYTES
from numpynet.kernels.uncompiled import part

DTYPES = [np.float64, np.float32]
dtypes = pytest.mark.parametrize("dtype", DTYPES)
pytestmark = pytest.mark.usefixtures("compiling")


def applied(loop, *arrays, count=1, dtype=None):
    """The `count` arrays that a pixel loop writes, if it reads these, each (pixels, F)."""
    pixels, F = arrays[0].shape
    out = [np.full((pixels, F), 55, arrays[0].dtype if dtype is None else dtype) for _ in range(count)]

    def all_of(given):
        return tuple(part for array in given for part in (array, 0, F))

    loop(pixels, F, all_of(arrays), all_of(out), (), ())
    return out


def whole(rng, shape, dtype):
    """Small whole numbers, with which every result here is exact."""
    return rng.integers(-9, 10, shape).astype(dtype)


def channels(dtype):
    """A part of a vector, a whole one, one number more, one less than two vectors, and two and a part."""
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    return [1, lanes, lanes + 1, 2 * lanes - 1, 2 * lanes + 3]


@dtypes
def test_sums_and_products_of_vectors(dtype):
    rng = np.random.default_rng(0)
    loop = vector_loops.pixel_loop(lambda x, y, z: (x + y - z, x * y, x.times_plus(y, z)))
    for F in channels(dtype):
        x, y, z = (whole(rng, (3, F), dtype) for _ in range(3))
        for got, expected in zip(applied(loop, x, y, z, count=3), (x + y - z, x * y, x * y + z), strict=True):
            np.testing.assert_array_equal(got, expected)


@dtypes
def test_sums_and_products_with_numbers(dtype):
    rng = np.random.default_rng(0)
    loop = vector_loops.pixel_loop(lambda x: (x + 3, x - 3, x * 3, 3 * x))
    for F in channels(dtype):
        x = whole(rng, (3, F), dtype)
        for got, expected in zip(applied(loop, x, count=4), (x + 3, x - 3, x * 3, x * 3), strict=True):
            np.testing.assert_array_equal(got, expected)


@dtypes
def test_wide_is_exact(dtype):
    x = np.random.default_rng(0).standard_normal((2, 2 * VECTOR_BYTES // 8)).astype(dtype)
    (got,) = applied(vector_loops.pixel_loop(lambda x: (x.wide() * x.wide(),)), x, dtype=np.float64)
    np.testing.assert_array_equal(got, x.astype(np.float64) ** 2)


@dtypes
def test_conditions(dtype):
    x = np.array([[-1, 0, -0.0, 1, np.nan, np.inf, -np.inf, 2]], dtype)
    y = np.array([[0, 0, 0, 1, 5, np.nan, 3, 1]], dtype)
    loop = vector_loops.pixel_loop(
        lambda x, y: (x.at_most(0).choose(x, y), x.more_or_nan(y).choose(1, y * 0), x.equals(1).choose(y, 7))
    )
    got = applied(loop, x, y, count=3)
    nan = np.nan
    np.testing.assert_array_equal(got[0], [[-1, 0, -0.0, 1, 5, nan, -np.inf, 1]])
    np.testing.assert_array_equal(got[1], [[0, 0, 0, 0, 1, nan, 0, 1]])
    np.testing.assert_array_equal(got[2], [[7, 7, 7, 1, 7, 7, 7, 7]])


@dtypes
def test_bytes(dtype):
    """Which of four won: bytes are read, compared and written in vectors of as many lanes as there are floats."""
    rng = np.random.default_rng(0)
    loop = vector_loops.pixel_loop(lambda x, won: (won.equals(2).choose(x, 0), x.at_most(0).choose(5, won)))
    for F in channels(dtype):
        x, won = whole(rng, (3, F), dtype), rng.integers(0, 4, (3, F)).astype(np.uint8)
        out, chosen = np.zeros_like(x), np.full((3, F + 1), 9, np.uint8)
        loop(3, F, (x, 0, F, won, 0, F), (out, 0, F, chosen, 0, F + 1), (), ())
        np.testing.assert_array_equal(out, np.where(won == 2, x, 0))
        np.testing.assert_array_equal(chosen[:, :F], np.where(x <= 0, 5, won))
        assert (chosen[:, F] == 9).all()


SMALLEST = {np.float64: -1022, np.float32: -126}  # the power of two that is the smallest normal number


@dtypes
def test_exp(dtype, compiling):
    """Less than a unit of the last place from the limit of what is normal to 0; 0 below, unlike NumPy; and NaN."""
    lowest = SMALLEST[dtype] * np.log(2)
    x = np.concatenate([np.linspace(lowest * (1 - 1e-6), 0, 4001), np.linspace(-3, 0, 2000), [-1e-30]]).astype(dtype)
    loop = vector_loops.pixel_loop(lambda x: (x.exp(),))
    (got,) = applied(loop, x[:, None])
    expected = np.exp(x.astype(np.longdouble))[:, None]
    assert np.abs(got / expected - 1).max() < (0.75 if compiling else 2) * np.finfo(dtype).eps
    if compiling:
        below = np.array([[lowest * 1.001, lowest - 0.6, lowest - 1, 10 * lowest, -np.inf]], dtype)
        np.testing.assert_array_equal(applied(loop, below)[0], np.zeros((1, 5)))
    np.testing.assert_array_equal(applied(loop, np.array([[0, np.nan]], dtype))[0], [[1, np.nan]])


@dtypes
@pytest.mark.parametrize("largest", [False, True])
def test_a_loop_touches_its_own_numbers_only(largest, dtype):
    """Pixels and channels with others between them, parameters per channel, and sums that go on from what they were."""
    rng = np.random.default_rng(0)
    loop = vector_loops.pixel_loop(lambda x, y, factor, term: (x * factor, x + term, y + factor, y), largest)
    for F in channels(dtype):
        x, y = whole(rng, (4, F + 2), dtype), whole(rng, (9, F), dtype)
        factor, term = whole(rng, F, dtype), whole(rng, F, dtype)
        out, other = np.full((4, F + 3), 55, dtype), np.full((5, F), 55, dtype)
        totals = [rng.integers(-9, 10, F).astype(dtype if largest else np.float64) for _ in range(2)]
        before = [total.copy() for total in totals]
        loop(3, F, (x, F + 2, F + 2, y, F, 2 * F), (out, 1, F + 3, other, 0, F), (factor, term), tuple(totals))
        wanted_out, wanted_other = np.full_like(out, 55), np.full_like(other, 55)
        wanted_out[:3, 1 : F + 1], wanted_other[:3] = x[1:, :F] * factor, x[1:, :F] + term
        np.testing.assert_array_equal(out, wanted_out)
        np.testing.assert_array_equal(other, wanted_other)
        for total, first, added in zip(totals, before, (y[1:7:2] + factor, y[1:7:2]), strict=True):
            np.testing.assert_array_equal(total, np.maximum(added.max(0), first) if largest else added.sum(0) + first)


@dtypes
def test_the_largest_so_far_is_nan_if_one_number_is(dtype):
    x = np.array([[1, 2, np.nan], [3, 1, 5], [np.nan, 1, 7]], dtype)
    top = x[0].copy()
    vector_loops.pixel_loop(lambda x: (x,), largest=True)(3, 3, (x, 0, 3), (), (), (top,))
    assert top[1] == 2
    assert np.isnan(top[0])


def uneven(v0, v1):
    """Another matrix along each axis: [[1, 2], [0, 3]]."""
    return v0 + 2 * v1, 3 * v1


@dtypes
@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("apart", ["", "source", "target"])
def test_a_grid_loop_applies_its_rule_along_both_axes(apart, accumulate, dtype):
    """grid -> A grid A^T for each channel, in its place among others that stay as they are."""
    rng = np.random.default_rng(0)
    matrix, loop = np.array([[1, 2], [0, 3]]), vector_loops.grid_loop(uneven, 2, accumulate, apart)
    for C in channels(dtype):
        source, target = whole(rng, (3, 4, C), dtype), whole(rng, (4, 5, C), dtype)
        expected = target.copy()
        result = np.einsum("ij,jkc,lk->ilc", matrix, source[1:, 1:3], matrix)
        expected[1:3, 2:4] = result + (target[1:3, 2:4] if accumulate else 0)
        strides = [4 * C, C], [5 * C, C]
        at, to, step = 5 * C, 7 * C, 1
        if apart == "source":
            source, strides, at, step = np.ascontiguousarray(source.transpose(2, 0, 1)), ([4, 1], strides[1]), 5, 12
        if apart == "target":
            target, expected = (np.ascontiguousarray(a.transpose(2, 0, 1)) for a in (target, expected))
            strides, to, step = (strides[0], [5, 1]), 7, 20
        loop(source, at, *strides[0], target, to, *strides[1], C, step)
        np.testing.assert_array_equal(target, expected)


def test_loops_of_a_rule_have_names_of_their_own():
    """Two functions of one name could take each other's places in a process that loads compiled code."""
    loops = [vector_loops.pixel_loop(uneven), vector_loops.pixel_loop(uneven), vector_loops.grid_loop(uneven, 2)]
    names = [getattr(loop, "py_func", loop).__qualname__ for loop in loops]
    assert len(set(names)) == 3
    assert all(name.startswith(f"{__name__}.uneven.") for name in names)


def test_a_part_of_an_array_lies_within_it():
    numbers = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(part(numbers, 2, 3), [2, 3, 4])
    np.testing.assert_array_equal(part(numbers, 1, 4, 3), [1, 4, 7, 10])
    np.testing.assert_array_equal(part(numbers, 10, 2), [10, 11])
    part(numbers, 0, 2)[...] = 77
    assert (numbers[0, :2] == 77).all()
    for at, count, step in ((-1, 2, 1), (10, 3, 1), (3, 4, 3)):
        with pytest.raises(AssertionError):
            part(numbers, at, count, step)
    with pytest.raises(AssertionError):
        part(numbers.T, 0, 2)
