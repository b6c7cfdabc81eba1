"""A gradient kept as the factors of a product: what is read, added up and learned is the product."""

import numpy as np
import pytest

from numpynet import SGD, Adam, AdamW, Linear, Parameter, use
from numpynet.factors import Factors
from numpynet.kernels.linear import LEAST

both = pytest.mark.parametrize("ops", ["readable", "fast"])


def factors(images, seed=0, outputs=37, inputs=5001, dtype=np.float64):
    rng = np.random.default_rng(seed)
    left, right = rng.standard_normal((images, outputs)), rng.standard_normal((images, inputs))
    return Factors(left.astype(dtype), right.astype(dtype))


def parameter(dtype=np.float64):
    return Parameter(np.random.default_rng(9).standard_normal((37, 5001)).astype(dtype))


def test_reading_the_gradient_multiplies_it_out():
    p, pair = parameter(), factors(3)
    p.add_grad(pair)
    assert p.factors is pair
    np.testing.assert_array_equal(p.grad, pair.left.T @ pair.right)
    assert p.factors is None
    p.zero_grad()
    assert p.grad is None


@pytest.mark.parametrize("read", [True, False])
def test_several_backward_passes_add_up(read):
    p, first, second = parameter(), factors(3, 1), factors(2, 2)
    p.add_grad(first)
    if read:
        assert p.grad is not None
    p.add_grad(second)
    assert (p.factors is None) == read
    np.testing.assert_allclose(p.grad, first.product() + second.product(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("factors_first", [True, False])
def test_factors_and_an_array_add_up(factors_first):
    p, pair, array = parameter(), factors(3), factors(2, 5).product()
    for grad in (pair, array) if factors_first else (array, pair):
        p.add_grad(grad)
    assert p.factors is None
    np.testing.assert_allclose(p.grad, pair.product() + array, rtol=1e-12, atol=1e-12)


def test_an_assigned_gradient_replaces_factors():
    p, array = parameter(), factors(1).product()
    p.add_grad(factors(3))
    p.grad = array
    assert p.grad is array
    p.add_grad(factors(3))
    p.zero_grad()
    assert p.grad is None
    assert p.factors is None


def test_factors_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"must be float64 \(37, 5001\), got float64 \(37, 5000\)"):
        parameter().add_grad(factors(2, inputs=5000))
    with pytest.raises(ValueError, match="must be float64"):
        parameter().add_grad(factors(2, dtype=np.float32))


@both
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("images", [1, 4, 10, 13])
@pytest.mark.parametrize("rule", [Adam, AdamW])
def test_adam_moves_by_factors_as_by_their_product(rule, images, dtype, ops):
    """Three steps; an odd number of rows, columns of more than one tile, images that are no multiple of four."""
    whole, factored = parameter(dtype), parameter(dtype)
    optimizers = [rule([p], lr=0.05, weight_decay=0.01) for p in (whole, factored)]
    with use(ops):
        for step in range(3):
            pair = factors(images, step, dtype=dtype)
            whole.add_grad(pair.product())
            factored.add_grad(pair)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()
    tolerance = 1e-9 if dtype == np.float64 else 2e-3  # of the step; a tiny gradient's rounding is a large share of it
    assert np.abs(whole.data - factored.data).max() <= tolerance * 0.05
    for name in ("exp_avg.0", "exp_avg_sq.0"):
        a, b = (optimizer.state_dict()[name] for optimizer in optimizers)
        np.testing.assert_allclose(b, a, rtol=1e-3 if dtype == np.float32 else 1e-9, atol=1e-5)


def test_another_optimizer_takes_the_product():
    whole, factored = parameter(), parameter()
    pair = factors(3)
    whole.add_grad(pair.product())
    factored.add_grad(pair)
    SGD([whole], lr=0.1).step()
    SGD([factored], lr=0.1).step()
    np.testing.assert_array_equal(factored.data, whole.data)


@both
@pytest.mark.parametrize("images", [1, 4])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("which", ["x", "dout", "both"])
def test_the_gradient_stays_what_it_was_when_the_next_batch_takes_the_callers_arrays(which, order, images, ops):
    """Between backward and step, as a loader does that fills one array again and again."""
    rng = np.random.default_rng(12)
    layer = Linear(LEAST // 64, 64, rng=0)
    x = np.asarray(rng.standard_normal((images, layer.in_features)), np.float32, order=order)
    dout = np.asarray(rng.standard_normal((images, 64)), np.float32, order=order)
    expected = dout.T @ x
    with use(ops):
        layer.backward(dout, layer.forward(x)[1])
        for name, array in (("x", x), ("dout", dout)):
            if which in (name, "both"):
                array[...] = np.nan
        SGD([layer.weight, layer.bias], lr=1.0).step()
    moved = Linear(LEAST // 64, 64, rng=0).weight.data - layer.weight.data
    np.testing.assert_allclose(moved, expected, rtol=1e-3, atol=1e-4)
    assert np.isfinite(layer.bias.grad).all()


def test_the_factors_of_two_backward_passes_of_one_buffer_add_up():
    rng = np.random.default_rng(13)
    layer, x = Linear(LEAST // 64, 64, rng=0), np.empty((2, LEAST // 64), np.float32)
    dout, expected = np.empty((2, 64), np.float32), 0
    with use("fast"):
        for _ in range(3):
            x[...], dout[...] = rng.standard_normal(x.shape), rng.standard_normal(dout.shape)
            expected = expected + dout.T @ x
            layer.backward(dout, layer.forward(x)[1])
    assert layer.weight.factors is not None
    np.testing.assert_allclose(layer.weight.grad, expected, rtol=1e-3, atol=1e-4)


def test_a_large_linear_gives_factors_and_a_small_one_an_array():
    rng = np.random.default_rng(3)
    large, little = Linear(LEAST // 64, 64, rng=0), Linear(30, 20, rng=0)
    with use("fast"):
        for layer in (large, little):
            x = rng.standard_normal((4, layer.in_features)).astype(np.float32)
            out, cache = layer.forward(x)
            dout = rng.standard_normal(out.shape).astype(np.float32)
            layer.backward(dout, cache)
            assert (layer.weight.factors is not None) == (layer is large)
            np.testing.assert_allclose(layer.weight.grad, dout.T @ x, rtol=1e-4, atol=1e-5)
