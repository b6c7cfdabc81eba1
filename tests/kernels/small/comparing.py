"""How a kernel is compared with the readable function."""

import importlib

import numpy as np
import pytest

conv2d, conv_block, convolution, winograd, direct, pointwise, linear, adam, batch_norm, relu, max_pool2d, upsample = (
    importlib.import_module(f"numpynet.kernels.{name}")
    for name in (
        "conv2d", "conv_block", "convolution", "winograd", "direct", "pointwise", "linear", "adam", "batch_norm",
        "relu", "max_pool2d", "upsample_nearest2d",
    )
)  # fmt: skip
"""The kernels' modules. In the package, most of these names are those of the functions."""
dtypes = pytest.mark.parametrize("dtype", [np.float64, np.float32])
pools = pytest.mark.parametrize("pool", [True, False], ids=["pool", "no pool"])
TOLERANCE = {np.float64: 1e-12, np.float32: 2e-5}


def same(got, expected, dtype):
    """Checks equal shape and dtype, and equal values up to rounding."""
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape
    assert got.dtype == expected.dtype == dtype
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE[dtype] * scale)


def unchanged(arrays, call):
    """Returns the result of `call`, and checks that it changes none of the arrays."""
    before = [a.copy() for a in arrays]
    result = call()
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)
    return result
