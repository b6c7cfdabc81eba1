"""Compares every kernel with the readable function, on arrays of a few numbers.

The arrays are small because `tests.mutation` runs this file with NUMBA_DISABLE_JIT=1, a thousand times, and compiled
loops that run uncompiled are slow. But a kernel does most of its work only with large arrays: it passes small ones on
to the readable function, and makes a single piece of what it would otherwise cut for several threads. So the kernels
are made to believe that everything is large:

- the sizes from which a kernel pays, and the sizes of its pieces, are set to a few numbers (`small_pieces`, `cut`):
  each test has several pieces, and the last of them is smaller than the others;
- the kernels' `functional` is replaced by `FailingFunctional`: a call that is passed on to the readable function fails,
  because the test would then compare that function with itself;
- `empty` returns NaN everywhere (`poisoned`): an element that a kernel forgets to write shows.
"""

import importlib
from functools import partial

import numpy as np
import pytest

from numpynet import functional
from numpynet.kernels.factors import Factors
from numpynet.kernels.pixels import images_of
from numpynet.kernels.windows import geometry_of
from numpynet.workers import set_threads
from tests.seeds import seeded

conv2d, conv_block, convolution, winograd, direct, linear, adam, batch_norm, relu, max_pool2d, upsample = (
    importlib.import_module(f"numpynet.kernels.{name}")
    for name in (
        "conv2d", "conv_block", "convolution", "winograd", "direct", "linear", "adam", "batch_norm", "relu",
        "max_pool2d", "upsample_nearest2d",
    )
)  # fmt: skip
dtypes = pytest.mark.parametrize("dtype", [np.float64, np.float32])
TOLERANCE = {np.float64: 1e-12, np.float32: 2e-5}


class FailingFunctional:
    """Replaces `numpynet.functional`: it has the types, but every call of a function fails."""

    def __getattr__(self, name):
        if name.endswith("Cache"):
            return getattr(functional, name)
        raise AssertionError(f"{name} was passed on to the readable function")


@pytest.fixture
def rng(request):
    """One generator per test, so that its numbers do not depend on which other tests run."""
    return seeded(request.node.name)


@pytest.fixture
def random(rng):
    """random(shape, dtype): normal random numbers."""
    return lambda shape, dtype: rng.standard_normal(shape).astype(dtype)


def poisoned(shape, dtype):
    """Replaces `empty`: an array full of NaN, or of 77 for integers."""
    return np.full(shape, np.nan if np.dtype(dtype).kind == "f" else 77, dtype)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    for module in (conv2d, conv_block, linear, adam, batch_norm, relu, max_pool2d, upsample):
        monkeypatch.setattr(module, "functional", FailingFunctional())
    for module in (conv_block, winograd, direct, linear, batch_norm, relu, max_pool2d, upsample):
        monkeypatch.setattr(module, "empty", poisoned)
    for module in (winograd, direct):
        monkeypatch.setattr(module, "GROUPS", 2)
        monkeypatch.setattr(module, "STRIP_BYTES", 1)
    for name, value in {"LEAST": 1, "TILE": 5, "ROWS": 8}.items():
        monkeypatch.setattr(linear, name, value)
    for name, value in {"BLOCK": 7, "TILE": 5, "ROWS": 4}.items():
        monkeypatch.setattr(adam, name, value)
    monkeypatch.setattr(relu, "BLOCK", 7)
    set_threads(2)
    yield
    set_threads(None)


@pytest.fixture(params=["definition", "points of one strip", "points of several strips", "points of several images"])
def way(request, monkeypatch):
    """How a 3 x 3 convolution is computed: two groups of images with a dU of their own, or one dU of all."""
    by_points = request.param != "definition"
    monkeypatch.setattr(convolution, "LEAST_CHANNELS", 1 if by_points else 10**9)
    if request.param == "points of several strips":
        monkeypatch.setattr(winograd, "SMALL", 0)
        monkeypatch.setattr(winograd, "CHUNK_BYTES", 1)
    if request.param == "points of several images":
        monkeypatch.setattr(winograd, "SMALL", 0)
        monkeypatch.setattr(winograd, "STRIP_BYTES", 10**9)
        monkeypatch.setattr(winograd, "LEAST_STRIPS", 2)


def same(got, expected, dtype):
    """Checks equal shape and dtype, and equal values up to rounding."""
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape
    assert got.dtype == expected.dtype == dtype
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE[dtype] * scale)


def unchanged(arrays, call):
    """Returns the result of `call`, and checks that it changes none of the arrays."""
    before = [a.copy() for a in arrays]
    result = call()
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)
    return result


GEOMETRIES = {  # kernel (KH, KW) and options, for images of 7 x 8 pixels
    "plain": ((3, 3), {}),
    "stride and padding": ((3, 2), {"stride": 2, "padding": 1}),
    "everything by axis": ((2, 3), {"stride": (1, 3), "padding": (0, 2), "dilation": (2, 1)}),
    "stride larger than the kernel": ((1, 2), {"stride": 3, "padding": (2, 0), "dilation": (1, 2)}),
    "padding larger than the kernel": ((2, 2), {"padding": 5}),
    "dilation by axis, padding": ((2, 3), {"padding": 1, "dilation": (1, 3)}),
    "stride and dilation by axis": ((1, 3), {"stride": 2, "dilation": (1, 2)}),
    "kernel as large as the image": ((7, 8), {}),
    "1 x 1": ((1, 1), {}),
    "1 x 1, stride": ((1, 1), {"stride": 2}),
    "1 x 1, vertical stride": ((1, 1), {"stride": (2, 1)}),
    "1 x 1, padding": ((1, 1), {"padding": 1}),
    "1 x 1, horizontal padding": ((1, 1), {"padding": (0, 1)}),
    "as wide as the image": ((3, 3), {"padding": 1}),
    "as wide as the image, dilation": ((1, 5), {"padding": (2, 4), "dilation": 2}),
    "as wide as the image, fewer rows": ((2, 3), {"padding": (0, 1)}),
    "as wide as the image, vertical stride": ((3, 3), {"stride": (2, 1), "padding": 1}),
    "1 x 1, as wide as the image by horizontal stride": ((1, 1), {"stride": (1, 2), "padding": (0, 4)}),
    "outer columns see only padding": ((1, 3), {"padding": (0, 9), "dilation": (1, 9)}),
    "outer rows see only padding": ((2, 1), {"padding": (9, 0)}),
    "outer rows and columns of the kernel see only padding": ((3, 3), {"padding": (9, 1), "dilation": (9, 1)}),
}


@dtypes
@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("bias", [True, False])
def test_conv2d(geometry, bias, dtype, random):
    kernel, options = GEOMETRIES[geometry]
    x, weight = random((3, 2, 7, 8), dtype), random((4, 2, *kernel), dtype)
    b = random(4, dtype) if bias else None
    out, cache = unchanged((x, weight), lambda: conv2d.conv2d(x, weight, b, **options))
    expected, readable = functional.conv2d(x, weight, b, **options)
    same(out, expected, dtype)
    dout = random(out.shape, dtype)
    gradients = unchanged((dout, x, weight), lambda: conv2d.conv2d_backward(dout, cache))
    wanted = functional.conv2d_backward(dout, readable)
    assert (gradients[2] is None) == (not bias)
    for got, want in zip(gradients[: 2 + bias], wanted[: 2 + bias], strict=True):
        same(got, want, dtype)


def test_an_image_is_cut_into_strips_that_fit(monkeypatch):
    """Rows of tiles of two images, 8 x 3 tiles each: two rows fit into a strip."""
    g = geometry_of((2, 3, 31, 12), (20, 3, 3, 3), (1, 1), (1, 1), (1, 1))
    monkeypatch.setattr(winograd, "STRIP_BYTES", 36 * (3 + 20) * 4 * 8)
    strips = winograd.strips_of(g, 2, 20, 4)
    rows = [(0, 8), (8, 16), (16, 24), (24, 31)]
    assert strips.tolist() == [[n, n + 1, *row] for n in range(2) for row in rows]
    monkeypatch.setattr(winograd, "STRIP_BYTES", 1)
    assert winograd.strips_of(g, 2, 20, 4)[1].tolist() == [0, 1, 4, 8]
    monkeypatch.setattr(winograd, "STRIP_BYTES", 10**9)
    assert winograd.strips_of(g, 2, 20, 4).tolist() == [[0, 1, 0, 31], [1, 2, 0, 31]]


@pytest.mark.parametrize("limit", ["STRIP_BYTES", "LEAST_STRIPS"])
def test_small_images_come_several_to_a_strip(monkeypatch, limit):
    """Three of ten images per strip, under each of the limits; an image has 2 x 2 tiles."""
    g = geometry_of((10, 3, 8, 7), (20, 3, 3, 3), (1, 1), (1, 1), (1, 1))
    monkeypatch.setattr(winograd, "STRIP_BYTES", 36 * (3 + 20) * 4 * 15 if limit == "STRIP_BYTES" else 10**9)
    monkeypatch.setattr(winograd, "LEAST_STRIPS", 1 if limit == "STRIP_BYTES" else 4)
    assert winograd.strips_of(g, 10, 20, 4).tolist() == [[0, 3, 0, 8], [3, 6, 0, 8], [6, 9, 0, 8], [9, 10, 0, 8]]


@pytest.mark.parametrize(("side", "size"), [(3, 3), (4, 4), (5, 3), (6, 3), (7, 4), (8, 4), (9, 3), (12, 4), (24, 4)])
def test_tiles_have_the_size_that_needs_fewer_products(side, size):
    g = geometry_of((1, 8, side, side), (8, 8, 3, 3), (1, 1), (1, 1), (1, 1))
    assert winograd.tile_size(g) == size


@dtypes
@pytest.mark.parametrize("channels", [1, 5, 16, 21])
@pytest.mark.parametrize("size", [(2, 2), (5, 4)])
def test_upsample_nearest2d(channels, size, dtype, random):
    x = random((3, channels, *size), dtype)
    out, cache = unchanged((x,), lambda: upsample.upsample_nearest2d(x, 2))
    expected, readable = functional.upsample_nearest2d(x, 2)
    same(out, expected, dtype)
    dout = random(out.shape, dtype)
    dx = unchanged((dout,), lambda: upsample.upsample_nearest2d_backward(dout, cache))
    same(dx, functional.upsample_nearest2d_backward(dout, readable), dtype)


def block_arguments(random, dtype, bias=True, affine=True, kernel=3):
    """x, weight, bias, scale and shift. Some scales are negative, one shift is far larger than its scale."""
    x, weight = random((3, 2, 7, 9), dtype), random((4, 2, kernel, kernel), dtype)
    scale, shift = np.array([1.2, -0.7, 0.4, 0.02], dtype), np.array([0.1, 0.5, -0.2, 0.9], dtype)
    return x, weight, random(4, dtype) if bias else None, *((scale, shift) if affine else (None, None))


pools = pytest.mark.parametrize("pool", [True, False], ids=["pool", "no pool"])


@dtypes
@pools
@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize(("bias", "affine"), [(True, True), (False, True), (True, False)])
@pytest.mark.parametrize(("padding", "kernel"), [(0, 3), (1, 3), ((0, 2), 3), ((2, 0), 3), (0, 1)], ids=str)
def test_conv_block(padding, kernel, bias, affine, given, pool, dtype, random, rng):
    arguments = block_arguments(random, dtype, bias, affine, kernel)
    statistics = (random(4, dtype), rng.uniform(0.5, 2, 4).astype(dtype)) if given else (None, None)
    options = {"padding": padding, "eps": 0.03, "pool": pool}
    arrays = [a for a in (*arguments, *statistics) if a is not None]
    out, cache = unchanged(arrays, lambda: conv_block.conv_block(*arguments, *statistics, **options))
    expected, readable = functional.conv_block(*arguments, *statistics, **options)
    same(out, expected, dtype)
    assert given or (out == 0).any()
    assert cache.statistics.elements == readable.statistics.elements
    same(cache.statistics.mean, readable.statistics.mean, dtype)
    same(cache.statistics.var, readable.statistics.var, dtype)
    dout = random(out.shape, dtype)
    wanted = functional.conv_block_backward(dout, readable)
    for input_gradient in (True, False):
        gradients = unchanged((dout, *arrays), partial(conv_block.conv_block_backward, dout, cache, input_gradient))
        assert (gradients.dx is None) == (not input_gradient)
        assert (gradients.dbias is None) == (not bias)
        for name, got in gradients._asdict().items():
            if got is not None:
                same(got, getattr(wanted, name), dtype)


def pixel_by_pixel(x):
    """Arguments of a block whose convolution and batch norm, with given statistics, change nothing."""
    one, zero = np.ones(1, x.dtype), np.zeros(1, x.dtype)
    return x, np.ones((1, 1, 1, 1), x.dtype), None, one, zero, zero, one


@pools
def test_conv_block_of_one_window(pool, random):
    x, *others = block_arguments(random, np.float64)
    size = 4 if pool else 3
    x = np.ascontiguousarray(x[..., :size, :size])
    out, cache = conv_block.conv_block(x, *others, pool=pool)
    expected, readable = functional.conv_block(x, *others, pool=pool)
    same(out, expected, np.float64)
    assert out.shape == (3, 4, 1, 1)
    dout = random(out.shape, np.float64)
    dx = conv_block.conv_block_backward(dout, cache).dx
    same(dx, functional.conv_block_backward(dout, readable).dx, np.float64)


@pytest.mark.parametrize(("pool", "size"), [(True, (4, 4)), (False, (3, 4)), (False, (4, 3))])
def test_conv_block_of_the_fewest_numbers(pool, size, random):
    """The smallest number that has statistics is two; a pool needs four."""
    x, weight, *others = block_arguments(random, np.float64)
    x = np.ascontiguousarray(x[:1, :, : size[0], : size[1]])
    out, cache = conv_block.conv_block(x, weight, *others, pool=pool)
    expected, readable = functional.conv_block(x, weight, *others, pool=pool)
    same(out, expected, np.float64)
    dout = random(out.shape, np.float64)
    wanted = functional.conv_block_backward(dout, readable)
    same(conv_block.conv_block_backward(dout, cache).dweight, wanted.dweight, np.float64)


@dtypes
@pools
def test_conv_block_lets_no_gradient_through_at_zero(pool, dtype):
    x = np.zeros((1, 1, 4, 4), dtype)
    x[0, 0, 0, 0] = 1
    out, cache = conv_block.conv_block(*pixel_by_pixel(x), pool=pool)
    gradients = conv_block.conv_block_backward(np.ones(out.shape, dtype), cache)
    assert gradients.dshift == 1
    assert np.count_nonzero(gradients.dx) == 1


@dtypes
@pools
def test_conv_block_lets_nan_through(pool, dtype):
    x = np.zeros((2, 1, 4, 4), dtype)
    x[0, 0, 0, 0] = x[1, 0, 3, 2] = np.nan
    out, cache = conv_block.conv_block(*pixel_by_pixel(x), pool=pool)
    np.testing.assert_array_equal(out, functional.conv_block(*pixel_by_pixel(x), pool=pool)[0])
    assert np.isnan(out).sum() == 2
    gradients = conv_block.conv_block_backward(np.ones(out.shape, dtype), cache)
    assert gradients.dshift == 2
    np.testing.assert_array_equal(gradients.dx != 0, np.isnan(x))


@pools
@pytest.mark.parametrize("number", [-np.inf, np.nan])
@pytest.mark.parametrize("place", [(0, 0), (4, 6), (2, 6), (4, 1)])
def test_an_element_without_a_gradient_makes_dscale_nan_if_it_is_not_finite(place, number, pool, random):
    """0 x_hat is NaN, as in the readable function, even in the last row and column, which belong to no window."""
    x = random((2, 1, 5, 7), np.float64)
    x[1, 0, *place] = number
    arguments = pixel_by_pixel(x)
    out, cache = conv_block.conv_block(*arguments, pool=pool)
    _, readable = functional.conv_block(*arguments, pool=pool)
    dout = random(out.shape, np.float64)
    got, expected = conv_block.conv_block_backward(dout, cache), functional.conv_block_backward(dout, readable)
    assert np.isnan(got.dscale).all()
    assert np.isnan(expected.dscale).all()
    np.testing.assert_array_equal(got.dx, expected.dx)
    assert np.isfinite(got.dx).all()


@pools
def test_conv_block_lets_no_gradient_through_where_the_normalised_number_is_zero(pool):
    """With the statistics of the batch: their mean is 0, and so is every second number."""
    x = np.array([[3.0, 0, -3, 0], [0, -1, 0, 1], [2, 0, 0, -2], [0, 0, 0, 0]])[None, None]
    arguments = x, np.ones((1, 1, 1, 1)), None, np.ones(1), np.zeros(1)
    out, cache = conv_block.conv_block(*arguments, pool=pool)
    _, readable = functional.conv_block(*arguments, pool=pool)
    dout = np.arange(1.0, 1 + out.size).reshape(out.shape)
    got, expected = conv_block.conv_block_backward(dout, cache), functional.conv_block_backward(dout, readable)
    same(got.dx, expected.dx, np.float64)


@pools
def test_an_infinite_running_mean_makes_dscale_nan(pool, random):
    x, weight, bias, scale, shift, mean, var = pixel_by_pixel(random((2, 1, 4, 6), np.float64))
    arguments = x, weight, bias, scale, shift, mean + np.inf, var
    out, cache = conv_block.conv_block(*arguments, pool=pool)
    assert not out.any()
    _, readable = functional.conv_block(*arguments, pool=pool)
    for block, kept in ((conv_block, cache), (functional, readable)):
        assert np.isnan(block.conv_block_backward(np.ones(out.shape), kept).dscale).all()


@pools
@pytest.mark.parametrize("shift", [0, 0.5])
def test_conv_block_of_a_scale_of_zero(shift, pool, random):
    """The last batch norm of a residual body may begin like this."""
    x, weight, bias, _, _ = block_arguments(random, np.float64)
    arguments = x, weight, bias, np.zeros(4), np.full(4, float(shift))
    out, cache = conv_block.conv_block(*arguments, pool=pool)
    _, readable = functional.conv_block(*arguments, pool=pool)
    dout = random(out.shape, np.float64)
    wanted = functional.conv_block_backward(dout, readable)
    for got, want in zip(conv_block.conv_block_backward(dout, cache), wanted, strict=True):
        same(got, want, np.float64)


@pools
@pytest.mark.parametrize("spread", [1e-3, 1, 1e3])
@pytest.mark.parametrize(("scale", "shift"), [(1e-3, 100), (1, 0.3), (-1e-3, 100), (1e-3, 0.002)])
def test_conv_block_keeps_the_digits_of_a_scale_far_smaller_than_its_shift(scale, shift, spread, pool, random):
    """In float32, 100 + 0.001 x_hat keeps three digits of x_hat: dscale must not be computed from the sum.

    For the same reason float32 finds ties in a window that float64 does not find. So both sum over the same winners.
    """
    x, weight = random((3, 2, 8, 9), np.float64), random((1, 2, 3, 3), np.float64) * spread
    arguments = [x, weight, None, np.array([scale]), np.array([float(shift)])]
    single = [None if a is None else a.astype(np.float32) for a in arguments]
    exact = [None if a is None else a.astype(np.float64) for a in single]
    out, cache = conv_block.conv_block(*single, eps=1e-12, pool=pool)
    _, readable = functional.conv_block(*exact, eps=1e-12, pool=pool)
    if pool:
        readable = readable._replace(
            max_pool2d=readable.max_pool2d._replace(winner=np.ascontiguousarray(images_of(cache.winner)))
        )
    dout = random(out.shape, np.float32)
    got = conv_block.conv_block_backward(dout, cache)
    expected = functional.conv_block_backward(dout.astype(np.float64), readable)
    np.testing.assert_allclose(got.dscale, expected.dscale, rtol=0, atol=2e-5 * np.abs(dout).sum())


@dtypes
@pytest.mark.parametrize("place", range(4))
def test_conv_block_takes_the_first_of_equals(place, dtype):
    """In each window the largest number is at `place` and at all later places."""
    window = np.array([-1, -1, -1, -1], dtype)
    window[place:] = 2
    x = np.tile(window.reshape(1, 1, 2, 2), (1, 1, 2, 2))
    arguments = x, np.ones((1, 1, 1, 1), dtype), None, None, None, np.zeros(1, dtype), np.ones(1, dtype)
    out, cache = conv_block.conv_block(*arguments)
    assert (cache.winner == place).all()
    dx = conv_block.conv_block_backward(np.ones(out.shape, dtype), cache).dx
    np.testing.assert_allclose(dx[0, 0, :2, :2].reshape(-1), np.eye(4)[place], atol=1e-4)


@dtypes
@pytest.mark.parametrize("images", [1, 2, 5])
@pytest.mark.parametrize("rows", [3, 9, 10, 11])
def test_linear(rows, images, dtype, random):
    x, weight, bias = random((images, 13), dtype), random((rows, 13), dtype), random(rows, dtype)
    for b in (bias, None):
        out, cache = unchanged((x, weight), partial(linear.linear, x, weight, b))
        expected, readable = functional.linear(x, weight, b)
        same(out, expected, dtype)
        dout = random(out.shape, dtype)
        dx, factors, dbias = unchanged((dout, x, weight), partial(linear.linear_backward, dout, cache))
        wanted = functional.linear_backward(dout, readable)
        assert isinstance(factors, Factors)
        same(dx, wanted[0], dtype)
        same(factors.product(), wanted[1], dtype)
        assert (dbias is None) == (b is None)
        if dbias is not None:
            same(dbias, wanted[2], dtype)


RULE = (3, 0.1, (0.8, 0.95), 0.01, 0.3)  # step, lr, betas, eps, weight_decay; none of them small enough to hide
decays = pytest.mark.parametrize("decoupled", [False, True])


@dtypes
@decays
def test_adam(decoupled, dtype, random):
    arrays = [random((5, 4), dtype), random((5, 4), dtype), random((5, 4), dtype), random((5, 4), dtype) ** 2]
    expected = [a.copy() for a in arrays]
    adam.adam_update(*arrays, *RULE, decoupled)
    functional.adam_update(*expected, *RULE, decoupled)
    for got, want in zip(arrays, expected, strict=True):
        same(got, want, dtype)


@dtypes
@decays
@pytest.mark.parametrize("images", [1, 4, 6, 9])
def test_adam_of_factors(images, decoupled, dtype, random):
    """Seven rows, of which the last has no partner, and more columns than one tile."""
    param, exp_avg, exp_avg_sq = random((7, 13), dtype), random((7, 13), dtype), random((7, 13), dtype) ** 2
    factors = Factors(random((images, 7), dtype), random((images, 13), dtype))
    expected = [a.copy() for a in (param, exp_avg, exp_avg_sq)]
    unchanged(
        (factors.left, factors.right), lambda: adam.adam_update(param, factors, exp_avg, exp_avg_sq, *RULE, decoupled)
    )
    functional.adam_update(expected[0], factors, *expected[1:], *RULE, decoupled)
    for got, want in zip((param, exp_avg, exp_avg_sq), expected, strict=True):
        same(got, want, dtype)


@dtypes
@pytest.mark.parametrize("images", range(1, 9))
@pytest.mark.parametrize("rows", range(1, 10))
def test_adam_of_factors_moves_every_row(rows, images, dtype, random):
    """For every number of rows and images that is left after the last whole piece."""
    shape = rows, 6
    arrays = [random(shape, dtype), random(shape, dtype), random(shape, dtype) ** 2]
    factors = Factors(random((images, rows), dtype), random((images, 6), dtype))
    before, expected = arrays[0].copy(), [a.copy() for a in arrays]
    adam.adam_update(arrays[0], factors, *arrays[1:], *RULE)
    functional.adam_update(expected[0], factors, *expected[1:], *RULE)
    assert (arrays[0] != before).any(axis=1).all()
    for got, want in zip(arrays, expected, strict=True):
        same(got, want, dtype)


@dtypes
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm(affine, given, dtype, random, rng):
    x = 2 + 3 * random((3, 2, 4, 5), dtype)
    weight, bias = (random(2, dtype), random(2, dtype)) if affine else (None, None)
    statistics = {"mean": random(2, dtype), "var": rng.uniform(0.5, 2, 2).astype(dtype)} if given else {}
    out, cache = unchanged((x,), lambda: batch_norm.batch_norm(x, weight, bias, **statistics, eps=0.03))
    expected, readable = functional.batch_norm(x, weight, bias, **statistics, eps=0.03)
    same(out, expected, dtype)
    for got, want in zip(
        functional.running_update(np.ones(2, dtype), np.ones(2, dtype), cache, 0.3),
        functional.running_update(np.ones(2, dtype), np.ones(2, dtype), readable, 0.3),
        strict=True,
    ):
        same(got, want, dtype)
    dout = random(out.shape, dtype)
    gradients = unchanged((dout, x), lambda: batch_norm.batch_norm_backward(dout, cache))
    for got, want in zip(gradients, functional.batch_norm_backward(dout, readable), strict=True):
        same(got, want, dtype)


@pytest.mark.parametrize("shape", [(2, 3, 1), (1, 5, 2), (3, 2, 4), (2, 1, 1, 1), (1, 1, 2)], ids=str)
def test_batch_norm_of_other_shapes(shape, random):
    """Three dimensions, and only two numbers per channel."""
    x, dout = random(shape, np.float64), random(shape, np.float64)
    out, cache = batch_norm.batch_norm(x, eps=0.3)
    expected, readable = functional.batch_norm(x, eps=0.3)
    same(out, expected, np.float64)
    gradients = batch_norm.batch_norm_backward(dout, cache)
    for got, want in zip(gradients, functional.batch_norm_backward(dout, readable), strict=True):
        same(got, want, np.float64)


@dtypes
def test_relu(dtype, random):
    x = random((4, 5), dtype)
    x[0, :2] = 0, -0.0
    out, cache = unchanged((x,), lambda: relu.relu(x))
    same(out, functional.relu(x)[0], dtype)
    dout = random((4, 5), dtype)
    same(relu.relu_backward(dout, cache), functional.relu_backward(dout, functional.relu(x)[1]), dtype)


@dtypes
@pytest.mark.parametrize("shape", [(2, 3, 4, 6), (2, 3, 5, 4), (2, 3, 4, 7), (1, 2, 9, 4), (1, 1, 2, 2)], ids=str)
def test_max_pool2d(shape, dtype, random, rng):
    x = rng.integers(0, 3, shape).astype(dtype)  # with many ties
    out, cache = unchanged((x,), lambda: max_pool2d.max_pool2d(x, 2))
    expected, readable = functional.max_pool2d(x, 2)
    same(out, expected, dtype)
    dout = random(out.shape, dtype)
    same(max_pool2d.max_pool2d_backward(dout, cache), functional.max_pool2d_backward(dout, readable), dtype)


@dtypes
@pytest.mark.parametrize("place", range(4))
def test_max_pool2d_lets_nan_win(place, dtype, random):
    x = np.arange(8, dtype=dtype).reshape(1, 1, 2, 4)
    x[0, 0, place // 2, place % 2] = np.nan
    out, cache = max_pool2d.max_pool2d(x, 2)
    expected, readable = functional.max_pool2d(x, 2)
    np.testing.assert_array_equal(out, expected)
    dout = random(out.shape, dtype)
    same(max_pool2d.max_pool2d_backward(dout, cache), functional.max_pool2d_backward(dout, readable), dtype)
