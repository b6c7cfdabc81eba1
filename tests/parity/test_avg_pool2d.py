"""avg_pool2d and AvgPool2d beside PyTorch."""

from typing import Any

import pytest
import torch
from torch import nn

from numpynet import AvgPool2d
from numpynet.functional import avg_pool2d, avg_pool2d_backward
from tests.parity.helper import both_dtypes, check, check_layer, seeded

CASES: dict[str, tuple[Any, ...]] = {  # x, options
    "halves": ((2, 3, 8, 8), {"kernel_size": 2}),
    "halves an odd image": ((2, 3, 9, 7), {"kernel_size": 2, "stride": 2}),
    "one image, one channel": ((1, 1, 6, 6), {"kernel_size": 2}),
    "1 x 1": ((2, 3, 5, 5), {"kernel_size": 1}),
    "the whole image": ((2, 3, 5, 4), {"kernel_size": (5, 4)}),
    "overlapping": ((2, 3, 8, 9), {"kernel_size": 3, "stride": 2}),
    "overlapping much": ((2, 3, 8, 8), {"kernel_size": 4, "stride": 1}),
    "stride larger than kernel": ((2, 3, 10, 11), {"kernel_size": 2, "stride": 3}),
    "non-square kernel": ((2, 3, 8, 9), {"kernel_size": (3, 2)}),
    "stride by axis": ((2, 3, 8, 9), {"kernel_size": 3, "stride": (1, 2)}),
    "padding": ((2, 3, 6, 6), {"kernel_size": 2, "padding": 1}),
    "padding, overlapping": ((2, 3, 7, 5), {"kernel_size": 3, "stride": 1, "padding": 1}),
    "padding by axis": ((2, 3, 7, 7), {"kernel_size": (2, 5), "padding": (0, 2)}),
    "ceil": ((2, 3, 9, 9), {"kernel_size": 2, "ceil_mode": True}),
    "ceil, overlapping": ((2, 3, 8, 8), {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
    "ceil, last window starts beyond the padding": ((2, 3, 3, 3), {"kernel_size": 2, "padding": 1, "ceil_mode": True}),
    "ceil, stride larger than kernel": ((2, 3, 8, 8), {"kernel_size": 2, "stride": 5, "ceil_mode": True}),
    "ceil, padding": ((2, 3, 7, 8), {"kernel_size": 3, "stride": 3, "padding": 1, "ceil_mode": True}),
    "ceil, two beyond the image": ((2, 3, 7, 10), {"kernel_size": 3, "stride": 3, "ceil_mode": True}),
    "ceil, beyond the padding": ((2, 3, 8, 6), {"kernel_size": 4, "stride": 3, "padding": 2, "ceil_mode": True}),
    "everything": (
        (2, 3, 12, 15),
        {"kernel_size": (3, 4), "stride": (2, 3), "padding": (1, 2), "ceil_mode": True},
    ),
}


@both_dtypes
@pytest.mark.parametrize("count_include_pad", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_function(case, count_include_pad, dtype):
    shape, options = CASES[case]
    options = {**options, "count_include_pad": count_include_pad}
    x = 3 + seeded(shape).standard_normal(shape)  # a mean far from 0 shows a wrong divisor
    check("avg_pool2d", avg_pool2d, avg_pool2d_backward, torch.nn.functional.avg_pool2d, [x], dtype, **options)


@both_dtypes
def test_padding_counts_unless_told_otherwise(dtype):
    x = 3 + seeded("default").standard_normal((1, 2, 5, 4))
    options = {"kernel_size": 3, "padding": 1}
    check("avg_pool2d", avg_pool2d, avg_pool2d_backward, torch.nn.functional.avg_pool2d, [x], dtype, **options)


@both_dtypes
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 2},
        {"kernel_size": (3, 2), "stride": 2, "padding": 1, "ceil_mode": True},
        {"kernel_size": 4, "stride": (3, 2), "padding": (2, 1), "ceil_mode": True, "count_include_pad": False},
    ],
)
def test_layer(options, dtype):
    check_layer("AvgPool2d", AvgPool2d(**options), nn.AvgPool2d(**options), (2, 3, 9, 8), dtype)
