"""Every operation leaves its arguments unchanged, keeps their dtype, and names the argument in its errors."""

import inspect
import typing

import numpy as np
import pytest

from numpynet import functional, kernels
from numpynet.dispatch import F
from numpynet.functional.conv2d import fold
from numpynet.functional.conv_block import max_pool_2x2
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
        "focal_loss": (F.focal_loss, F.focal_loss_backward, {"x": x, "target": (x > 0).astype(x.dtype)}),
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
        (lambda: F.focal_loss(ONES, ONES, gamma=-1.0), "focal_loss: gamma must be at least 0, got -1.0"),
        (lambda: F.focal_loss(ONES, ONES[0]), r"focal_loss: target must have the input's shape"),
        (lambda: F.focal_loss(ONES, ONES, ONES[0]), r"focal_loss: weight must have the input's shape"),
        (lambda: F.focal_loss(ONES, 0.5 * ONES), r"focal_loss: target must hold 0 and 1 alone"),
        (
            lambda: F.focal_loss(ONES, ONES, reduction="none"),  # type: ignore[arg-type]
            "focal_loss: reduction must be 'mean' or 'sum', got 'none'",
        ),
        (lambda: F.focal_loss(ONES[:0], ONES[:0]), r"focal_loss: x of shape \(0, 3, 4, 4\) holds no number"),
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


def test_a_backward_function_says_whose_cache_it_takes_and_what_shape():
    _, cache = functional.relu(ONES)
    with pytest.raises(TypeError, match=r"^flatten_backward: cache must be what flatten gave .* got ReLUCache$"):
        functional.flatten_backward(ONES, cache)
    with pytest.raises(TypeError, match=r"^focal_loss_backward: cache must be what focal_loss gave"):
        functional.focal_loss_backward(1.0, cache)
    with pytest.raises(TypeError, match="got ReLUCache of the fast kernels; call use"):
        functional.relu_backward(ONES, kernels.relu(ONES)[1])
    with pytest.raises(ValueError, match=r"^relu_backward: dout must have the output's shape \(.*\), got \(3, 4, 4\)"):
        functional.relu_backward(ONES[0], cache)


def test_fold_refuses_a_product_with_exchanged_factors():
    """It has as many numbers: (OH OW, C KH KW) in place of (C KH KW, OH OW)."""
    dimage = np.zeros((2, 6, 8))
    with pytest.raises(ValueError, match=r"^fold: dunfolded must have shape \(12, 30\), got \(30, 12\)$"):
        fold(np.ones((30, 12)), dimage, (2, 3), (1, 1), (1, 1), (5, 6))
    assert not dimage.any()


def test_what_a_wrong_mask_is_like():
    with pytest.raises(ValueError, match=r"got int64 \(3,\)$"):
        functional.dropout(ONES, 0.5, mask=np.ones(3, np.int64))


def test_running_statistics_must_be_arrays():
    _, cache = functional.batch_norm(ONES)
    with pytest.raises(ValueError, match=r"^running_update: running_mean must be an array .*, got list"):
        functional.running_update([0.0] * 3, np.zeros(3), cache, 0.1)


def test_sgd_changes_only_a_parameter_that_may_be_written_with_a_gradient_of_its_dtype():
    param = np.ones(2)
    with pytest.raises(ValueError, match=r"^sgd_update: param, grad must be of one dtype"):
        functional.sgd_update(param, np.ones(2, np.float32), None, 0.1, 0.0, 0.0, 0.0, False)
    param.setflags(write=False)
    with pytest.raises(ValueError, match=r"^sgd_update: param is read-only"):
        functional.sgd_update(param, np.ones(2), None, 0.1, 0.0, 0.0, 0.0, False)


def test_without_decay_an_infinite_weight_leaves_its_velocity_a_number():
    """0 inf is NaN."""
    assert functional.sgd_update(np.array([np.inf]), np.ones(1), np.zeros(1), 0.1, 0.9, 0.0, 0.0, False) == 1


def test_a_size_by_axis_may_be_an_array():
    np.testing.assert_array_equal(
        functional.max_pool2d(ONES, np.array([1, 2]))[0], functional.max_pool2d(ONES, (1, 2))[0]
    )


def test_betas_may_be_a_list():
    arrays = [np.ones(2), np.ones(2), np.zeros(2), np.zeros(2)]
    functional.adam_update(*arrays, 1, 0.1, [0.9, 0.99], 1e-8, 0.0)
    assert arrays[0] == pytest.approx(0.9)


def test_a_block_without_the_gradient_of_its_input():
    out, cache = functional.conv_block(ONES, np.ones((2, 3, 1, 1), ONES.dtype), None, None, None)
    assert functional.conv_block_backward(out, cache, input_gradient=False).dx is None
    assert functional.conv_block_backward(out, cache).dx is not None


@pytest.mark.parametrize("size", [(2, 2), (5, 8), (4, 7), (9, 3)], ids=str)
def test_the_pool_without_a_cache_is_the_pool(size):
    x = seeded(size).standard_normal((2, 3, *size))
    np.testing.assert_array_equal(max_pool_2x2(x), functional.max_pool2d(x, 2)[0])


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
