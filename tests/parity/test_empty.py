"""Batches of no images, and images of no pixels: PyTorch's result, or a ValueError that names the array; never NaN."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as torch_f

from numpynet import (
    Adam,
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    L1Loss,
    Linear,
    MaxPool2d,
    MSELoss,
    ReLU,
    Residual,
    Sequential,
    SmoothL1Loss,
    SoftArgmax2d,
    Upsample,
    WingLoss,
    fuse,
)
from numpynet.dispatch import F
from numpynet.fuse import ConvBlock
from numpynet.training import Trainer, fit

LAYERS = {
    "Conv2d": (lambda: Conv2d(3, 2, 3, rng=0), lambda: nn.Conv2d(3, 2, 3), (3, 6, 6)),
    "Linear": (lambda: Linear(5, 2, rng=0), lambda: nn.Linear(5, 2), (5,)),
    "MaxPool2d": (lambda: MaxPool2d(2), lambda: nn.MaxPool2d(2), (3, 6, 6)),
    "MaxPool2d of 3": (lambda: MaxPool2d(3, 2, 1), lambda: nn.MaxPool2d(3, 2, 1), (3, 6, 6)),
    "AvgPool2d": (lambda: AvgPool2d(3, 2, 1), lambda: nn.AvgPool2d(3, 2, 1), (3, 6, 6)),
    "ReLU": (ReLU, nn.ReLU, (3, 6, 6)),
    "Dropout": (lambda: Dropout(0.5), lambda: nn.Dropout(0.5), (4,)),
    "Flatten": (Flatten, nn.Flatten, (3, 6, 6)),
    "Upsample": (lambda: Upsample(2), lambda: nn.Upsample(scale_factor=2), (3, 6, 6)),
    "BatchNorm2d in evaluation": (lambda: BatchNorm2d(3).eval(), lambda: nn.BatchNorm2d(3).eval(), (3, 6, 6)),
    "BatchNorm1d in evaluation": (lambda: BatchNorm1d(5).eval(), lambda: nn.BatchNorm1d(5).eval(), (5,)),
    "Residual": (lambda: Residual(ReLU()), nn.ReLU, (3, 6, 6)),
    "a block in evaluation": (
        lambda: fuse(Sequential(Conv2d(3, 2, 3, rng=0), BatchNorm2d(2), ReLU(), MaxPool2d(2))).eval(),
        lambda: nn.Sequential(nn.Conv2d(3, 2, 3), nn.MaxPool2d(2)),
        (3, 6, 6),
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_no_images_give_no_outputs_and_gradients_of_zero(name):
    """Forward and backward, as in PyTorch, and NumPy warns of nothing."""
    ours, theirs, shape = LAYERS[name]
    x = np.zeros((0, *shape), np.float32)
    layer, tensor = ours(), torch.zeros((0, *shape), requires_grad=True)
    expected = theirs()(tensor)
    with np.errstate(all="raise"):
        out, cache = layer.forward(x)
        assert out.shape == expected.shape
        assert out.dtype == np.float32
        assert layer(x).shape == out.shape
        dx = layer.backward(np.zeros_like(out), cache)
    expected.sum().backward()
    assert dx.shape == tensor.grad.shape
    for parameter in layer.parameters():
        np.testing.assert_array_equal(parameter.grad, 0)


def test_no_images_have_no_position():
    layer = SoftArgmax2d()
    out, cache = layer.forward(np.zeros((0, 4, 3, 3), np.float32))
    assert out.shape == (0, 8)
    assert layer.backward(out, cache).shape == (0, 4, 3, 3)


@pytest.mark.parametrize(
    "call",
    [
        lambda: BatchNorm2d(3).forward(np.zeros((0, 3, 6, 6), np.float32)),
        lambda: BatchNorm1d(3).forward(np.zeros((0, 3), np.float32)),
        lambda: BatchNorm1d(3, track_running_stats=False).eval()(np.zeros((0, 3), np.float32)),
        lambda: F.batch_norm(np.zeros((0, 3, 2))),
        lambda: ConvBlock(Conv2d(3, 2, 3), BatchNorm2d(2)).forward(np.zeros((0, 3, 6, 6), np.float32)),
    ],
)
def test_a_batchs_statistics_need_images(call):
    with pytest.raises(ValueError, match=r"batch_norm: .*x of shape \(0, .* has 0 "):
        call()


@pytest.mark.parametrize("criterion", [MSELoss, L1Loss, SmoothL1Loss, WingLoss], ids=lambda c: c.__name__)
@pytest.mark.parametrize("shape", [(0, 136), (4, 0), (0,)], ids=str)
def test_nothing_has_no_mean_and_a_sum_of_zero(shape, criterion):
    """PyTorch's mean of nothing is NaN, here an error; the sum is 0 in both."""
    nothing = np.zeros(shape, np.float32)
    with pytest.raises(ValueError, match=r"_loss: x of shape .* holds no number, and has no mean"):
        criterion()(nothing, nothing)
    loss, dout = criterion("sum")(nothing, nothing)
    assert loss == 0 == torch_f.mse_loss(torch.zeros(shape), torch.zeros(shape), reduction="sum").item()
    assert dout.shape == shape


WITHOUT_NUMBERS = {
    "conv2d, height": lambda: F.conv2d(np.zeros((1, 1, 0, 4)), np.ones((2, 1, 2, 2)), padding=1),
    "conv2d, width": lambda: F.conv2d(np.zeros((1, 1, 4, 0)), np.ones((2, 1, 2, 2)), padding=1),
    "conv2d, channels": lambda: F.conv2d(np.zeros((1, 0, 4, 4)), np.ones((2, 0, 2, 2))),
    "conv2d, filters": lambda: F.conv2d(np.zeros((1, 1, 4, 4)), np.ones((0, 1, 2, 2))),
    "max_pool2d, height": lambda: F.max_pool2d(np.zeros((1, 1, 0, 4)), 2, padding=1),
    "max_pool2d, width": lambda: F.max_pool2d(np.zeros((2, 1, 4, 0)), 2, ceil_mode=True, padding=1),
    "max_pool2d, channels": lambda: F.max_pool2d(np.zeros((2, 0, 4, 4)), 2),
    "avg_pool2d, height": lambda: F.avg_pool2d(np.zeros((1, 1, 0, 4)), 2, padding=1),
    "avg_pool2d, width": lambda: F.avg_pool2d(np.zeros((2, 1, 4, 0)), 2, ceil_mode=True, padding=1),
    "avg_pool2d, channels": lambda: F.avg_pool2d(np.zeros((2, 0, 4, 4)), 2),
    "batch_norm, channels": lambda: F.batch_norm(np.zeros((4, 0))),
    "batch_norm, channels in evaluation": lambda: F.batch_norm(np.zeros((4, 0)), mean=np.zeros(0), var=np.ones(0)),
    "batch_norm, height": lambda: F.batch_norm(np.zeros((4, 3, 0, 2))),
    "soft_argmax2d, height": lambda: F.soft_argmax2d(np.zeros((2, 3, 0, 2))),
    "soft_argmax2d, width": lambda: F.soft_argmax2d(np.zeros((2, 3, 2, 0))),
    "upsample_nearest2d, height": lambda: F.upsample_nearest2d(np.zeros((1, 2, 0, 2))),
    "upsample_nearest2d, channels": lambda: F.upsample_nearest2d(np.zeros((1, 0, 2, 2))),
}


@pytest.mark.parametrize("name", WITHOUT_NUMBERS)
def test_images_without_a_number_are_named(name):
    function = name.split(",")[0]
    with (
        np.errstate(all="raise"),
        pytest.raises(ValueError, match=rf"{function}: .* of shape .* has an axis of length 0"),
    ):
        WITHOUT_NUMBERS[name]()


@pytest.mark.parametrize("given", [[], [(np.zeros((0, 3), np.float32), np.zeros((0, 2), np.float32))]], ids=len)
def test_an_epoch_of_no_images_is_refused(given):
    net = Sequential(Linear(3, 2, rng=0))
    trainer = Trainer(net, MSELoss(), Adam(net.parameters()))
    before = net.state_dict()["0.weight"].copy()
    with pytest.raises(ValueError, match=r"fit: epoch 1 has no batch|x of shape \(0, 2\) holds no number"):
        list(fit(trainer, lambda epoch: given, epochs=1))
    np.testing.assert_array_equal(net.state_dict()["0.weight"], before)


def test_an_epoch_of_no_images_whose_losses_are_summed_has_no_mean_either():
    net = Sequential(Linear(3, 2, rng=0))
    trainer = Trainer(net, MSELoss("sum"), Adam(net.parameters()))
    given = [(np.zeros((0, 3), np.float32), np.zeros((0, 2), np.float32))]
    with pytest.raises(ValueError, match="fit: epoch 1 has no batch"):
        list(fit(trainer, lambda epoch: given, epochs=1))
