"""relu and ReLU beside PyTorch."""

import numpy as np
import pytest
import torch
from torch import nn

from numpynet import ReLU
from numpynet.functional import relu, relu_backward
from tests.parity.helper import both_dtypes, check, check_layer, seeded


@both_dtypes
@pytest.mark.parametrize("shape", [(4, 5), (1, 1), (2, 3, 4, 5), (1, 1, 7, 3)])
def test_function(shape, dtype):
    check("relu", relu, relu_backward, torch.nn.functional.relu, [seeded(shape).standard_normal(shape)], dtype)


@both_dtypes
def test_slope_at_zero_is_zero(dtype):
    x = np.array([[0.0, -0.0, 1e-30, -1e-30, 3, -3]])
    check("relu", relu, relu_backward, torch.nn.functional.relu, [x], dtype)


@both_dtypes
def test_layer(dtype):
    check_layer("ReLU", ReLU(), nn.ReLU(), (2, 3, 4, 5), dtype)
