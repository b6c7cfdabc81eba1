"""Parameter: which data and gradients it accepts, and how gradients add up."""

import numpy as np
import pytest

from numpynet import Linear, Parameter, ReLU, Residual, use
from numpynet.kernels.factors import Factors
from tests.seeds import seeded


@pytest.mark.parametrize(
    ("grad", "words"),
    [
        (np.ones(3), r"grad: the gradient must be float64 \(6,\), got float64 \(3,\)"),
        (np.ones((6, 1)), r"got float64 \(6, 1\)"),
        (np.ones(()), r"got float64 \(\)"),
        (np.ones(6, np.float32), r"got float32 \(6,\)"),
        (np.ones(6, int), r"got int64 \(6,\)"),
        ([1.0] * 6, "got list"),
        (1.0, "got float"),
        (Factors(np.ones((2, 6)), np.ones((2, 1))), r"got float64 \(6, 1\)"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_gradient_that_does_not_fit_is_refused_and_the_old_one_stays(grad, words):
    parameter = Parameter(np.ones(6))
    parameter.grad = np.full(6, 2.0)
    with pytest.raises(ValueError, match=words):
        parameter.grad = grad
    with pytest.raises(ValueError, match=words.replace("grad: ", "add_grad: ")):
        parameter.add_grad(grad)
    np.testing.assert_array_equal(parameter.grad, 2)


def test_a_gradient_that_fits_may_be_set_and_forgotten():
    parameter = Parameter(np.ones((2, 3), np.float32))
    assert parameter.grad is None
    parameter.grad = np.full((2, 3), 4, np.float32)
    np.testing.assert_array_equal(parameter.grad, 4)
    parameter.grad = None
    assert parameter.grad is None


@pytest.mark.parametrize("data", [np.ones(3, int), np.ones(3, bool), np.ones(3, complex), "weights", None], ids=str)
def test_data_is_of_floating_point(data):
    with pytest.raises(ValueError, match="Parameter: data must be an array of floating-point numbers"):
        Parameter(data)
    parameter = Parameter(np.ones(3))
    with pytest.raises(ValueError, match="Parameter: data must be an array of floating-point numbers"):
        parameter.data = data
    np.testing.assert_array_equal(parameter.data, 1)


@pytest.mark.parametrize(
    "data", [np.ones(4), np.ones((3, 1)), np.ones(3, np.float32)], ids=lambda a: f"{a.dtype}{a.shape}"
)
def test_data_that_the_gradient_does_not_fit_is_refused(data):
    parameter = Parameter(np.ones(3))
    parameter.add_grad(np.ones(3))
    with pytest.raises(ValueError, match=r"Parameter: data must be float64 \(3,\), as its gradient is.*zero_grad"):
        parameter.data = data
    parameter.zero_grad()
    parameter.data = data
    assert parameter.data is data


@pytest.mark.parametrize("batches", [(2, 5), (5, 2), (1, 3, 2)])
@pytest.mark.parametrize("kept", ["arrays", "factors", "factors, then arrays", "arrays, then factors"])
def test_batches_of_any_sizes_add_up(kept, batches):
    """The second batch may be larger or smaller; it does not replace the first."""
    rng = seeded("batches", kept, batches)
    parameter, expected = Parameter(np.zeros((4, 6))), np.zeros((4, 6))
    for i, size in enumerate(batches):
        factors = Factors(rng.standard_normal((size, 4)), rng.standard_normal((size, 6)))
        expected += factors.left.T @ factors.right
        as_array = {"arrays": True, "factors": False, "factors, then arrays": i > 0}.get(kept, i == 0)
        parameter.add_grad(factors.product() if as_array else factors)
    np.testing.assert_allclose(parameter.grad, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("ops", ["readable", "fast"])
def test_two_batches_through_a_large_layer_add_up(ops):
    """Large enough for the fast layer to keep its gradient as factors."""
    rng = seeded("large layer")
    layer = Linear(1030, 1024, rng=0)
    expected = np.zeros((1024, 1030))
    with use(ops):
        for size in (2, 7):
            x, dout = rng.standard_normal((size, 1030)), rng.standard_normal((size, 1024))
            expected += dout.T @ x
            _, cache = layer.forward(x.astype(np.float32))
            layer.backward(dout.astype(np.float32), cache)
    np.testing.assert_allclose(layer.weight.grad, expected, rtol=1e-4, atol=1e-4)


def test_adding_changes_no_array_that_was_given():
    rng = seeded("add_grad")
    first, second = rng.standard_normal((2, 3))
    copies = first.copy(), second.copy()
    parameter = Parameter(np.zeros(3))
    parameter.add_grad(first)
    parameter.add_grad(second)
    np.testing.assert_array_equal(parameter.grad, copies[0] + copies[1])
    np.testing.assert_array_equal(first, copies[0])
    np.testing.assert_array_equal(second, copies[1])


@pytest.mark.parametrize("body", [[], [ReLU()], [Linear(3, 3, rng=0), ReLU()]], ids=len)
def test_a_residual_changes_neither_x_nor_dout(body):
    rng = seeded("residual")
    net = Residual(*body).astype(np.float64)
    x, dout = rng.standard_normal((2, 4, 3))
    before = x.copy(), dout.copy()
    out, cache = net.forward(x)
    dx = net.backward(dout, cache)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(dout, before[1])
    np.testing.assert_array_equal(net(x), out)
    assert not np.shares_memory(dx, dout)
    assert not np.shares_memory(out, x)
    frozen = dout.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(net.backward(frozen, cache), dx)


def test_a_gradient_may_have_the_other_byte_order():
    """Kernels return the machine's byte order; a parameter from a file may have the other one."""
    parameter = Parameter(np.zeros(3, ">f4"))
    parameter.add_grad(np.array([1, 2, 3], "<f4"))
    parameter.add_grad(np.array([1, 2, 3], ">f4"))
    np.testing.assert_array_equal(parameter.grad, [2, 4, 6])
