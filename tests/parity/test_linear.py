"""linear and Linear beside PyTorch."""

import pytest
import torch
from torch import nn

from numpynet import Linear
from numpynet.functional import linear, linear_backward
from tests.parity.helper import both_dtypes, check, check_layer, seeded

CASES = {  # N, inputs, outputs
    "ordinary": (5, 7, 4),
    "one image": (1, 7, 4),
    "one input": (5, 1, 4),
    "one output": (5, 7, 1),
    "one of everything": (1, 1, 1),
    "square": (6, 6, 6),  # a forgotten transpose raises no error here
    "long sums": (3, 5000, 4),
}


@both_dtypes
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("case", CASES)
def test_function(case, bias, dtype):
    count, inputs, outputs = CASES[case]
    rng = seeded(case)
    arrays = [rng.standard_normal(s) for s in ((count, inputs), (outputs, inputs), (outputs,))][: 2 + bias]
    check("linear", linear, linear_backward, torch.nn.functional.linear, arrays, dtype)


@both_dtypes
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_layer(bias, dtype):
    check_layer("Linear", Linear(7, 4, bias=bias), nn.Linear(7, 4, bias=bias), (5, 7), dtype)
