"""Factors behave like the array they stand for: reading, adding and learning use their product."""

import copy
import importlib
import pickle

import numpy as np
import pytest

from numpynet import SGD, Adam, AdamW, Linear, Parameter, use
from numpynet.kernels.factors import Factors

LEAST = 1 << 10
"""What the fast Linear takes for a large weight here: tests.mutation runs this file uncompiled."""


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(importlib.import_module("numpynet.kernels.linear"), "LEAST", LEAST)
    monkeypatch.setattr(importlib.import_module("numpynet.kernels.adam"), "TILE", 64)


both = pytest.mark.parametrize("ops", ["readable", "fast"])


def factors(images, seed=0, outputs=37, inputs=101, dtype=np.float64):
    rng = np.random.default_rng(seed)
    left, right = rng.standard_normal((images, outputs)), rng.standard_normal((images, inputs))
    return Factors(left.astype(dtype), right.astype(dtype))


def parameter(dtype=np.float64):
    return Parameter(np.random.default_rng(9).standard_normal((37, 101)).astype(dtype))


READINGS = {
    "np.asarray": np.asarray,
    "print": repr,
    "sum": lambda grad: grad.sum(),
    "an operator": lambda grad: 2 * grad + 1,
    "a ufunc": np.square,
    "an index": lambda grad: (grad[3], grad[:, 2], grad[1:4], grad[grad > 0]),
    "a loop": list,
    "the transpose": lambda grad: grad.T,
    "a matrix product": lambda grad: grad @ grad.T,
}


@both
@pytest.mark.parametrize("optimizer_of", [Adam, AdamW, lambda p: SGD(p, momentum=0.5)])
@pytest.mark.parametrize("reading", READINGS.values(), ids=READINGS)
def test_reading_the_gradient_changes_nothing_that_the_optimizer_does(reading, optimizer_of, ops):
    """Bit for bit, in a layer that keeps its gradient as factors, also if another gradient is added later."""
    moved = []
    for reads in (False, True):
        layer, rng = Linear(LEAST // 64, 64, rng=0), np.random.default_rng(4)
        optimizer = optimizer_of(layer.parameters())
        with use(ops):
            for _ in range(2):
                x = rng.standard_normal((5, layer.in_features)).astype(np.float32)
                out, cache = layer.forward(x)
                layer.backward(rng.standard_normal(out.shape).astype(np.float32), cache)
                if reads:
                    reading(layer.weight.grad)
            optimizer.step()
        moved.append(layer.weight.data)
    assert not np.array_equal(moved[0], Linear(LEAST // 64, 64, rng=0).weight.data)
    np.testing.assert_array_equal(moved[1], moved[0])


@pytest.mark.parametrize("reading", READINGS.values(), ids=READINGS)
def test_reading_factors_gives_the_product(reading):
    """Each way of reading gives the same result as on the array."""
    pair = factors(3, outputs=7, inputs=5)
    got, expected = reading(pair), reading(pair.left.T @ pair.right)
    if reading is repr:
        assert got == f"Factors({expected})"
    elif isinstance(expected, tuple):
        for one, other in zip(got, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12)
    else:
        np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_it_describes_itself_as_the_array_does():
    pair = factors(3, dtype=np.float32)
    array = pair.left.T @ pair.right
    for name in ("shape", "dtype", "ndim", "size", "nbytes", "itemsize"):
        assert getattr(pair, name) == getattr(array, name), name
    assert len(pair) == len(array)
    assert not hasattr(pair, "no_such_thing")
    with pytest.raises(ValueError, match="truth value"):
        bool(pair)


def test_the_product_is_made_only_when_somebody_needs_it(monkeypatch):
    def never(self):
        raise AssertionError("multiplied out")

    monkeypatch.setattr(Factors, "product", never)
    pair = factors(3)
    assert (pair + pair).shape == pair.shape
    assert pair.size == 37 * 101
    assert pair[2:4].shape == (2, 101)
    p = parameter()
    p.add_grad(pair)
    p.add_grad(pair)
    assert p.grad.dtype == np.float64
    with use("fast"):
        Adam([p]).step()
    with pytest.raises(AssertionError, match="multiplied out"):
        np.asarray(p.grad)


def test_an_array_of_it_is_read_only_and_a_copy_is_not():
    """Otherwise numbers written into a temporary product would be lost."""
    pair = factors(3)
    for array in (np.asarray(pair), pair.T, pair[:, 1]):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    for fresh in (np.array(pair), pair.copy(), pair.astype(np.float64)):
        fresh[...] = 0
    assert np.asarray(pair, np.float32).dtype == np.float32
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(pair, copy=False)
    assert np.abs(pair).min() > 0


WRITINGS = {
    "an operator": lambda p: p.grad.__imul__(0.5),
    "an assignment": lambda p: setattr(p, "grad", p.grad * 0.5),
    "an operator with assignment": lambda p: exec("p.grad *= 0.5", {"p": p}),
    "an index": lambda p: p.grad.__setitem__(slice(None), 0.5 * p.grad),
    "out": lambda p: np.multiply(p.grad, 0.5, out=p.grad),
}


@both
@pytest.mark.parametrize("optimizer_of", [lambda p: Adam(p, weight_decay=0.5), lambda p: SGD(p, lr=0.1)])
@pytest.mark.parametrize("writing", WRITINGS.values(), ids=WRITINGS)
@pytest.mark.parametrize("more", [True, False])
def test_the_optimizer_uses_what_was_written_into_the_gradient(more, writing, optimizer_of, ops):
    """With a weight decay, since Adam's first step is the same for a gradient of half the size. more: a second pass."""
    moved, grads = [], []
    for change in (writing, lambda p: setattr(p, "grad", np.array(p.grad) * 0.5)):
        p = parameter()
        p.add_grad(factors(3))
        change(p)
        if more:
            p.add_grad(factors(2, 1))
        with use(ops):
            optimizer_of([p]).step()
        moved.append(p.data)
        grads.append(np.asarray(p.grad))
    expected = 0.5 * factors(3).product() + more * factors(2, 1).product()
    np.testing.assert_allclose(grads[0], expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(grads[0], grads[1])
    np.testing.assert_array_equal(moved[0], moved[1])


@pytest.mark.parametrize("again", [copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))], ids=["copy", "pickle"])
@pytest.mark.parametrize("written", [False, True])
def test_a_copied_parameter_has_the_gradient_too(written, again):
    p = parameter()
    p.add_grad(factors(3))
    if written:
        p.grad[0] = 7
    other = again(p)
    np.testing.assert_array_equal(other.grad, p.grad)
    assert isinstance(other.grad, Factors)
    other.grad[1] = 8
    assert np.abs(p.grad[1] - 8).min() > 0


ADDED = {"F": lambda seed: factors(2, seed), "A": lambda seed: factors(2, seed).product()}


@pytest.mark.parametrize("order", ["F", "A", "FF", "FA", "AF", "AA", "FAF", "AFA", "FFA", "AFF"])
@pytest.mark.parametrize("read", [True, False])
def test_several_backward_passes_add_up_in_any_mixture(read, order):
    """F: factors, A: an array."""
    p = parameter()
    for seed, kind in enumerate(order):
        p.add_grad(ADDED[kind](seed))
        if read:
            assert np.asarray(p.grad).shape == p.data.shape
    assert isinstance(p.grad, Factors) == ("A" not in order)
    expected = sum(factors(2, seed).product() for seed in range(len(order)))
    np.testing.assert_allclose(p.grad, expected, rtol=1e-12, atol=1e-12)
    p.zero_grad()
    assert p.grad is None


def test_an_assigned_gradient_replaces_factors():
    p, array = parameter(), factors(1).product()
    p.add_grad(factors(3))
    p.grad = array
    assert p.grad is array


def test_ufuncs_that_write_give_what_they_wrote_into():
    pair, other = factors(3), np.empty((37, 101))
    product = pair.product()
    assert np.add(pair, 1, out=other) is other
    np.testing.assert_array_equal(other, product + 1)
    assert np.multiply(pair, 0.5, out=pair) is pair
    np.testing.assert_array_equal(pair, 0.5 * product)
    quotient, rest = factors(2), np.empty((37, 101))
    written = np.divmod(product, 2, out=(quotient, rest))
    assert written[0] is quotient
    assert written[1] is rest
    np.testing.assert_allclose(2 * quotient + rest, product, rtol=1e-12, atol=1e-12)
    again = np.divmod(product, 2, out=(factors(2), None))
    np.testing.assert_array_equal(again[0], quotient)
    np.testing.assert_array_equal(again[1], rest)


def test_a_number_beside_it_does_not_change_its_dtype():
    assert (0.5 * factors(3, dtype=np.float32)).dtype == np.float32


def test_it_prints_what_was_written():
    pair = factors(2, outputs=1, inputs=2)
    pair[...] = [[3.0, 4.5]]
    assert repr(pair) == "Factors(array([[3. , 4.5]]))"


def test_its_truth_is_that_of_the_array():
    one, zero = np.ones((1, 1)), np.zeros((1, 1))
    assert bool(Factors(one, one)) is True
    assert bool(Factors(one, zero)) is False
    with pytest.raises(ValueError, match="truth value of an array"):
        bool(factors(2))


def test_factors_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"must be float64 \(37, 101\), got float64 \(37, 100\)"):
        parameter().add_grad(factors(2, inputs=100))
    with pytest.raises(ValueError, match="must be float64"):
        parameter().add_grad(factors(2, dtype=np.float32))
    with pytest.raises(ValueError, match=r"Factors: left and right must have shapes \(N, O\) and \(N, I\), got"):
        Factors(np.ones((2, 4)), np.ones((3, 5)))
    with pytest.raises(ValueError, match=r"Factors: left and right must have shapes \(N, O\)"):
        Factors(np.ones(2), np.ones((2, 5)))
    with pytest.raises(ValueError, match="Factors: left, right must be of one dtype"):
        Factors(np.ones((2, 4), np.float32), np.ones((2, 5)))


@both
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("images", [1, 4, 10, 13])
@pytest.mark.parametrize("rule", [Adam, AdamW])
def test_adam_moves_by_factors_as_by_their_product(rule, images, dtype, ops):
    """Three steps, with an odd number of rows, more columns than one tile, and images that are no multiple of four."""
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
    tolerance = 1e-9 if dtype == np.float64 else 2e-3  # relative to the step; rounding is large beside a tiny gradient
    assert np.abs(whole.data - factored.data).max() <= tolerance * 0.05
    for name in ("exp_avg.0", "exp_avg_sq.0"):
        a, b = (optimizer.state_dict()[name] for optimizer in optimizers)
        np.testing.assert_allclose(b, a, rtol=1e-3 if dtype == np.float32 else 1e-9, atol=1e-5)


def test_sgd_takes_the_product():
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
def test_the_gradient_stays_the_same_if_the_caller_reuses_its_arrays(which, order, images, ops):
    """Between backward and step: a loader may fill the same array with the next batch."""
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
    assert isinstance(layer.weight.grad, Factors)
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
            assert isinstance(layer.weight.grad, Factors) == (layer is large)
            np.testing.assert_allclose(layer.weight.grad, dout.T @ x, rtol=1e-4, atol=1e-5)
