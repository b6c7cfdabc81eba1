"""Adam, AdamW and SGD beside PyTorch, step by step on random gradients; each side goes on from the other's state."""

from typing import Any

import numpy as np
import pytest
import torch

from numpynet import SGD, Adam, AdamW, Parameter
from numpynet.schedules import one_cycle
from reference.optimizers import load_optimizer_state, optimizer_state
from tests.parity.helper import both_dtypes, compare, seeded

STEPS = 6
SHAPES = [(5, 3), (7,), (2, 3, 3, 3)]

CASES: dict[str, tuple[Any, ...]] = {
    "Adam": (Adam, torch.optim.Adam, {}),
    "Adam, lr": (Adam, torch.optim.Adam, {"lr": 0.1}),
    "Adam, betas": (Adam, torch.optim.Adam, {"betas": (0.5, 0.7)}),
    "Adam, no momentum": (Adam, torch.optim.Adam, {"betas": (0.0, 0.99)}),
    "Adam, weight decay": (Adam, torch.optim.Adam, {"weight_decay": 0.3}),
    "Adam, eps that matters": (Adam, torch.optim.Adam, {"eps": 0.5}),
    "Adam, everything": (Adam, torch.optim.Adam, {"lr": 0.02, "betas": (0.8, 0.9), "eps": 0.1, "weight_decay": 0.2}),
    "AdamW": (AdamW, torch.optim.AdamW, {}),
    "AdamW, weight decay": (AdamW, torch.optim.AdamW, {"lr": 0.1, "weight_decay": 0.3}),
    "AdamW, no decay": (AdamW, torch.optim.AdamW, {"weight_decay": 0.0}),
    "AdamW, everything": (AdamW, torch.optim.AdamW, {"lr": 0.02, "betas": (0.8, 0.9), "eps": 0.1, "weight_decay": 2.0}),
    "SGD": (SGD, torch.optim.SGD, {"lr": 0.1}),
    "SGD, weight decay": (SGD, torch.optim.SGD, {"lr": 0.1, "weight_decay": 0.3}),
    "SGD, momentum": (SGD, torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    "SGD, dampening": (SGD, torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.4}),
    "SGD, nesterov": (SGD, torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "SGD, everything": (
        SGD,
        torch.optim.SGD,
        {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.2, "nesterov": True},
    ),
}
cases = pytest.mark.parametrize("case", CASES)


def make(case, dtype):
    """Parameters with the same values and an optimizer on both sides, and a random generator."""
    ours, theirs, options = CASES[case]
    rng = seeded(case)
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]
    params, tensors = [Parameter(a.copy()) for a in arrays], [torch.tensor(a, requires_grad=True) for a in arrays]
    return params, ours(params, **options), tensors, theirs(tensors, **options), rng


def steps(count, params, optimizer, tensors, torch_optimizer, rng, scale=1.0, schedule=None):
    """Move both sides by the same random gradients; compare parameters and states after each step."""
    for i in range(count):
        if schedule is not None:
            optimizer.lr = torch_optimizer.param_groups[0]["lr"] = schedule(i)
        for parameter, tensor in zip(params, tensors, strict=True):
            grad = (scale * rng.standard_normal(parameter.data.shape)).astype(parameter.data.dtype)
            parameter.zero_grad()
            parameter.add_grad(grad.copy())
            tensor.grad = torch.from_numpy(grad.copy())
        optimizer.step()
        torch_optimizer.step()
        name = type(optimizer).__name__
        for parameter, tensor in zip(params, tensors, strict=True):
            compare(name, "output", "parameter", parameter.data, tensor.detach().numpy())
            assert tensor.grad is not None
            assert np.array_equal(parameter.grad, tensor.grad.numpy()), "the step changed the gradient"
        wanted = optimizer_state(torch_optimizer)
        assert optimizer.state_dict().keys() == wanted.keys()
        for key, array in optimizer.state_dict().items():
            compare(name, "output", key, array, wanted[key])


@both_dtypes
@cases
def test_steps(case, dtype):
    steps(STEPS, *make(case, dtype))


@both_dtypes
@pytest.mark.parametrize("case", ["Adam, weight decay", "AdamW", "AdamW, weight decay", "AdamW, everything"])
def test_many_steps_at_a_rate_that_changes(case, dtype):
    steps(80, *make(case, dtype), schedule=one_cycle(0.1, 80))


@both_dtypes
@pytest.mark.parametrize("scale", [1e-4, 1e-8, 1e-12])
def test_adam_if_eps_is_of_the_gradients_size(scale, dtype):
    """If eps were added inside the root or before the bias correction, these steps would change by half."""
    params, optimizer, tensors, torch_optimizer, rng = make("Adam", dtype)
    steps(STEPS, params, optimizer, tensors, torch_optimizer, rng, scale)


@both_dtypes
def test_adam_if_a_gradient_is_zero_or_missing(dtype):
    params, optimizer, tensors, torch_optimizer, rng = make("Adam, weight decay", dtype)
    before = params[1].data.copy()
    for parameter, tensor in zip(params[::2], tensors[::2], strict=True):
        parameter.add_grad(np.zeros_like(parameter.data))
        tensor.grad = torch.zeros_like(tensor)
    optimizer.step()
    torch_optimizer.step()
    for parameter, tensor in zip(params, tensors, strict=True):
        compare("Adam", "output", "parameter", parameter.data, tensor.detach().numpy())
    assert np.array_equal(params[1].data, before)
    steps(2, params, optimizer, tensors, torch_optimizer, rng)


@both_dtypes
@cases
def test_state_of_numpynet_goes_on_in_torch(case, dtype):
    params, optimizer, tensors, torch_optimizer, rng = make(case, dtype)
    steps(2, params, optimizer, tensors, torch_optimizer, rng)
    fresh = type(torch_optimizer)(tensors, **CASES[case][2])
    load_optimizer_state(fresh, optimizer.state_dict())
    steps(2, params, optimizer, tensors, fresh, rng)


@both_dtypes
@cases
def test_state_of_torch_goes_on_in_numpynet(case, dtype):
    params, optimizer, tensors, torch_optimizer, rng = make(case, dtype)
    steps(2, params, optimizer, tensors, torch_optimizer, rng)
    fresh = type(optimizer)(params, **CASES[case][2])
    fresh.load_state_dict(optimizer_state(torch_optimizer))
    steps(2, params, fresh, tensors, torch_optimizer, rng)


def test_state_of_other_parameters_is_refused():
    *_, torch_optimizer, _ = make("Adam", "float32")
    with pytest.raises(ValueError, match=r"exp_avg\.0 must have shape \(5, 3\), got \(2, 2\)"):
        load_optimizer_state(torch_optimizer, {"exp_avg.0": np.zeros((2, 2), np.float32)})
    with pytest.raises(ValueError, match=r"exp_avg\.3 belongs to no parameter"):
        load_optimizer_state(torch_optimizer, {"exp_avg.3": np.zeros((2, 2), np.float32)})


def test_a_parameter_whose_memory_is_transposed_is_moved_too():
    array = seeded("transposed").standard_normal((4, 6)).T
    assert not array.flags.c_contiguous
    parameter, tensor = Parameter(array.copy(order="K")), torch.tensor(array, requires_grad=True)
    optimizer, torch_optimizer = Adam([parameter], lr=0.1), torch.optim.Adam([tensor], lr=0.1)
    steps(2, [parameter], optimizer, [tensor], torch_optimizer, seeded("transposed"))
