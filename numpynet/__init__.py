"""numpynet: the layers of a convolutional network, forward and backward, in NumPy that is written to be read.

One training step::

    from numpynet import Adam, KeypointNet, SmoothL1Loss

    net, criterion = KeypointNet(rng=0), SmoothL1Loss()
    optimizer = Adam(net.parameters(), lr=1e-3)

    out, cache = net.forward(images)  # images (N, 1, 224, 224) float32 -> out (N, 136)
    loss, dout = criterion(out, targets)  # targets (N, 136) float32 -> the loss and dL/dout (N, 136)
    dimages = net.backward(dout, cache)  # dL/dimages; adds each dL/dparameter to the parameter's .grad
    optimizer.step()
    optimizer.zero_grad()
"""

from numpynet.averaging import WeightAverage
from numpynet.checkpoint import CheckpointError, WeightsCard, load_net, load_weights, save_weights
from numpynet.dispatch import use
from numpynet.fuse import fuse
from numpynet.layers import (
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
    SoftArgmax2d,
    Upsample,
)
from numpynet.losses import FocalLoss, L1Loss, MSELoss, SmoothL1Loss, WingLoss
from numpynet.models import FinderNet, HourglassNet, KeypointNet
from numpynet.module import Chain, Module, Residual, Sequential
from numpynet.optim import SGD, Adam, AdamW
from numpynet.parameter import Parameter
from numpynet.summaries import summary

__version__ = "0.1.0"

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Chain",
    "CheckpointError",
    "Conv2d",
    "Dropout",
    "FinderNet",
    "Flatten",
    "FocalLoss",
    "HourglassNet",
    "KeypointNet",
    "L1Loss",
    "Linear",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "Parameter",
    "ReLU",
    "Residual",
    "Sequential",
    "SmoothL1Loss",
    "SoftArgmax2d",
    "Upsample",
    "WeightAverage",
    "WeightsCard",
    "WingLoss",
    "fuse",
    "load_net",
    "load_weights",
    "save_weights",
    "summary",
    "use",
]
