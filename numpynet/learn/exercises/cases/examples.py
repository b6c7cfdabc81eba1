"""The first case of each backward exercise: numbers so few and so round that one can follow them by hand."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numpynet.learn import one_point
from numpynet.typing import Array

ONE_POINT = "the one-point net"


@dataclass(frozen=True)
class Example:
    """The forward function's arrays and options, and the dout that arrives."""

    says: str
    inputs: dict[str, Array]
    dout: Array
    options: dict[str, Any] = field(default_factory=dict)


def _of_net(inputs: dict[str, str], dout: str, options: dict[str, Any] | None = None) -> Example:
    """Arrays of the one-point net, by the names that `one_point.tensors` gives them."""
    tensors = one_point.tensors()
    arrays = {name: np.asarray(tensors[tensor]) for name, tensor in inputs.items()}
    return Example(ONE_POINT, arrays, np.asarray(tensors[dout]), options or {})


def _loss() -> Example:
    tensors = one_point.tensors()
    return Example(ONE_POINT, {"x": tensors["out"], "target": one_point.TARGET}, np.array(1.0))


def _relu() -> Example:
    arriving = np.arange(1.0, 10.0).reshape(1, 1, 3, 3) / 8  # the net's own is 0 wherever ReLU blocks: no pool chose it
    return Example("conv.out of the one-point net", {"x": one_point.tensors()["conv.out"]}, arriving)


def _linear() -> Example:
    return _of_net({"x": "flatten.out", "weight": "linear.weight", "bias": "linear.bias"}, "dout")


def _conv2d() -> Example:
    return _of_net({"x": "x", "weight": "conv.weight", "bias": "conv.bias"}, "dconv")


def _max_pool2d() -> Example:
    return _of_net({"x": "relu.out"}, "dpool", {"kernel_size": 2, "stride": 1})


def _batch_norm() -> Example:
    x = np.array([[1.0], [2.0], [3.0], [6.0]])  # mean 3, variance 3.5, and 4 with eps: std is 2
    dout = np.array([[1.0], [0.0], [0.0], [-1.0]])
    return Example(
        "4 numbers of one channel", {"x": x, "weight": np.array([2.0]), "bias": np.zeros(1)}, dout, {"eps": 0.5}
    )


def _dropout() -> Example:
    options = {"p": 0.5, "mask": np.array([[True, False, True], [False, True, True]])}
    dout = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    return Example("2 x 3 numbers", {"x": np.ones((2, 3))}, dout, options)


def _soft_argmax2d() -> Example:
    x = np.log(np.array([[1.0, 1.0, 2.0], [1.0, 1.0, 2.0]])).reshape(1, 1, 2, 3)  # shares of 1/8 and 1/4
    return Example("one map of 2 x 3", {"x": x}, np.array([[1.0, 0.0]]))


EXAMPLES: dict[str, Callable[[], Example]] = {
    "linear_backward": _linear,
    "relu_backward": _relu,
    "mse_loss_backward": _loss,
    "smooth_l1_loss_backward": _loss,
    "conv2d_backward": _conv2d,
    "max_pool2d_backward": _max_pool2d,
    "batch_norm_backward": _batch_norm,
    "dropout_backward": _dropout,
    "soft_argmax2d_backward": _soft_argmax2d,
}
"""By the name of the exercise."""


def one_point_picture() -> Array:
    """The picture of the one-point net as one image, (C, H, W)."""
    return one_point.PICTURE[0].copy()
