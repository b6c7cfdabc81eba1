"""ConvBlock, which is convolution, batch norm, ReLU and an optional pool in one, beside PyTorch's separate layers."""

import pytest
from torch import nn

from numpynet import BatchNorm2d, Conv2d, MaxPool2d, ReLU, Sequential, fuse
from numpynet.fuse import ConvBlock
from tests.parity.helper import both_dtypes, check_layer


@both_dtypes
@pytest.mark.parametrize("pool", [True, False], ids=["pool", "no pool"])
@pytest.mark.parametrize("shape", [(4, 3, 12, 10), (1, 3, 9, 11), (2, 3, 50, 90), (19, 3, 6, 6)], ids=str)
@pytest.mark.parametrize("padding", [0, 1, (2, 0)], ids=str)
@pytest.mark.parametrize("options", [{}, {"eps": 0.2, "momentum": None}, {"affine": False}], ids=str)
def test_fused_layers_over_two_steps_then_eval(options, padding, shape, pool, dtype):
    """Without the convolution's bias: its gradient is rounding noise. tests/layers/test_fuse.py tests the bias."""
    ours = [Conv2d(3, 5, 3, padding=padding, bias=False), BatchNorm2d(5, **options), ReLU(), MaxPool2d(2)]
    theirs = [nn.Conv2d(3, 5, 3, padding=padding, bias=False), nn.BatchNorm2d(5, **options), nn.ReLU(), nn.MaxPool2d(2)]
    fused = fuse(Sequential(*ours[: 3 + pool]))
    assert [type(layer) for layer in fused.path()] == [ConvBlock]
    check_layer("ConvBlock", fused, nn.Sequential(*theirs[: 3 + pool]), shape, dtype, steps=2)
