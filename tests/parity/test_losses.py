"""The losses beside PyTorch: the functions with an upstream gradient, and the criteria of the training loop."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from numpynet import FocalLoss, L1Loss, MSELoss, SmoothL1Loss, WingLoss
from numpynet import functional as F
from numpynet.functional import mse_loss, mse_loss_backward, smooth_l1_loss, smooth_l1_loss_backward
from reference.training import FocalLoss as TorchFocalLoss
from reference.training import WingLoss as TorchWingLoss
from tests.parity.helper import both_dtypes, check, compare, seeded

SHAPES = [(4, 136), (1, 136), (1, 1), (2, 3, 4, 5)]
reductions = pytest.mark.parametrize("reduction", ["mean", "sum"])
betas = pytest.mark.parametrize("beta", [1.0, 0.1, 3.0, 0.0])


def arrays(*about):
    """An input and a target whose differences lie on both sides of every beta above."""
    rng = seeded(*about)
    return [3 * rng.standard_normal(about[0]), rng.standard_normal(about[0])]


@both_dtypes
@reductions
@pytest.mark.parametrize("shape", SHAPES)
def test_mse(shape, reduction, dtype):
    torch_mse = torch.nn.functional.mse_loss
    check("mse_loss", mse_loss, mse_loss_backward, torch_mse, arrays(shape), dtype, constants=1, reduction=reduction)


@both_dtypes
@reductions
@betas
@pytest.mark.parametrize("shape", SHAPES)
def test_smooth_l1(shape, beta, reduction, dtype):
    functions = smooth_l1_loss, smooth_l1_loss_backward, torch.nn.functional.smooth_l1_loss
    check("smooth_l1_loss", *functions, arrays(shape), dtype, constants=1, reduction=reduction, beta=beta)


@both_dtypes
@betas
def test_smooth_l1_at_the_kink_and_beside_it(beta, dtype):
    steps = np.array([-2, -1 - 1e-6, -1, -1 + 1e-6, -0.5, -1e-20, 0, 1e-20, 0.5, 1 - 1e-6, 1, 1 + 1e-6, 2])
    difference = steps[None] * (beta or 1.0)
    functions = smooth_l1_loss, smooth_l1_loss_backward, torch.nn.functional.smooth_l1_loss
    inputs = [difference, np.zeros_like(difference)]
    check("smooth_l1_loss", *functions, inputs, dtype, constants=1, beta=beta)


@both_dtypes
@reductions
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_focal(shape, gamma, reduction, dtype):
    x, target = arrays(shape, gamma)
    target = (target > 0).astype(np.float64)
    weight = seeded(shape).uniform(0, 2, shape)
    functions = F.focal_loss, F.focal_loss_backward

    def composed(x, target, weight, reduction, gamma):
        return TorchFocalLoss(reduction, gamma)(x, target, weight)

    check("focal_loss", *functions, composed, [x, target, weight], dtype, constants=2, reduction=reduction, gamma=gamma)
    loss, dout = FocalLoss(reduction, gamma)(x, target, weight)
    expected, cache = F.focal_loss(x, target, weight, reduction, gamma)
    assert loss == expected
    np.testing.assert_array_equal(dout, F.focal_loss_backward(1.0, cache))


WINGS = [(0.2, 0.05), (2.0, 0.3), (0.5, 4.0)]


@both_dtypes
@pytest.mark.parametrize(("w", "eps"), WINGS)
@pytest.mark.parametrize("shape", SHAPES)
def test_wing(shape, w, eps, dtype):
    def composed(x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return TorchWingLoss(w, eps)(x, target)

    def ours(x, target):
        return F.wing_loss(x, target, w=w, eps=eps)

    check("wing_loss", ours, F.wing_loss_backward, composed, arrays(shape), dtype, constants=1)


@both_dtypes
@pytest.mark.parametrize(("w", "eps"), WINGS)
def test_wing_at_zero_and_beside_the_kink(w, eps, dtype):
    """Beside the kink, not at it: the slope jumps there, and rounding decides whether |d| < w."""
    difference = w * np.array([[-2, -1 - 1e-5, -1 + 1e-5, -0.5, -1e-20, 0, 1e-20, 0.5, 1 - 1e-5, 1 + 1e-5, 2]])
    tensor = torch.tensor(difference.astype(dtype), requires_grad=True)
    expected = TorchWingLoss(w, eps)(tensor, torch.zeros_like(tensor))
    expected.backward()
    loss, dout = WingLoss(w=w, eps=eps)(tensor.detach().numpy(), np.zeros_like(difference, dtype))
    compare("wing_loss", "output", "loss", np.asarray(loss, dtype), expected.detach().numpy())
    assert tensor.grad is not None
    compare("wing_loss", "gradient", "dout", dout, tensor.grad.numpy())


def summed(x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """PyTorch's wing loss as a sum instead of a mean."""
    return TorchWingLoss()(x, target) * x.numel()


CRITERIA: dict[str, tuple[Any, ...]] = {
    "MSELoss": (MSELoss, nn.MSELoss, {}),
    "MSELoss, sum": (MSELoss, nn.MSELoss, {"reduction": "sum"}),
    "L1Loss": (L1Loss, nn.L1Loss, {}),
    "L1Loss, sum": (L1Loss, nn.L1Loss, {"reduction": "sum"}),
    "WingLoss": (WingLoss, TorchWingLoss, {}),
    "WingLoss, w, eps": (WingLoss, TorchWingLoss, {"w": 0.7, "eps": 0.4}),
    "WingLoss, sum": (WingLoss, lambda reduction: summed, {"reduction": "sum"}),
    "SmoothL1Loss": (SmoothL1Loss, nn.SmoothL1Loss, {}),
    "SmoothL1Loss, sum, beta": (SmoothL1Loss, nn.SmoothL1Loss, {"reduction": "sum", "beta": 0.3}),
}


@both_dtypes
@pytest.mark.parametrize("case", CRITERIA)
def test_criterion(case, dtype):
    ours, theirs, options = CRITERIA[case]
    out, target = (a.astype(dtype) for a in arrays((4, 136), case))
    loss, dout = ours(**options)(out, target)
    tensor = torch.tensor(out, requires_grad=True)
    expected = theirs(**options)(tensor, torch.from_numpy(target))
    expected.backward()
    compare("criterion", "output", case, np.asarray(loss, dtype), expected.detach().numpy())
    assert tensor.grad is not None
    compare("criterion", "gradient", case, dout, tensor.grad.numpy())
