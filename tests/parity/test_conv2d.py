"""conv2d and Conv2d beside PyTorch."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from numpynet import Conv2d
from numpynet.functional import conv2d, conv2d_backward
from tests.parity.helper import both_dtypes, check, check_layer, seeded

CASES: dict[str, tuple[Any, ...]] = {  # x, weight, options
    "as in the net": ((2, 3, 8, 8), (4, 3, 3, 3), {}),
    "one image": ((1, 3, 8, 8), (4, 3, 3, 3), {}),
    "one channel": ((2, 1, 8, 8), (4, 1, 3, 3), {}),
    "one filter": ((2, 3, 8, 8), (1, 3, 3, 3), {}),
    "1 x 1 kernel": ((2, 3, 5, 5), (4, 3, 1, 1), {}),
    "1 x 1 kernel, stride": ((2, 3, 7, 7), (4, 3, 1, 1), {"stride": 3}),
    "kernel as large as the image": ((2, 3, 4, 5), (2, 3, 4, 5), {}),
    "non-square image": ((2, 3, 6, 11), (4, 3, 3, 3), {}),
    "non-square kernel": ((2, 3, 9, 9), (4, 3, 2, 5), {}),
    "even kernel": ((2, 3, 9, 9), (4, 3, 4, 4), {"padding": 2}),
    "stride, overlapping": ((2, 3, 9, 9), (4, 3, 3, 3), {"stride": 2}),
    "stride, the last pixels unseen": ((2, 3, 10, 12), (4, 3, 3, 3), {"stride": 2}),
    "stride larger than kernel": ((2, 3, 11, 11), (4, 3, 2, 2), {"stride": 3}),
    "stride by axis": ((2, 3, 9, 11), (4, 3, 3, 3), {"stride": (1, 3)}),
    "padding": ((2, 3, 6, 6), (4, 3, 3, 3), {"padding": 1}),
    "padding larger than the image": ((2, 3, 2, 3), (4, 3, 3, 3), {"padding": 4}),
    "padding by axis": ((2, 3, 6, 6), (4, 3, 3, 3), {"padding": (0, 2)}),
    "dilation": ((2, 3, 9, 9), (4, 3, 3, 3), {"dilation": 2}),
    "dilation by axis": ((2, 3, 9, 12), (4, 3, 3, 3), {"dilation": (1, 4)}),
    "everything": ((3, 2, 11, 14), (5, 2, 3, 2), {"stride": (2, 3), "padding": (2, 1), "dilation": (1, 2)}),
}


@both_dtypes
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("case", CASES)
def test_function(case, bias, dtype):
    x, weight, options = CASES[case]
    rng = seeded(case)
    inputs = [rng.standard_normal(s) for s in (x, weight, weight[:1])][: 2 + bias]
    check("conv2d", conv2d, conv2d_backward, torch.nn.functional.conv2d, inputs, dtype, **options)


@both_dtypes
def test_inputs_of_one_sign_far_from_zero(dtype):
    rng = seeded("one sign")
    inputs = [-100 - rng.random((2, 3, 7, 7)), 1 + rng.random((4, 3, 3, 3)), rng.standard_normal(4)]
    check("conv2d", conv2d, conv2d_backward, torch.nn.functional.conv2d, inputs, dtype, padding=1)


@both_dtypes
@pytest.mark.parametrize("kernel", [3, (2, 4)])
@pytest.mark.parametrize(
    "options", [{}, {"stride": 2, "padding": 1, "bias": False}, {"dilation": (2, 1), "padding": (0, 1)}]
)
def test_layer(kernel, options, dtype):
    check_layer("Conv2d", Conv2d(3, 4, kernel, **options), nn.Conv2d(3, 4, kernel, **options), (2, 3, 9, 10), dtype)


def test_transposed_memory_gives_the_same_numbers():
    rng = seeded("memory")
    x, weight = rng.standard_normal((7, 6, 3, 2)).T, rng.standard_normal((3, 3, 3, 4)).T
    assert not x.flags.c_contiguous
    check("conv2d", conv2d, conv2d_backward, torch.nn.functional.conv2d, [np.asarray(x), weight], "float64")
