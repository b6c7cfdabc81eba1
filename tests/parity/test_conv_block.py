"""Convolution, batch norm, ReLU and pooling made one layer, beside PyTorch's four."""

import pytest
from torch import nn

from numpynet import BatchNorm2d, Conv2d, MaxPool2d, ReLU, Sequential, fuse
from numpynet.layers import ConvBlock
from tests.parity.helper import both_dtypes, check_layer


@both_dtypes
@pytest.mark.parametrize("shape", [(4, 3, 12, 10), (1, 3, 9, 11), (2, 3, 70, 133)], ids=str)
@pytest.mark.parametrize("padding", [0, 1, (2, 0)], ids=str)
@pytest.mark.parametrize("options", [{}, {"eps": 0.2, "momentum": None}, {"affine": False}], ids=str)
def test_fused_layers_over_two_steps_then_eval(options, padding, shape, dtype):
    """Without the convolution's bias, whose gradient is rounding noise; tests/layers/test_fuse.py has it."""
    ours = Sequential(Conv2d(3, 5, 3, padding=padding, bias=False), BatchNorm2d(5, **options), ReLU(), MaxPool2d(2))
    theirs = nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=padding, bias=False), nn.BatchNorm2d(5, **options), nn.ReLU(), nn.MaxPool2d(2)
    )
    fused = fuse(ours)
    assert [type(layer) for layer in fused.path()] == [ConvBlock]
    check_layer("ConvBlock", fused, theirs, shape, dtype, steps=2)
