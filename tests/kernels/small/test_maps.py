"""What works on each channel by itself: batch norm, ReLU, pooling and upsampling."""

from functools import partial

import numpy as np
import pytest

from numpynet import functional
from numpynet.kernels.pixels import has_channels_last, images_of
from tests.kernels.small.comparing import batch_norm, dtypes, max_pool2d, relu, same, unchanged, upsample


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
def test_relu_keeps_channels_last(dtype, random):
    x = images_of(random((2, 3, 4, 5), dtype))
    out, cache = unchanged((x,), lambda: relu.relu(x))
    expected, readable = functional.relu(x)
    same(out, expected, dtype)
    for dout in (random(out.shape, dtype), images_of(random((2, 3, 4, 5), dtype))):
        dx = unchanged((dout,), partial(relu.relu_backward, dout, cache))
        same(dx, functional.relu_backward(dout, readable), dtype)
        assert has_channels_last(dx)
    assert has_channels_last(out)
    assert has_channels_last(cache.out)


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
