"""max_pool2d and MaxPool2d beside PyTorch."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from numpynet import MaxPool2d
from numpynet.functional import max_pool2d, max_pool2d_backward
from tests.parity.helper import both_dtypes, check, check_layer, seeded

CASES: dict[str, tuple[Any, ...]] = {  # x, options
    "as in the net": ((2, 3, 8, 8), {"kernel_size": 2}),
    "as in the net, odd image": ((2, 3, 9, 7), {"kernel_size": 2, "stride": 2}),
    "one image, one channel": ((1, 1, 6, 6), {"kernel_size": 2}),
    "1 x 1": ((2, 3, 5, 5), {"kernel_size": 1}),
    "overlapping": ((2, 3, 8, 8), {"kernel_size": 3, "stride": 2}),
    "overlapping much": ((2, 3, 8, 8), {"kernel_size": 4, "stride": 1}),
    "stride larger than kernel": ((2, 3, 10, 10), {"kernel_size": 2, "stride": 3}),
    "non-square kernel": ((2, 3, 8, 9), {"kernel_size": (3, 2)}),
    "stride by axis": ((2, 3, 8, 9), {"kernel_size": 3, "stride": (1, 2)}),
    "padding": ((2, 3, 6, 6), {"kernel_size": 2, "padding": 1}),
    "padding, overlapping": ((2, 3, 7, 7), {"kernel_size": 3, "stride": 1, "padding": 1}),
    "padding by axis": ((2, 3, 7, 7), {"kernel_size": (2, 5), "padding": (0, 2)}),
    "dilation": ((2, 3, 9, 9), {"kernel_size": 2, "dilation": 3}),
    "dilation by axis": ((2, 3, 9, 9), {"kernel_size": 3, "stride": 1, "dilation": (1, 3)}),
    "ceil": ((2, 3, 9, 9), {"kernel_size": 2, "ceil_mode": True}),
    "ceil, overlapping": ((2, 3, 8, 8), {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
    "ceil, last window starts beyond the padding": ((2, 3, 3, 3), {"kernel_size": 2, "padding": 1, "ceil_mode": True}),
    "ceil, stride larger than kernel": ((2, 3, 8, 8), {"kernel_size": 2, "stride": 5, "ceil_mode": True}),
    "ceil, padding": ((2, 3, 7, 8), {"kernel_size": 3, "stride": 3, "padding": 1, "ceil_mode": True}),
    "ceil, two beyond the image": ((2, 3, 7, 10), {"kernel_size": 3, "stride": 3, "ceil_mode": True}),
    "ceil, dilation": ((2, 3, 10, 11), {"kernel_size": 3, "stride": 2, "dilation": 2, "ceil_mode": True}),
    "everything": (
        (2, 3, 12, 15),
        {"kernel_size": (3, 2), "stride": (2, 3), "padding": (1, 1), "dilation": (2, 3), "ceil_mode": True},
    ),
    "more than 256 in a window": ((1, 2, 20, 20), {"kernel_size": 18, "stride": 1}),
}


def values(kind: str, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers that reveal a pool which pads with zero ("negative") or breaks ties unlike PyTorch ("tied")."""
    x = seeded(kind, shape).standard_normal(shape)
    if kind == "negative":
        return -5 - np.abs(x)
    return x if kind == "distinct" else np.round(x)  # about five different numbers, so there are many ties


@both_dtypes
@pytest.mark.parametrize("kind", ["distinct", "negative", "tied"])
@pytest.mark.parametrize("case", CASES)
def test_function(case, kind, dtype):
    shape, options = CASES[case]
    x = values(kind, shape)
    check("max_pool2d", max_pool2d, max_pool2d_backward, torch.nn.functional.max_pool2d, [x], dtype, **options)


@both_dtypes
@pytest.mark.parametrize("stride", [1, 2])
def test_constant_image_sends_all_to_the_first_of_each_window(stride, dtype):
    x, options = np.full((2, 2, 6, 6), -1.5), {"kernel_size": 3, "stride": stride}
    check("max_pool2d", max_pool2d, max_pool2d_backward, torch.nn.functional.max_pool2d, [x], dtype, **options)


@both_dtypes
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_win(bad, dtype):
    x = values("distinct", (1, 2, 6, 6))
    x[0, :, 2, 3] = bad
    check(
        "max_pool2d",
        max_pool2d,
        max_pool2d_backward,
        torch.nn.functional.max_pool2d,
        [x],
        dtype,
        kernel_size=3,
        stride=1,
    )


@both_dtypes
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 2},
        {"kernel_size": 2, "padding": 1},
        {"kernel_size": (5, 4), "stride": 1, "padding": 2, "dilation": 2},
        {"kernel_size": (4, 5), "stride": (3, 1), "padding": (1, 2), "dilation": (1, 2)},
    ],
    ids=str,
)
def test_a_window_of_minus_infinity_has_its_winner_inside_the_image(options, dtype):
    x = np.full((1, 1, 8, 9), -np.inf)
    x[0, 0, 7, 8] = 1
    check("max_pool2d", max_pool2d, max_pool2d_backward, torch.nn.functional.max_pool2d, [x], dtype, **options)


@both_dtypes
@pytest.mark.parametrize(
    "options",
    [{"kernel_size": 2}, {"kernel_size": (3, 2), "stride": 2, "padding": 1, "dilation": (1, 2), "ceil_mode": True}],
)
def test_layer(options, dtype):
    check_layer("MaxPool2d", MaxPool2d(**options), nn.MaxPool2d(**options), (2, 3, 9, 8), dtype)
