"""Optimizers without torch: their steps, their state and their errors."""

import numpy as np
import pytest

from numpynet import SGD, Adam, AdamW, Parameter
from numpynet.blocks import BLOCK
from tests.seeds import seeded


def minimise(optimizer_of, steps=300):
    """Minimise x^2 + 10 y^2, whose gradient is known, from (4, -3)."""
    parameter = Parameter(np.array([4.0, -3.0]))
    optimizer = optimizer_of([parameter])
    for _ in range(steps):
        parameter.add_grad(parameter.data * [2.0, 20.0])
        optimizer.step()
        optimizer.zero_grad()
    return parameter.data


@pytest.mark.parametrize(
    "optimizer_of",
    [
        lambda params: Adam(params, lr=0.1),
        lambda params: AdamW(params, lr=0.1),
        lambda params: SGD(params, lr=0.04),
        lambda params: SGD(params, lr=0.02, momentum=0.8),
        lambda params: SGD(params, lr=0.02, momentum=0.8, nesterov=True),
    ],
)
def test_finds_the_bottom_of_a_bowl(optimizer_of):
    np.testing.assert_allclose(minimise(optimizer_of), 0, atol=1e-2)


def test_adam_in_blocks_moves_every_number_of_a_large_parameter():
    rng = seeded("adam in blocks")
    size = 2 * BLOCK + 17
    parameter = Parameter(np.zeros((size,)))
    optimizer = Adam([parameter], lr=0.5)
    grad = rng.choice([-1.0, 1.0], size) * rng.uniform(0.5, 2.0, size)
    parameter.add_grad(grad)
    optimizer.step()
    np.testing.assert_allclose(parameter.data, -0.5 * np.sign(grad), rtol=1e-4)


def test_a_parameter_without_gradient_stays():
    moved, still = Parameter(np.ones(3)), Parameter(np.ones(3))
    optimizer = Adam([moved, still])
    moved.add_grad(np.ones(3))
    optimizer.step()
    assert (moved.data < 1).all()
    np.testing.assert_array_equal(still.data, 1)
    assert set(optimizer.state_dict()) == {"step.0", "exp_avg.0", "exp_avg_sq.0"}


@pytest.mark.parametrize("optimizer_of", [Adam, AdamW, SGD])
def test_a_rate_of_zero_is_allowed_and_moves_nothing(optimizer_of):
    parameter = Parameter(np.ones(3))
    parameter.add_grad(np.ones(3))
    optimizer_of([parameter], lr=0.0).step()
    np.testing.assert_array_equal(parameter.data, 1)


def test_state_dict_goes_on_where_it_stopped():
    def run(parameter, optimizer, steps):
        for grad in np.random.default_rng(0).standard_normal((steps, 4)):
            parameter.add_grad(grad)
            optimizer.step()
            optimizer.zero_grad()

    one = Parameter(np.ones(4))
    optimizer = Adam([one], lr=0.1)
    run(one, optimizer, 3)
    two = Parameter(one.data.copy())
    other = Adam([two], lr=0.1)
    other.load_state_dict(optimizer.state_dict())
    run(one, optimizer, 3)
    run(two, other, 3)
    np.testing.assert_array_equal(one.data, two.data)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda p: Adam([]), "Adam: no parameters given"),
        (lambda p: Adam(p, lr=-1.0), "Adam: lr must be at least 0, got -1.0"),
        (lambda p: Adam(p, betas=(0.9, 1.0)), "Adam: betas must lie in 0 .. 1"),
        (lambda p: AdamW(p, betas=(1.0, 0.9)), "AdamW: betas must lie in 0 .. 1"),
        (lambda p: SGD(p, nesterov=True), "SGD: nesterov needs a momentum"),
        (lambda p: Adam(p).load_state_dict({"exp_avg.1": np.ones(3)}), "exp_avg.1 belongs to no parameter"),
        (lambda p: Adam(p).load_state_dict({"exp_avg.0": np.ones(2)}), r"exp_avg.0 must have shape \(3,\), got \(2,\)"),
    ],
)
def test_errors(call, words):
    with pytest.raises(ValueError, match=words):
        call([Parameter(np.ones(3))])


@pytest.mark.parametrize("optimizer_of", [lambda p: SGD(p, 0.1, momentum=0.9), Adam, AdamW])
def test_parameters_in_the_other_order_of_bytes_are_moved_as_well(optimizer_of):
    moved = []
    for dtype in (">f8", "<f8"):
        parameter = Parameter(np.arange(3.0).astype(dtype))
        optimizer = optimizer_of([parameter])
        for _ in range(3):
            parameter.grad = np.arange(3.0) + 1
            optimizer.step()
        moved.append(parameter.data)
    np.testing.assert_allclose(*moved, rtol=4 * np.finfo(float).eps)  # the kernels round in other places


def test_the_names_of_what_a_rule_remembers():
    parameters = [Parameter(np.ones(3))]
    assert Adam(parameters).names == ("step", "exp_avg", "exp_avg_sq")
    assert SGD(parameters, momentum=0.9).names == ("momentum_buffer",)
    assert SGD(parameters).names == ()
