"""Compares the soft argmax kernel with the readable function: every image in its place, on several threads."""

import importlib

import numpy as np
import pytest

from numpynet import functional
from numpynet.kernels.soft_argmax2d import soft_argmax2d, soft_argmax2d_backward
from numpynet.workers import set_threads
from tests.seeds import seeded

kernel = importlib.import_module("numpynet.kernels.soft_argmax2d")


@pytest.fixture(autouse=True)
def two_threads(monkeypatch):
    monkeypatch.setattr(kernel, "empty", lambda shape, dtype: np.full(shape, np.nan, dtype))
    set_threads(2)
    yield
    set_threads(None)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(5, 3, 4, 6), (1, 1, 1, 1), (0, 2, 3, 3)], ids=str)
def test_it_equals_the_readable_function(shape, dtype):
    rng = np.random.default_rng(0)
    x, dout = (
        (10 * rng.standard_normal(shape)).astype(dtype),
        rng.standard_normal((shape[0], 2 * shape[1])).astype(dtype),
    )
    before = x.copy(), dout.copy()
    (out, cache), (expected, readable) = soft_argmax2d(x), functional.soft_argmax2d(x)
    dx, wanted = soft_argmax2d_backward(dout, cache), functional.soft_argmax2d_backward(dout, readable)
    assert (out.dtype, dx.dtype) == (dtype, dtype)
    np.testing.assert_allclose(out, expected, rtol=0, atol=10 * np.finfo(dtype).eps)
    np.testing.assert_allclose(dx, wanted, rtol=0, atol=10 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(dout, before[1])


def test_a_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"soft_argmax2d: x must have shape \(N, K, H, W\), got \(2, 3\)"):
        soft_argmax2d(np.zeros((2, 3)))


def test_the_backward_pass_of_mixed_dtypes_gives_the_dtype_of_the_readable_one():
    rng = seeded("mixed dtypes")
    _, cache = functional.soft_argmax2d(rng.standard_normal((2, 3, 4, 5)))
    dout = rng.standard_normal((2, 6)).astype(np.float32)
    dx = soft_argmax2d_backward(dout, cache)
    assert dx.dtype == functional.soft_argmax2d_backward(dout, cache).dtype == np.float64
