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


@pytest.mark.parametrize("shift", [-5000, 5000])
def test_large_numbers_neither_overflow_nor_vanish(shift):
    """The largest number of each map is subtracted, wherever it stands: exp(5000) is infinite, and exp(-5000) is 0."""
    x = np.random.default_rng(0).standard_normal((1, 12, 3, 4)) + shift
    for k, place in enumerate(np.ndindex(3, 4)):
        x[0, k][place] += 1000
    out, cache = soft_argmax2d(x)
    expected, readable = functional.soft_argmax2d(x)
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-14)
    np.testing.assert_allclose(cache.share, readable.share, rtol=0, atol=1e-14)


def test_the_kernel_does_the_work_itself(monkeypatch):
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    expected, readable = functional.soft_argmax2d(x)
    dx = functional.soft_argmax2d_backward(expected, readable)
    monkeypatch.setattr(kernel, "functional", None)
    out, cache = soft_argmax2d(x)
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-14)
    np.testing.assert_allclose(soft_argmax2d_backward(out, cache), dx, rtol=0, atol=1e-14)


def test_a_position_of_another_shape_is_named():
    out, cache = soft_argmax2d(np.zeros((2, 3, 4, 5)))
    with pytest.raises(ValueError, match=r"soft_argmax2d_backward: position must have shape \(2, 3, 2\)"):
        soft_argmax2d_backward(out, cache._replace(position=cache.position[:, :2]))


def test_a_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"soft_argmax2d: x must have shape \(N, K, H, W\), got \(2, 3\)"):
        soft_argmax2d(np.zeros((2, 3)))


def test_the_backward_pass_of_mixed_dtypes_gives_the_dtype_of_the_readable_one():
    rng = seeded("mixed dtypes")
    _, cache = functional.soft_argmax2d(rng.standard_normal((2, 3, 4, 5)))
    dout = rng.standard_normal((2, 6)).astype(np.float32)
    dx = soft_argmax2d_backward(dout, cache)
    assert dx.dtype == functional.soft_argmax2d_backward(dout, cache).dtype == np.float64
