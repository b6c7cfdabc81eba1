"""flatten and Flatten beside PyTorch."""

import pytest
import torch
from torch import nn

from numpynet import Flatten
from numpynet.functional import flatten, flatten_backward
from tests.parity.helper import both_dtypes, check, check_layer, seeded


@both_dtypes
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 3, 4, 5), (3, 1, 1, 1), (2, 6)])
@pytest.mark.parametrize("start_dim", [0, 1])
def test_function(shape, start_dim, dtype):
    x = seeded(shape).standard_normal(shape)
    check("flatten", flatten, flatten_backward, torch.flatten, [x], dtype, start_dim=start_dim)


@both_dtypes
def test_layer(dtype):
    check_layer("Flatten", Flatten(), nn.Flatten(), (2, 3, 4, 5), dtype)
