"""What layers, losses and networks refuse when they are made: both sides, or numpynet alone."""

# mypy: disable-error-code="arg-type,call-overload,list-item"
# These tests pass arguments of wrong types on purpose.

import numpy as np
import pytest
from torch import nn

from numpynet import (
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    FinderNet,
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
    WingLoss,
)
from tests.parity.refused import INF, NAN, ROWS, WHOLE, X, refuse, t

BOTH = {
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
    "Parameter: integers": (
        lambda: Parameter(WHOLE),
        lambda: nn.Parameter(t(WHOLE)),
        "Parameter: data must be an array of floating-point numbers",
    ),
}
"""By name: numpynet's call, PyTorch's call, and what numpynet's message says."""

NUMPYNET_ALONE = {
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
    "AvgPool2d: kernel 0": (lambda: AvgPool2d(0), "AvgPool2d: kernel_size must be"),
    "AvgPool2d: stride 0": (lambda: AvgPool2d(2, 0), "AvgPool2d: stride must be"),
    "AvgPool2d: padding -1": (lambda: AvgPool2d(2, padding=-1), "AvgPool2d: padding must be"),
    "AvgPool2d: padding 2 below": (lambda: AvgPool2d((3, 4), padding=2), "AvgPool2d: padding .* at most half"),
    "AvgPool2d: padding 2 beside": (lambda: AvgPool2d((4, 3), padding=2), "AvgPool2d: padding .* at most half"),
    "Upsample: factor 1.5": (lambda: Upsample(1.5), "Upsample: scale_factor must be an integer"),
    "Flatten: start_dim -1": (lambda: Flatten(-1), "Flatten: start_dim must be at least 0"),
    "Dropout: p True": (lambda: Dropout(True), "Dropout: p must be a number"),
    "MSELoss: reduction": (lambda: MSELoss("none"), "MSELoss: reduction must be"),
    "L1Loss: reduction": (lambda: L1Loss("none"), "L1Loss: reduction must be"),
    "SmoothL1Loss: beta": (lambda: SmoothL1Loss(beta=-1), "SmoothL1Loss: beta must be"),
    "WingLoss: eps": (lambda: WingLoss(eps=0), "WingLoss: eps must be above 0"),
    "KeypointNet: size 0": (lambda: KeypointNet(0), "KeypointNet: size must be at least 1"),
    "KeypointNet: size '96'": (lambda: KeypointNet("96"), "KeypointNet: size must be an integer"),
    "KeypointNet: channels 3": (lambda: KeypointNet(96, 3), "KeypointNet: channels must be integers"),
    "KeypointNet: channels '32'": (lambda: KeypointNet(96, "32"), "KeypointNet: channels must be integers"),
    "KeypointNet: hidden of 0": (lambda: KeypointNet(96, (2,), (0,)), "KeypointNet: hidden must be at least 1"),
    "KeypointNet: padding -1": (lambda: KeypointNet(96, padding=-1), "KeypointNet: padding must be at least 0"),
    "KeypointNet: dropout NaN": (lambda: KeypointNet(96, dropout=NAN), "KeypointNet: dropout must lie"),
    "HourglassNet: size 96.0": (lambda: HourglassNet(96.0), "HourglassNet: size must be an integer"),
    "HourglassNet: levels of -1": (lambda: HourglassNet(96, levels=(-1,)), "HourglassNet: levels must be at least 1"),
    "FinderNet: size 96.0": (lambda: FinderNet(96.0), "FinderNet: size must be an integer"),
    "FinderNet: body of -1": (lambda: FinderNet(96, body=(-1,)), "FinderNet: body must be at least 1"),
    "FinderNet: stem None": (lambda: FinderNet(96, stem=None), "FinderNet: stem must be integers"),
    "HourglassNet: stem None": (lambda: HourglassNet(96, stem=None), "HourglassNet: stem must be integers"),
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


@pytest.mark.parametrize("size", [3, np.int64(3), np.uint8(3)], ids=type)
def test_integers_of_any_kind_are_integers(size):
    assert Linear(size, size).weight.data.shape == (3, 3)
    assert Conv2d(size, size, size, padding=np.int8(1))(X).shape == (4, 3, 6, 6)
    assert MaxPool2d([size, size])(X).shape == (4, 3, 2, 2)
