"""A kernel passes unsupported arguments to the readable function, which computes the result or raises the error."""

import numpy as np
import pytest

from numpynet import functional, kernels
from numpynet.kernels.factors import Factors
from tests.seeds import seeded

X = seeded("x").standard_normal((2, 3, 6, 6))
WEIGHT = seeded("weight").standard_normal((4, 3, 3, 3))
ROWS = seeded("rows").standard_normal((4, 5))


def raises_the_same(name, *arguments, **options):
    """Both raise a ValueError, with the same message word for word."""
    with pytest.raises(ValueError, match=r".") as expected:
        getattr(functional, name)(*arguments, **options)
    with pytest.raises(ValueError, match=r".") as got:
        getattr(kernels, name)(*arguments, **options)
    assert str(got.value) == str(expected.value)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((X[0], WEIGHT), {}),
        ((X[:, :2], WEIGHT), {}),
        ((X[:, :, :2], WEIGHT), {}),
        ((X[..., :2], WEIGHT), {}),
        ((X, WEIGHT), {"stride": 0}),
        ((X, WEIGHT), {"padding": -1}),
        ((X, WEIGHT), {"dilation": 3}),
    ],
)
def test_conv2d_says_what_is_wrong(arguments, options):
    raises_the_same("conv2d", *arguments, **options)


@pytest.mark.parametrize("x", [X[0], X[:0], X[:, :2], X[:, :, :2], X[..., :2], X[:, :, :3], X[..., :3]])
def test_conv_block_says_what_is_wrong(x):
    raises_the_same("conv_block", x, WEIGHT, None, None, None)
    raises_the_same("conv_block", X, WEIGHT, None, None, None, np.zeros(4), None)


@pytest.mark.parametrize("x", [X[0], X[:0], X[:, :2], X[:, :, :2], X[..., :2], X[:1, :, :3, :3]])
def test_conv_block_without_a_pool_says_what_is_wrong(x):
    raises_the_same("conv_block", x, WEIGHT, None, None, None, pool=False)
    raises_the_same("conv_block", X, WEIGHT, None, None, None, None, np.zeros(4), pool=False)


@pytest.mark.parametrize("pool", [True, False])
@pytest.mark.parametrize("which", range(3))
def test_conv_block_of_two_dtypes_is_refused(which, pool):
    arguments = [X, WEIGHT, np.ones(4)]
    arguments[which] = arguments[which].astype(np.float32)
    raises_the_same("conv_block", *arguments, None, None, pool=pool)


def test_conv2d_of_two_dtypes_is_refused_and_of_no_image_is_not():
    x = X.astype(np.float32)
    raises_the_same("conv2d", x, WEIGHT)
    out, cache = kernels.conv2d(x, WEIGHT.astype(np.float32))
    assert kernels.conv2d_backward(out.astype(np.float64), cache)[0].dtype == np.float32
    out, cache = kernels.conv2d(X[:0], WEIGHT)
    dx, dweight, _ = kernels.conv2d_backward(out, cache)
    assert dx.shape == (0, 3, 6, 6)
    assert not dweight.any()


def test_linear_says_what_is_wrong():
    raises_the_same("linear", np.zeros((2, 1500)), np.zeros((1000, 1501)))
    raises_the_same("linear", np.zeros((2, 3, 1500)), np.zeros((1000, 1500)))


@pytest.mark.parametrize(("images", "dtype"), [(65, np.float64), (3, np.float32)])
def test_linear_of_many_images_or_with_a_gradient_of_another_dtype(images, dtype):
    rng = np.random.default_rng(47)
    x, weight = rng.standard_normal((images, 1025)).astype(dtype), rng.standard_normal((1024, 1025)).astype(dtype)
    bias, dout = rng.standard_normal(1024).astype(dtype), rng.standard_normal((images, 1024))
    (out, cache), (expected, readable) = (f.linear(x, weight, bias) for f in (kernels, functional))
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-4)
    dx, dweight, dbias = kernels.linear_backward(dout, cache)
    for got, want in zip((dx, dweight, dbias), functional.linear_backward(dout, readable), strict=True):
        np.testing.assert_array_equal(got, want)


def test_linear_of_a_weight_in_another_order():
    weight = np.asfortranarray(np.random.default_rng(43).standard_normal((1024, 1100)))
    x = np.random.default_rng(44).standard_normal((2, 1100))
    out, cache = kernels.linear(x, weight)
    np.testing.assert_allclose(out, x @ weight.T, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(kernels.linear_backward(out, cache)[0], out @ weight, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("dtype", ["f2", ">f4", "i8"])
def test_relu_of_another_dtype(dtype):
    x = (10 * ROWS).astype(dtype)
    (out, cache), (expected, readable) = kernels.relu(x), functional.relu(x)
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(kernels.relu_backward(ROWS, cache), functional.relu_backward(ROWS, readable))


def test_batch_norm_says_what_is_wrong():
    raises_the_same("batch_norm", X, mean=np.zeros(3))
    raises_the_same("batch_norm", X[:1, :, :1, :1])
    raises_the_same("batch_norm", X[0, 0, 0])


def test_batch_norm_with_a_gradient_of_another_dtype_goes_to_the_readable_function(monkeypatch):
    """Numba would compile the loops for every pair of dtypes, and knows no float16."""
    calls = []
    monkeypatch.setattr(functional, "batch_norm_backward", lambda *arguments: calls.append(arguments))
    _, cache = kernels.batch_norm(X)
    kernels.batch_norm_backward(X, cache)
    assert calls == []
    kernels.batch_norm_backward(X.astype(np.float32), cache)
    [(dout, readable)] = calls
    assert dout.dtype == np.float32
    assert isinstance(readable, functional.BatchNormCache)


def test_batch_norm_of_rows():
    out, cache = kernels.batch_norm(ROWS)
    expected, readable = functional.batch_norm(ROWS)
    np.testing.assert_array_equal(out, expected)
    for got, want in zip(
        kernels.batch_norm_backward(ROWS, cache), functional.batch_norm_backward(ROWS, readable), strict=True
    ):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3},
        {"kernel_size": (2, 3)},
        {"kernel_size": 2, "stride": 1},
        {"kernel_size": 2, "stride": (2, 3)},
        {"kernel_size": 2, "padding": 1},
        {"kernel_size": 2, "dilation": 2},
        {"kernel_size": 2, "stride": 2, "ceil_mode": True},
    ],
)
def test_max_pool2d_of_other_windows(options):
    x = X[:, :, :5, :5]
    (out, cache), (expected, readable) = kernels.max_pool2d(x, **options), functional.max_pool2d(x, **options)
    np.testing.assert_array_equal(out, expected)
    dout = np.random.default_rng(45).standard_normal(out.shape)
    np.testing.assert_array_equal(
        kernels.max_pool2d_backward(dout, cache), functional.max_pool2d_backward(dout, readable)
    )


def test_max_pool2d_says_what_is_wrong():
    raises_the_same("max_pool2d", X[0], 2)
    raises_the_same("max_pool2d", X[:, :, :1], 2)
    raises_the_same("max_pool2d", X[..., :1], 2)


@pytest.mark.parametrize("which", range(4))
def test_adam_of_arrays_in_another_order(which):
    arrays = [np.random.default_rng(46 + i).random((4, 6)) for i in range(4)]
    arrays[which] = np.asfortranarray(arrays[which])
    expected = [a.copy() for a in arrays]
    rule = (2, 0.1, (0.8, 0.9), 0.01, 0.2, True)
    kernels.adam_update(*arrays, *rule)
    functional.adam_update(*expected, *rule)
    for got, want in zip(arrays, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-14)


@pytest.mark.parametrize("which", range(3))
def test_adam_of_factors_and_arrays_in_another_order(which):
    arrays = [np.random.default_rng(50 + i).random((4, 6)) for i in range(3)]
    arrays[which] = np.asfortranarray(arrays[which])
    factors = Factors(np.random.default_rng(53).random((2, 4)), np.random.default_rng(54).random((2, 6)))
    expected = [a.copy() for a in arrays]
    rule = (2, 0.1, (0.8, 0.9), 0.01, 0.2, True)
    kernels.adam_update(arrays[0], factors, *arrays[1:], *rule)
    functional.adam_update(expected[0], factors, *expected[1:], *rule)
    for got, want in zip(arrays, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-14)
    assert not np.allclose(arrays[0], np.random.default_rng(50).random((4, 6)))


def test_upsampling_by_another_factor():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    (out, cache), (expected, readable) = (f.upsample_nearest2d(x, 3) for f in (kernels, functional))
    np.testing.assert_array_equal(out, expected)
    dx = kernels.upsample_nearest2d_backward(expected, cache)
    np.testing.assert_array_equal(dx, functional.upsample_nearest2d_backward(expected, readable))
