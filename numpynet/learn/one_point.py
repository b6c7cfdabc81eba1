"""The one-point net: a picture of 5 x 5 pixels, 20 parameters, and one point (x, y) as the answer.

    picture (1, 1, 5, 5) -> conv 3 x 3 (1, 1, 3, 3) -> ReLU -> max pool 2 x 2, stride 1 (1, 1, 2, 2) -> flatten (1, 4)
                         -> linear (1, 2) = (x, y)

The brightest pixel stands in column 3 and row 2, so the right answer is (3, 2). The loss is smooth L1.

A search chose the parameters. All numbers, forward and backward, are multiples of 1/64, so float64 holds them exactly.
One of the nine numbers before the ReLU is negative. No window of the pooling has two equal numbers. One pixel, the
centre, wins two windows, and its gradient is the sum 0.75 + 0.375. In the loss, x is on the straight branch (error
-1.625) and y on the curved one (error 0.5).
"""

from itertools import pairwise

import numpy as np

from numpynet.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU
from numpynet.losses import SmoothL1Loss
from numpynet.module import Sequential
from numpynet.typing import Array

PICTURE = np.array(
    [
        [0, 0, 0, 0, 0],
        [0, 0, 0, 1, 0],
        [0, 0, 1, 2, 0.5],
        [0, 0, 0.5, 0.5, 0],
        [0, 0, 0, 0, 0],
    ]
).reshape(1, 1, 5, 5)
CONV_WEIGHT = np.array(
    [
        [0.5, 1, -0.5],
        [0.5, 0.5, 1],
        [-0.5, -0.5, 0.5],
    ]
).reshape(1, 1, 3, 3)
CONV_BIAS = np.array([0.5])
LINEAR_WEIGHT = np.array([[-1, 1, -0.5, 0.5], [1, 0.5, 0.5, -1]])
LINEAR_BIAS = np.array([0.5, 0.5])
TARGET = np.array([[3.0, 2.0]])

LAYERS = ("conv", "relu", "pool", "flatten", "linear")
"""The names of the five layers, in the order of the forward pass."""

LR = 0.01
"""The learning rate of the one step of Adam that the pages show."""


def net() -> Sequential:
    """The one-point net in float64, with weights of its own: changing them changes nothing else."""
    conv, linear = Conv2d(1, 1, 3, dtype=np.float64), Linear(4, 2, dtype=np.float64)
    conv.load_state_dict({"weight": CONV_WEIGHT, "bias": CONV_BIAS})
    linear.load_state_dict({"weight": LINEAR_WEIGHT, "bias": LINEAR_BIAS})
    return Sequential(conv, ReLU(), MaxPool2d(2, stride=1), Flatten(), linear)


def tensors(network: Sequential | None = None) -> dict[str, Array]:
    """Every tensor of one forward and one backward pass by name, in the order in which they are computed.

    network: such a net as `net()` gives, maybe with other weights; None for a fresh one. Its gradients are forgotten
    first, and hold those of this pass afterwards.

    Forward: "x", "conv.weight", "conv.bias", "conv.out", "relu.out", "pool.out", "flatten.out", "linear.weight",
    "linear.bias", "out", "target", "loss" (shape ()). Backward, each of the shape of what it is the gradient of:
    "dout", "linear.weight.grad", "linear.bias.grad", "dflatten" (dL/d flatten.out), "dpool", "drelu", "dconv",
    "conv.weight.grad", "conv.bias.grad", "dx".
    """
    network = net() if network is None else network
    network.zero_grad()
    path = list(zip(LAYERS, network.path(), strict=True))

    found: dict[str, Array] = {"x": PICTURE.copy()}
    out, caches = found["x"], []
    for name, layer in path:
        for part, parameter in layer.named_parameters():
            found[f"{name}.{part}"] = parameter.data.copy()
        out, cache = layer.forward(out)
        caches.append(cache)
        found["out" if name == "linear" else f"{name}.out"] = out
    found["target"] = TARGET.copy()
    loss, dout = SmoothL1Loss()(out, TARGET)
    found["loss"] = np.array(loss)

    found["dout"] = dout
    before = {later: f"d{name}" for name, later in pairwise(LAYERS)} | {"conv": "dx"}
    for (name, layer), cache in zip(reversed(path), reversed(caches), strict=True):
        dout = layer.backward(dout, cache)
        for part, parameter in layer.named_parameters():
            if parameter.grad is not None:
                found[f"{name}.{part}.grad"] = np.array(parameter.grad)
        found[before[name]] = dout
    return found
