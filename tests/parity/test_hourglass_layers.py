"""The layers that only the hourglass uses, beside PyTorch: upsampling, soft argmax and Residual."""

import pytest
import torch
from torch import nn

from numpynet import BatchNorm2d, Conv2d, MaxPool2d, ReLU, Residual, Sequential, SoftArgmax2d, Upsample
from numpynet.functional import (
    soft_argmax2d,
    soft_argmax2d_backward,
    upsample_nearest2d,
    upsample_nearest2d_backward,
)
from reference import models
from tests.parity.helper import both_dtypes, check, check_layer, seeded

SHAPES = [(2, 3, 4, 5), (1, 1, 1, 1), (3, 2, 1, 7), (2, 68, 6, 6)]


@both_dtypes
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("factor", [1, 2, 3])
def test_upsample(shape, factor, dtype):
    def theirs(x: torch.Tensor, scale_factor: int) -> torch.Tensor:
        return nn.functional.interpolate(x, scale_factor=scale_factor, mode="nearest")

    x = seeded(shape).standard_normal(shape)
    check(
        "upsample_nearest2d", upsample_nearest2d, upsample_nearest2d_backward, theirs, [x], dtype, scale_factor=factor
    )


@both_dtypes
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("steepness", [1, 30])
def test_soft_argmax(shape, steepness, dtype):
    x = steepness * seeded(shape).standard_normal(shape)
    check("soft_argmax2d", soft_argmax2d, soft_argmax2d_backward, models.SoftArgmax2d(), [x], dtype)


@both_dtypes
def test_layers(dtype):
    check_layer("upsample_nearest2d", Upsample(2), nn.Upsample(scale_factor=2), (2, 3, 4, 5), dtype)
    check_layer("soft_argmax2d", SoftArgmax2d(), models.SoftArgmax2d(), (2, 3, 4, 5), dtype)


class TorchResidual(nn.Sequential):
    """x + layers(x), printed under the name of numpynet's layer."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + super().forward(x)

    def _get_name(self) -> str:
        return "Residual"


@both_dtypes
def test_residual_inside_a_residual(dtype):
    """As in the hourglass: pool, a residual on the smaller map, upsample."""
    ours = Residual(
        MaxPool2d(2),
        Residual(Conv2d(3, 4, 3, padding=1, bias=False), BatchNorm2d(4), ReLU(), Conv2d(4, 3, 1, bias=False)),
        Upsample(2),
    )
    theirs = TorchResidual(
        nn.MaxPool2d(2),
        TorchResidual(
            nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 1, bias=False)
        ),
        nn.Upsample(scale_factor=2),
    )
    check_layer("Residual", Sequential(ours), nn.Sequential(theirs), (4, 3, 6, 8), dtype, steps=2)
