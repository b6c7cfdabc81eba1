"""Linear layers, and Adam, which takes their gradients as factors."""

from functools import partial

import pytest

from numpynet import functional
from numpynet.kernels.factors import Factors
from tests.kernels.small.comparing import adam, dtypes, linear, same, unchanged


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
