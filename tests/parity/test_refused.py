"""What PyTorch refuses is refused here, too, by a ValueError that names the argument; and some that it lets pass."""

# mypy: disable-error-code="arg-type,call-overload,list-item"
# Arguments of wrong types are what it is about.

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as torch_f

from numpynet import (
    SGD,
    Adam,
    AdamW,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    HourglassNet,
    KeypointNet,
    L1Loss,
    Linear,
    MaxPool2d,
    MSELoss,
    Parameter,
    SmoothL1Loss,
    Upsample,
    WeightAverage,
    WingLoss,
)
from numpynet.data import DataLoader
from numpynet.dispatch import F
from numpynet.schedules import constant, cosine, one_cycle

NAN, INF = math.nan, math.inf
X = np.random.default_rng(60).standard_normal((4, 3, 6, 6)).astype(np.float32)
ROWS, WEIGHT, MATRIX = X[:, :, 0, 0], X[:2, :, :3, :3], X[0, :, 0, :3]  # (4, 3), (2, 3, 3, 3), (3, 3)
ONES = np.ones(3, np.float32)
WHOLE = np.ones((4, 3), np.int64)


def t(array):
    return torch.from_numpy(np.ascontiguousarray(array))


def torch_steps(rule, **options):
    """PyTorch finds some of it at the first step only."""
    tensor = torch.ones(2, requires_grad=True)
    tensor.grad = torch.ones(2)
    rule([tensor], **options).step()


def parameters():
    return [Parameter(np.ones(2))]


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
    "mse_loss: reduction": (
        lambda: F.mse_loss(ROWS, ROWS, "average"),
        lambda: torch_f.mse_loss(t(ROWS), t(ROWS), reduction="average"),
        "mse_loss: reduction must be",
    ),
    "upsample: factor 0": (
        lambda: F.upsample_nearest2d(X, 0),
        lambda: torch_f.interpolate(t(X), scale_factor=0),
        "upsample_nearest2d: scale_factor must be at least 1",
    ),
    "Conv2d: kernel of floats": (
        lambda: Conv2d(3, 2, 3.0),
        lambda: nn.Conv2d(3, 2, 3.0),
        "Conv2d: kernel_size must be an integer",
    ),
    "Conv2d: channels -1": (lambda: Conv2d(-1, 2, 3), lambda: nn.Conv2d(-1, 2, 3), "Conv2d: in_channels must be"),
    "Conv2d: filters 2.0": (lambda: Conv2d(1, 2.0, 3), lambda: nn.Conv2d(1, 2.0, 3), "Conv2d: out_channels must be"),
    "Linear: features -1": (lambda: Linear(-1, 2), lambda: nn.Linear(-1, 2), "Linear: in_features must be at least 1"),
    "Linear: features '3'": (lambda: Linear(2, "3"), lambda: nn.Linear(2, "3"), "Linear: out_features must be"),
    "BatchNorm2d: features -1": (lambda: BatchNorm2d(-1), lambda: nn.BatchNorm2d(-1), "BatchNorm2d: num_features must"),
    "BatchNorm1d: eps -1": (
        lambda: BatchNorm1d(3, eps=-1),
        lambda: nn.BatchNorm1d(3, eps=-1)(t(ROWS)),
        "BatchNorm1d: eps must be above 0, got -1",
    ),
    "BatchNorm1d: eps 0": (
        lambda: BatchNorm1d(3, eps=0),
        lambda: nn.BatchNorm1d(3, eps=0)(t(ROWS)),
        "BatchNorm1d: eps must be above 0",
    ),
    "Dropout: p 2": (lambda: Dropout(2), lambda: nn.Dropout(2), "Dropout: p must lie in 0 .. 1"),
    "Adam: lr NaN": (
        lambda: Adam(parameters(), lr=NAN),
        lambda: torch_steps(torch.optim.Adam, lr=NAN),
        "Adam: lr must be at least 0, got nan",
    ),
    "Adam: lr '0.1'": (
        lambda: Adam(parameters(), lr="0.1"),
        lambda: torch_steps(torch.optim.Adam, lr="0.1"),
        "Adam: lr must be a number",
    ),
    "Adam: betas of one number": (
        lambda: Adam(parameters(), betas=(0.9,)),
        lambda: torch_steps(torch.optim.Adam, betas=(0.9,)),
        "Adam: betas must be a pair",
    ),
    "Adam: betas NaN": (
        lambda: Adam(parameters(), betas=(0.9, NAN)),
        lambda: torch_steps(torch.optim.Adam, betas=(0.9, NAN)),
        "Adam: betas must lie in 0 .. 1",
    ),
    "Adam: betas -0.1": (
        lambda: Adam(parameters(), betas=(-0.1, 0.9)),
        lambda: torch_steps(torch.optim.Adam, betas=(-0.1, 0.9)),
        "Adam: betas must lie in 0 .. 1",
    ),
    "Adam: eps -1": (
        lambda: Adam(parameters(), eps=-1.0),
        lambda: torch_steps(torch.optim.Adam, eps=-1.0),
        "Adam: eps must be at least 0",
    ),
    "Adam: weight_decay -1": (
        lambda: Adam(parameters(), weight_decay=-1.0),
        lambda: torch_steps(torch.optim.Adam, weight_decay=-1.0),
        "Adam: weight_decay must be at least 0",
    ),
    "AdamW: weight_decay NaN": (
        lambda: AdamW(parameters(), weight_decay=NAN),
        lambda: torch_steps(torch.optim.AdamW, weight_decay=NAN),
        "AdamW: weight_decay must be at least 0",
    ),
    "SGD: momentum -0.5": (
        lambda: SGD(parameters(), momentum=-0.5),
        lambda: torch_steps(torch.optim.SGD, momentum=-0.5),
        "SGD: momentum must be at least 0",
    ),
    "SGD: weight_decay -1": (
        lambda: SGD(parameters(), weight_decay=-1),
        lambda: torch_steps(torch.optim.SGD, weight_decay=-1),
        "SGD: weight_decay must be at least 0",
    ),
    "SGD: nesterov without momentum": (
        lambda: SGD(parameters(), nesterov=True),
        lambda: torch_steps(torch.optim.SGD, nesterov=True),
        "SGD: nesterov needs a momentum",
    ),
    "SGD: nesterov with dampening": (
        lambda: SGD(parameters(), momentum=0.5, dampening=0.5, nesterov=True),
        lambda: torch_steps(torch.optim.SGD, momentum=0.5, dampening=0.5, nesterov=True),
        "SGD: nesterov needs a momentum",
    ),
    "SGD: no parameters": (lambda: SGD([]), lambda: torch.optim.SGD([]), "SGD: no parameters"),
    "SGD: arrays": (lambda: SGD([ONES]), lambda: torch.optim.SGD([ONES]), "SGD: parameter 0 must be a Parameter"),
    "SGD: a parameter alone": (
        lambda: SGD(Parameter(ONES)),
        lambda: torch.optim.SGD(torch.ones(3)),
        "SGD: params must be parameters, such as",
    ),
    "Parameter: integers": (
        lambda: Parameter(WHOLE),
        lambda: nn.Parameter(t(WHOLE)),
        "Parameter: data must be an array of floating-point numbers",
    ),
}


@pytest.mark.parametrize("case", BOTH)
def test_refused_by_both(case):
    ours, theirs, words = BOTH[case]
    with pytest.raises((ValueError, RuntimeError, TypeError, NotImplementedError, IndexError)):
        theirs()
    with pytest.raises(ValueError, match=words):
        ours()


HERE = {
    "linear: bias of one number broadcasts": (
        lambda: F.linear(ROWS, MATRIX, ONES[:1]),
        r"linear: bias must have shape \(3,\), got \(1,\)",
    ),
    "mse_loss: target broadcasts": (lambda: F.mse_loss(ROWS, ROWS[:1]), "mse_loss: target must have the input's shape"),
    "max_pool2d: integers": (lambda: F.max_pool2d(X.astype(int), 2), "max_pool2d: x must be an array of floating"),
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
    "sgd_update: grad broadcasts": (
        lambda: F.sgd_update(ONES.copy(), ONES[:1], None, 0.1, 0, 0, 0, False),
        r"sgd_update: grad must have shape \(3,\), got \(1,\)",
    ),
    "sgd_update: lr -1": (
        lambda: F.sgd_update(ONES.copy(), ONES, None, -1, 0, 0, 0, False),
        "sgd_update: lr must be at least 0",
    ),
    "Conv2d: channels True": (lambda: Conv2d(True, 2, 3), "Conv2d: in_channels must be an integer, got True"),
    "Conv2d: no channels": (lambda: Conv2d(0, 2, 3), "Conv2d: in_channels must be at least 1, got 0"),
    "Conv2d: no filters": (lambda: Conv2d(2, 0, 3), "Conv2d: out_channels must be at least 1, got 0"),
    "Conv2d: a kernel of one": (lambda: Conv2d(2, 2, (3,)), "Conv2d: kernel_size must be an integer"),
    "Conv2d: padding '1'": (lambda: Conv2d(2, 2, 3, padding="1"), "Conv2d: padding must be an integer"),
    "Conv2d: dtype int": (lambda: Conv2d(2, 2, 3, dtype=np.int64), "Parameter: data must be an array of floating"),
    "Linear: no features": (lambda: Linear(0, 2), "Linear: in_features must be at least 1, got 0"),
    "Linear: nothing out": (lambda: Linear(2, 0), "Linear: out_features must be at least 1, got 0"),
    "BatchNorm2d: no features": (lambda: BatchNorm2d(0), "BatchNorm2d: num_features must be at least 1"),
    "BatchNorm2d: momentum NaN": (lambda: BatchNorm2d(2, momentum=NAN), "BatchNorm2d: momentum must be a number"),
    "BatchNorm2d: eps inf": (lambda: BatchNorm2d(2, eps=INF), "BatchNorm2d: eps must be finite"),
    "MaxPool2d: kernel 0": (lambda: MaxPool2d(0), "MaxPool2d: kernel_size must be"),
    "MaxPool2d: stride 0": (lambda: MaxPool2d(2, 0), "MaxPool2d: stride must be"),
    "MaxPool2d: padding 2": (lambda: MaxPool2d(3, padding=2), "MaxPool2d: padding .* at most half"),
    "MaxPool2d: dilation 1.5": (lambda: MaxPool2d(3, dilation=1.5), "MaxPool2d: dilation must be"),
    "Upsample: factor 1.5": (lambda: Upsample(1.5), "Upsample: scale_factor must be an integer"),
    "Flatten: start_dim -1": (lambda: Flatten(-1), "Flatten: start_dim must be at least 0"),
    "Dropout: p True": (lambda: Dropout(True), "Dropout: p must be a number"),
    "MSELoss: reduction": (lambda: MSELoss("none"), "MSELoss: reduction must be"),
    "L1Loss: reduction": (lambda: L1Loss("none"), "L1Loss: reduction must be"),
    "SmoothL1Loss: beta": (lambda: SmoothL1Loss(beta=-1), "SmoothL1Loss: beta must be"),
    "WingLoss: eps": (lambda: WingLoss(eps=0), "WingLoss: eps must be above 0"),
    "Adam: lr inf": (lambda: Adam(parameters(), lr=INF), "Adam: lr must be finite"),
    "Adam: lr True": (lambda: Adam(parameters(), lr=True), "Adam: lr must be a number"),
    "Adam: lr set to NaN": (lambda: setattr(Adam(parameters()), "lr", NAN), "Adam: lr must be at least 0"),
    "Adam: eps inf": (lambda: Adam(parameters(), eps=INF), "Adam: eps must be finite"),
    "Adam: a network": (lambda: Adam(Linear(1, 1)), "Adam: params must be parameters, such as"),
    "SGD: dampening NaN": (lambda: SGD(parameters(), dampening=NAN), "SGD: dampening must be a number"),
    "constant: lr inf": (lambda: constant(INF), "constant: lr must be finite"),
    "one_cycle: steps 2.5": (lambda: one_cycle(1, 2.5), "one_cycle: steps must be an integer"),
    "one_cycle: steps True": (lambda: one_cycle(1, True), "one_cycle: steps must be an integer"),
    "one_cycle: div_factor NaN": (lambda: one_cycle(1, 9, div_factor=NAN), "one_cycle: div_factor must be"),
    "one_cycle: warmup '0.3'": (lambda: one_cycle(1, 9, "0.3"), "one_cycle: warmup must be a number"),
    "one_cycle: step -1": (lambda: one_cycle(1, 9)(-1), "step must be at least 0, got -1"),
    "cosine: steps -3": (lambda: cosine(1, -3), "cosine: steps must be at least 1"),
    "cosine: min_lr NaN": (lambda: cosine(1, 3, min_lr=NAN), "cosine: min_lr must be"),
    "WeightAverage: decay True": (lambda: WeightAverage(Linear(1, 1), True), "WeightAverage: decay must be a number"),
    "DataLoader: batch_size 2.5": (lambda: DataLoader([], 2.5), "DataLoader: batch_size must be an integer"),
    "DataLoader: prefetch -1": (lambda: DataLoader([], 2, prefetch=-1), "DataLoader: prefetch must be at least 0"),
    "KeypointNet: size 0": (lambda: KeypointNet(0), "KeypointNet: size must be at least 1"),
    "KeypointNet: size '96'": (lambda: KeypointNet("96"), "KeypointNet: size must be an integer"),
    "KeypointNet: channels 3": (lambda: KeypointNet(96, 3), "KeypointNet: channels must be integers"),
    "KeypointNet: channels '32'": (lambda: KeypointNet(96, "32"), "KeypointNet: channels must be integers"),
    "KeypointNet: hidden of 0": (lambda: KeypointNet(96, (2,), (0,)), "KeypointNet: hidden must be at least 1"),
    "KeypointNet: padding -1": (lambda: KeypointNet(96, padding=-1), "KeypointNet: padding must be at least 0"),
    "KeypointNet: dropout NaN": (lambda: KeypointNet(96, dropout=NAN), "KeypointNet: dropout must lie"),
    "HourglassNet: size 96.0": (lambda: HourglassNet(96.0), "HourglassNet: size must be an integer"),
    "HourglassNet: levels of -1": (lambda: HourglassNet(96, levels=(-1,)), "HourglassNet: levels must be at least 1"),
    "HourglassNet: stem None": (lambda: HourglassNet(96, stem=None), "HourglassNet: stem must be integers"),
}


@pytest.mark.parametrize("case", HERE)
def test_refused_here(case):
    call, words = HERE[case]
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"grad": ONES[:1]}, r"adam_update: grad must have shape \(3,\), got \(1,\)"),
        ({"exp_avg": np.ones(4, np.float32)}, r"adam_update: exp_avg must have shape \(3,\), got \(4,\)"),
        ({"exp_avg_sq": np.ones((1, 3), np.float32)}, "adam_update: exp_avg_sq must have shape"),
        ({"step": 0}, "adam_update: step must be at least 1, got 0"),
        ({"step": 1.5}, "adam_update: step must be an integer"),
        ({"lr": NAN}, "adam_update: lr must be"),
        ({"betas": (0.9, 1.0)}, "adam_update: betas must lie in 0 .. 1"),
        ({"betas": 0.9}, "adam_update: betas must be a pair"),
        ({"eps": -1}, "adam_update: eps must be at least 0"),
        ({"weight_decay": -1}, "adam_update: weight_decay must be at least 0"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_adam_update(changes, words):
    arrays = {name: ONES.copy() for name in ("param", "grad", "exp_avg", "exp_avg_sq")}
    rule = {"step": 1, "lr": 0.1, "betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0.0}
    with pytest.raises(ValueError, match=words):
        F.adam_update(**(arrays | rule | changes))


@pytest.mark.parametrize("number", [np.float32(0.25), np.float64(0.25), 1, np.int64(1)], ids=type)
def test_numbers_of_any_kind_are_numbers(number):
    assert Adam(parameters(), lr=number).lr == number
    assert Dropout(number).p == number
    assert constant(number)(3) == number


@pytest.mark.parametrize("size", [3, np.int64(3), np.uint8(3)], ids=type)
def test_integers_of_any_kind_are_integers(size):
    assert Linear(size, size).weight.data.shape == (3, 3)
    assert Conv2d(size, size, size, padding=np.int8(1))(X).shape == (4, 3, 6, 6)
    assert MaxPool2d([size, size])(X).shape == (4, 3, 2, 2)


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
