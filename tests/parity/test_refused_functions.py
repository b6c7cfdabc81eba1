"""What the functions refuse: both sides, or numpynet alone; by a ValueError that names the argument."""

# mypy: disable-error-code="arg-type,call-overload,list-item"
# These tests pass arguments of wrong types on purpose.

import numpy as np
import pytest
import torch
from torch.nn import functional as torch_f

from numpynet import (
    MSELoss,
)
from numpynet.dispatch import F
from tests.parity.refused import INF, MATRIX, NAN, ONES, ROWS, WEIGHT, WHOLE, X, refuse, t

BOTH = {
    "conv2d: bias of one number": (
        lambda: F.conv2d(X, WEIGHT, ONES[:1]),
        lambda: torch_f.conv2d(t(X), t(WEIGHT), t(ONES[:1])),
        r"conv2d: bias must have shape \(2,\), got \(1,\)",
    ),
    "conv2d: float32 and float64": (
        lambda: F.conv2d(X, WEIGHT.astype(float)),
        lambda: torch_f.conv2d(t(X), t(WEIGHT).double()),
        "conv2d: x, weight must be of one dtype, got float32, float64",
    ),
    "conv2d: bias of float64": (
        lambda: F.conv2d(X, WEIGHT, np.ones(2)),
        lambda: torch_f.conv2d(t(X), t(WEIGHT), torch.ones(2).double()),
        "conv2d: x, weight, bias must be of one dtype",
    ),
    "conv2d: integers": (
        lambda: F.conv2d(X.astype(int), WEIGHT.astype(int)),
        lambda: torch_f.conv2d(t(X).long(), t(WEIGHT).long()).backward(),
        "conv2d: x must be an array of floating-point numbers, got int64",
    ),
    "conv2d: weight without height": (
        lambda: F.conv2d(X, WEIGHT[:, :, :0]),
        lambda: torch_f.conv2d(t(X), t(WEIGHT[:, :, :0])),
        "conv2d: weight of shape .* has an axis of length 0",
    ),
    "conv2d: weight of two axes": (
        lambda: F.conv2d(X, MATRIX),
        lambda: torch_f.conv2d(t(X), t(MATRIX)),
        r"conv2d: weight must have shape \(F, C, KH, KW\)",
    ),
    "conv2d: stride 0": (
        lambda: F.conv2d(X, WEIGHT, stride=0),
        lambda: torch_f.conv2d(t(X), t(WEIGHT), stride=0),
        "conv2d: stride must be an integer of at least 1",
    ),
    "conv2d: padding -1": (
        lambda: F.conv2d(X, WEIGHT, padding=-1),
        lambda: torch_f.conv2d(t(X), t(WEIGHT), padding=-1),
        "conv2d: padding must be an integer of at least 0",
    ),
    "conv2d: dilation of three": (
        lambda: F.conv2d(X, WEIGHT, dilation=(1, 1, 1)),
        lambda: torch_f.conv2d(t(X), t(WEIGHT), dilation=(1, 1, 1)),
        "conv2d: dilation must be an integer",
    ),
    "conv2d: stride 1.5": (
        lambda: F.conv2d(X, WEIGHT, stride=1.5),
        lambda: torch_f.conv2d(t(X), t(WEIGHT), stride=1.5),
        "conv2d: stride must be an integer",
    ),
    "linear: float32 and float64": (
        lambda: F.linear(ROWS, MATRIX.astype(float)),
        lambda: torch_f.linear(t(ROWS), t(MATRIX).double()),
        "linear: x, weight must be of one dtype, got float32, float64",
    ),
    "linear: bias of another size": (
        lambda: F.linear(ROWS, MATRIX, np.ones(2, np.float32)),
        lambda: torch_f.linear(t(ROWS), t(MATRIX), torch.ones(2)),
        r"linear: bias must have shape \(3,\), got \(2,\)",
    ),
    "batch_norm: eps -1": (
        lambda: F.batch_norm(ROWS, eps=-1),
        lambda: torch_f.batch_norm(t(ROWS), None, None, training=True, eps=-1),
        "batch_norm: eps must be above 0, got -1",
    ),
    "batch_norm: eps 0": (
        lambda: F.batch_norm(X, eps=0.0),
        lambda: torch_f.batch_norm(t(X), None, None, training=True, eps=0),
        "batch_norm: eps must be above 0, got 0",
    ),
    "batch_norm: weight of one number": (
        lambda: F.batch_norm(X, ONES[:1], ONES[:1]),
        lambda: torch_f.batch_norm(t(X), None, None, t(ONES[:1]), t(ONES[:1]), training=True),
        r"batch_norm: weight must have shape \(3,\), got \(1,\)",
    ),
    "batch_norm: mean of one number": (
        lambda: F.batch_norm(X, mean=ONES[:1], var=ONES),
        lambda: torch_f.batch_norm(t(X), t(ONES[:1]), t(ONES)),
        r"batch_norm: mean must have shape \(3,\), got \(1,\)",
    ),
    "batch_norm: weight of float64": (
        lambda: F.batch_norm(ROWS, np.ones(3), np.ones(3)),
        lambda: torch_f.batch_norm(t(ROWS), None, None, torch.ones(3).double(), torch.ones(3).double(), training=True),
        "batch_norm: x, weight, bias must be of one dtype",
    ),
    "batch_norm: one number a channel": (
        lambda: F.batch_norm(ROWS[:1]),
        lambda: torch_f.batch_norm(t(ROWS[:1]), None, None, training=True),
        r"batch_norm: .*x of shape \(1, 3\) has 1",
    ),
    "max_pool2d: no height": (
        lambda: F.max_pool2d(X[:, :, :0], 2, padding=1),
        lambda: torch_f.max_pool2d(t(X[:, :, :0]), 2, padding=1),
        "max_pool2d: x of shape .* has an axis of length 0",
    ),
    "max_pool2d: padding of more than half": (
        lambda: F.max_pool2d(X, (2, 3), padding=(0, 2)),
        lambda: torch_f.max_pool2d(t(X), (2, 3), padding=(0, 2)),
        "max_pool2d: padding .* must be at most half",
    ),
    "max_pool2d: kernel 0": (
        lambda: F.max_pool2d(X, 0),
        lambda: torch_f.max_pool2d(t(X), 0),
        "max_pool2d: kernel_size must be",
    ),
    "avg_pool2d: no height": (
        lambda: F.avg_pool2d(X[:, :, :0], 2, padding=1),
        lambda: torch_f.avg_pool2d(t(X[:, :, :0]), 2, padding=1),
        "avg_pool2d: x of shape .* has an axis of length 0",
    ),
    "avg_pool2d: padding of more than half": (
        lambda: F.avg_pool2d(X, (2, 3), padding=(0, 2)),
        lambda: torch_f.avg_pool2d(t(X), (2, 3), padding=(0, 2)),
        "avg_pool2d: padding .* must be at most half",
    ),
    "avg_pool2d: padding -1": (
        lambda: F.avg_pool2d(X, 2, padding=-1),
        lambda: torch_f.avg_pool2d(t(X), 2, padding=-1),
        "avg_pool2d: padding must be an integer of at least 0",
    ),
    "avg_pool2d: kernel 0": (
        lambda: F.avg_pool2d(X, 0),
        lambda: torch_f.avg_pool2d(t(X), 0),
        "avg_pool2d: kernel_size must be",
    ),
    "avg_pool2d: kernel larger than the image": (
        lambda: F.avg_pool2d(X, (7, 2)),
        lambda: torch_f.avg_pool2d(t(X), (7, 2)),
        r"avg_pool2d: x of shape \(4, 3, 6, 6\) is smaller than the kernel \(7, 2\)",
    ),
    "avg_pool2d: stride 0": (
        lambda: F.avg_pool2d(X, 2, 0),
        lambda: torch_f.avg_pool2d(t(X), 2, 0),
        "avg_pool2d: stride must be an integer of at least 1",
    ),
    "dropout: p 1.1": (lambda: F.dropout(X, 1.1), lambda: torch_f.dropout(t(X), 1.1), "dropout: p must lie in 0 .. 1"),
    "dropout: p -0.1": (lambda: F.dropout(X, -0.1), lambda: torch_f.dropout(t(X), -0.1), "dropout: p must lie"),
    "dropout: integers": (
        lambda: F.dropout(WHOLE, 0.5),
        lambda: torch_f.dropout(t(WHOLE), 0.5),
        "dropout: x must be an array of floating-point numbers",
    ),
    "mse_loss: integers": (
        lambda: F.mse_loss(WHOLE, WHOLE),
        lambda: torch_f.mse_loss(t(WHOLE), t(WHOLE)),
        "mse_loss: x must be an array of floating-point numbers, got int64",
    ),
    "mse_loss: reduction": (
        lambda: F.mse_loss(ROWS, ROWS, "average"),
        lambda: torch_f.mse_loss(t(ROWS), t(ROWS), reduction="average"),
        "mse_loss: reduction must be",
    ),
    "smooth_l1_loss: integers": (
        lambda: F.smooth_l1_loss(WHOLE, WHOLE),
        lambda: torch_f.smooth_l1_loss(t(WHOLE), t(WHOLE)),
        "smooth_l1_loss: x must be an array of floating-point numbers",
    ),
    "smooth_l1_loss: beta -1": (
        lambda: F.smooth_l1_loss(ROWS, ROWS, beta=-1),
        lambda: torch_f.smooth_l1_loss(t(ROWS), t(ROWS), beta=-1),
        "smooth_l1_loss: beta must be at least 0",
    ),
    "smooth_l1_loss: beta NaN": (
        lambda: F.smooth_l1_loss(ROWS, ROWS, beta=NAN),
        lambda: torch_f.smooth_l1_loss(t(ROWS), t(ROWS), beta=NAN),
        "smooth_l1_loss: beta must be at least 0, got nan",
    ),
    "upsample: factor 0": (
        lambda: F.upsample_nearest2d(X, 0),
        lambda: torch_f.interpolate(t(X), scale_factor=0),
        "upsample_nearest2d: scale_factor must be at least 1",
    ),
}
"""By name: numpynet's call, PyTorch's call, and what numpynet's message says."""

NUMPYNET_ALONE = {
    "linear: bias of one number broadcasts": (
        lambda: F.linear(ROWS, MATRIX, ONES[:1]),
        r"linear: bias must have shape \(3,\), got \(1,\)",
    ),
    "mse_loss: target broadcasts": (lambda: F.mse_loss(ROWS, ROWS[:1]), "mse_loss: target must have the input's shape"),
    "max_pool2d: integers": (lambda: F.max_pool2d(X.astype(int), 2), "max_pool2d: x must be an array of floating"),
    "avg_pool2d: integers": (lambda: F.avg_pool2d(X.astype(int), 2), "avg_pool2d: x must be an array of floating"),
    "soft_argmax2d: integers": (
        lambda: F.soft_argmax2d(X.astype(int)),
        "soft_argmax2d: x must be an array of floating",
    ),
    "wing_loss: integers": (lambda: F.wing_loss(WHOLE, WHOLE), "wing_loss: x must be an array of floating"),
    "wing_loss: w inf": (lambda: F.wing_loss(ROWS, ROWS, w=INF), "wing_loss: w must be finite"),
    "dropout: a mask of numbers": (
        lambda: F.dropout(X, 0.5, mask=2 * X),
        "dropout: mask must have x's shape .* be bool",
    ),
    "flatten: start_dim 1.0": (lambda: F.flatten(X, 1.0), "flatten: start_dim must be an integer"),
    "running_update: momentum NaN": (
        lambda: F.running_update(ONES, ONES, F.batch_norm(ROWS)[1], NAN),
        "running_update: momentum must be",
    ),
    "running_update: other channels": (
        lambda: F.running_update(ONES[:1], ONES[:1], F.batch_norm(ROWS)[1], 0.1),
        r"running_update: running_mean must have shape \(3,\)",
    ),
    "running_update: one image in evaluation": (
        lambda: F.running_update(ONES, ONES, F.batch_norm(ROWS[:1], mean=ONES, var=ONES)[1], 0.1),
        "running_update: the batch must have at least 2",
    ),
}
"""By name: a call that PyTorch lets pass or does not have, and what the message says."""


@pytest.mark.parametrize("case", BOTH)
def test_refused_by_both(case):
    refuse(*BOTH[case])


@pytest.mark.parametrize("case", NUMPYNET_ALONE)
def test_refused_by_numpynet_alone(case):
    call, words = NUMPYNET_ALONE[case]
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_order_of_bytes_is_no_other_dtype(order):
    got, _ = F.linear(ROWS.astype(f"{order}f4"), MATRIX, ONES)
    np.testing.assert_allclose(got, F.linear(ROWS, MATRIX, ONES)[0], rtol=1e-6)


def test_a_target_of_another_dtype_is_taken_as_pytorch_takes_it():
    x = torch.tensor(ROWS, requires_grad=True)
    for target in (2 * ROWS.astype(np.float64), WHOLE):
        loss, dout = MSELoss()(ROWS, target)
        theirs = torch_f.mse_loss(x, t(target))
        (expected,) = torch.autograd.grad(theirs, x)
        assert loss == pytest.approx(theirs.item(), rel=1e-6)
        np.testing.assert_allclose(dout, expected.numpy(), rtol=1e-5)
