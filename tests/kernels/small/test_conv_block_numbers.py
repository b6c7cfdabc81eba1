"""The block at zeros, ties, and numbers that are not finite."""

import numpy as np
import pytest

from numpynet import functional
from tests.kernels.small.comparing import conv_block, dtypes, pools, same


def pixel_by_pixel(x):
    """Arguments of a block whose convolution and batch norm, with given statistics, change nothing."""
    one, zero = np.ones(1, x.dtype), np.zeros(1, x.dtype)
    return x, np.ones((1, 1, 1, 1), x.dtype), None, one, zero, zero, one


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
