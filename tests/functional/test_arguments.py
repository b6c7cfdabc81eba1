"""Every operation leaves its arguments unchanged, keeps their dtype, and names the argument in its errors."""

import inspect
import typing

import numpy as np
import pytest

from numpynet import functional, kernels
from numpynet.dispatch import F
from tests.seeds import seeded


def cases(dtype):
    """By operation: its forward and backward functions, and its arguments by name."""
    rng = seeded("arguments", np.dtype(dtype))
    shapes = (3, 2, 6, 5), (4, 2, 3, 3), (4,), (2,), (2,), (2,), (3, 7), (5, 7), (5,)
    x, filters, four, scale, shift, mean, rows, matrix, five = [rng.standard_normal(s).astype(dtype) for s in shapes]
    given = {"mean": mean, "var": np.abs(mean) + 1}
    return {
        "conv2d": (F.conv2d, F.conv2d_backward, {"x": x, "weight": filters, "bias": four, "stride": 2, "padding": 1}),
        "max_pool2d": (F.max_pool2d, F.max_pool2d_backward, {"x": x, "kernel_size": 3, "stride": 2, "padding": 1}),
        "avg_pool2d": (F.avg_pool2d, F.avg_pool2d_backward, {"x": x, "kernel_size": 3, "stride": 2, "padding": 1}),
        "batch_norm": (F.batch_norm, F.batch_norm_backward, {"x": x, "weight": scale, "bias": shift}),
        "batch_norm, given": (F.batch_norm, F.batch_norm_backward, {"x": x, "weight": scale, "bias": shift, **given}),
        "batch_norm, without affine": (F.batch_norm, F.batch_norm_backward, {"x": x}),
        "linear": (F.linear, F.linear_backward, {"x": rows, "weight": matrix, "bias": five}),
        "relu": (F.relu, F.relu_backward, {"x": x}),
        "upsample_nearest2d": (F.upsample_nearest2d, F.upsample_nearest2d_backward, {"x": x, "scale_factor": 3}),
        "soft_argmax2d": (F.soft_argmax2d, F.soft_argmax2d_backward, {"x": x}),
        "flatten": (F.flatten, F.flatten_backward, {"x": x}),
        "dropout": (F.dropout, F.dropout_backward, {"x": x, "p": 0.3, "rng": 0}),
        "mse_loss": (F.mse_loss, F.mse_loss_backward, {"x": x, "target": x + 1}),
        "smooth_l1_loss": (F.smooth_l1_loss, F.smooth_l1_loss_backward, {"x": x, "target": 2 * x}),
        "wing_loss": (F.wing_loss, F.wing_loss_backward, {"x": x, "target": 1.2 * x}),
    }


def test_every_operation_has_a_case():
    operations = {name.removesuffix("_backward") for name in functional.__all__ if name.endswith("_backward")}
    here = {name.partition(",")[0] for name in cases(np.float32)}
    assert operations - here == {"conv_block"}  # tests/kernels/test_spoiled.py


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", list(cases(np.float32)))
def test_arguments_are_kept_and_dtype_goes_through(name, dtype):
    forward, backward, arguments = cases(dtype)[name]
    before = {argument: np.copy(value) for argument, value in arguments.items()}
    out, cache = forward(**arguments)
    assert out.dtype == dtype
    dout = seeded("dout", name).standard_normal(out.shape).astype(dtype)
    dout_before = np.copy(dout)
    gradients = backward(dout, cache)
    for gradient in gradients if isinstance(gradients, tuple) else (gradients,):
        assert gradient.dtype == dtype
    np.testing.assert_array_equal(dout, dout_before)
    for argument, value in arguments.items():
        np.testing.assert_array_equal(value, before[argument])


def test_mean_and_var_of_batch_norm_must_be_named():
    """PyTorch has another order of arguments: positional calls in that order would run and be wrong."""
    x, four = np.ones((2, 4)), np.ones(4)
    for module in (functional, kernels):
        with pytest.raises(TypeError, match="positional"):
            module.batch_norm(x, four, four, four, four)


def test_every_type_that_a_function_returns_is_exported():
    """The caches, which are named after the operation, and the types of gradients."""
    returned = set()
    for name in functional.__all__:
        if inspect.isfunction(function := getattr(functional, name)):
            result = typing.get_type_hints(function)["return"]
            returned |= {kind for kind in (result, *typing.get_args(result)) if hasattr(kind, "_fields")}
    assert len(returned) >= 14
    exported = {getattr(functional, name) for name in functional.__all__ if inspect.isclass(getattr(functional, name))}
    assert exported == returned


ONES = np.ones((2, 3, 4, 4), np.float32)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: F.conv2d(ONES, np.ones((5, 2, 3, 3))),
            r"conv2d: x must have shape \(N, 2, H, W\), got \(2, 3, 4, 4\)",
        ),
        (lambda: F.conv2d(ONES, np.ones((5, 3, 5, 5))), r"conv2d: .*\(2, 3, 4, 4\).*smaller than the kernel \(5, 5\)"),
        (lambda: F.conv2d(ONES, np.ones((5, 3, 2, 2)), stride=0), "conv2d: stride must be an integer of at least 1"),
        (lambda: F.conv2d(ONES, np.ones((5, 3, 2, 2)), padding=-1), "conv2d: padding .* at least 0"),
        (lambda: F.max_pool2d(ONES[0], 2), r"max_pool2d: x must have shape \(N, C, H, W\), got \(3, 4, 4\)"),
        (lambda: F.max_pool2d(ONES, 2, padding=2), "max_pool2d: padding .* at most half the kernel size"),
        (lambda: F.max_pool2d(ONES, (2, 4), padding=2), "max_pool2d: padding .* at most half the kernel size"),
        (lambda: F.max_pool2d(ONES, (4, 2), padding=2), "max_pool2d: padding .* at most half the kernel size"),
        (lambda: F.max_pool2d(ONES, 7), "max_pool2d: .*smaller than the kernel"),
        (lambda: F.avg_pool2d(ONES[0], 2), r"avg_pool2d: x must have shape \(N, C, H, W\), got \(3, 4, 4\)"),
        (lambda: F.avg_pool2d(ONES, (2, 4), padding=2), "avg_pool2d: padding .* at most half the kernel size"),
        (lambda: F.avg_pool2d(ONES, (4, 2), padding=2), "avg_pool2d: padding .* at most half the kernel size"),
        (lambda: F.linear(ONES[0, 0], np.ones((3, 5))), r"linear: x must have shape \(N, 5\), got \(4, 4\)"),
        (lambda: F.batch_norm(np.ones((1, 3))), "batch_norm: .* need at least 2"),
        (lambda: F.batch_norm(ONES, mean=np.ones(3)), "batch_norm: mean and var must be given together"),
        (lambda: F.batch_norm(ONES, var=np.ones(3)), "batch_norm: mean and var must be given together"),
        (lambda: F.batch_norm(np.ones(3)), r"batch_norm: x must have shape .* got \(3,\)"),
        (lambda: F.dropout(ONES, 1.5), "dropout: p must lie in 0 .. 1, got 1.5"),
        (lambda: F.dropout(ONES, 0.5, mask=np.ones(3, bool)), r"dropout: mask must have x's shape"),
        (lambda: F.mse_loss(ONES, ONES[0]), r"mse_loss: target must have the input's shape"),
        (
            lambda: F.mse_loss(ONES, ONES, "none"),  # type: ignore[arg-type]
            "mse_loss: reduction must be 'mean' or 'sum', got 'none'",
        ),
        (lambda: F.smooth_l1_loss(ONES, ONES, beta=-1.0), "smooth_l1_loss: beta must be at least 0, got -1.0"),
        (lambda: F.wing_loss(ONES, ONES, w=0.0), "wing_loss: w must be above 0, got 0.0"),
        (lambda: F.wing_loss(ONES, ONES, eps=-1.0), "wing_loss: eps must be above 0, got -1.0"),
        (lambda: F.wing_loss(ONES, ONES, eps=0.0), "wing_loss: eps must be above 0, got 0.0"),
        (lambda: F.wing_loss(ONES, ONES[0]), r"wing_loss: target must have the input's shape"),
        (lambda: F.flatten(ONES, 4), "flatten: start_dim must lie in 0 .. 3"),
        (
            lambda: F.upsample_nearest2d(ONES[0]),
            r"upsample_nearest2d: x must have shape \(N, C, H, W\), got \(3, 4, 4\)",
        ),
        (lambda: F.upsample_nearest2d(ONES, 0), "upsample_nearest2d: scale_factor must be at least 1, got 0"),
        (lambda: F.soft_argmax2d(ONES[0]), r"soft_argmax2d: x must have shape \(N, K, H, W\), got \(3, 4, 4\)"),
    ],
)
def test_errors_say_what_came_and_what_was_expected(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("name", ["conv2d", "max_pool2d", "avg_pool2d"])
def test_a_kernel_as_large_as_the_image_fits_and_a_larger_one_does_not(name):
    def apply(kernel):
        return (
            F.conv2d(ONES, np.ones((5, 3, *kernel), np.float32))
            if name == "conv2d"
            else getattr(F, name)(ONES, kernel, 1)
        )

    assert apply((4, 4))[0].shape[2:] == (1, 1)
    assert apply((4, 2))[0].shape[2:] == (1, 3)
    for kernel in ((5, 4), (4, 5), (6, 2), (2, 6)):
        with pytest.raises(ValueError, match=f"{name}: .*smaller than the kernel"):
            apply(kernel)
