"""A small example of each derivation, with numbers that can be followed on paper."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from numpynet.learn.derivations.adam import adam
from numpynet.learn.derivations.batch_norm import batch_norm
from numpynet.learn.derivations.convolution import conv2d_product, conv2d_rotated, conv2d_scatter, max_pool2d
from numpynet.learn.derivations.losses import mse_loss, smooth_l1_loss
from numpynet.learn.derivations.simple import dropout, flatten, linear, relu, residual, upsample_nearest2d
from numpynet.learn.derivations.soft_argmax2d import soft_argmax2d
from numpynet.learn.derivations.staged import Staged
from numpynet.typing import Array


@dataclass(frozen=True)
class Derivation:
    """One derivation: its formula in a line, and its example."""

    formula: str
    example: Callable[[], Staged]


def _array(*numbers: object) -> Array:
    return np.array(numbers, np.float64)


def _linear() -> Staged:
    x, weight = _array([1, 2, 3], [0, 2, -2]), _array([1, -1, 2], [3, 0.5, -2])
    return linear(x, weight, _array(10, 20), _array([1, -2], [3, 1]))


def _batch_norm() -> Staged:
    """One channel of mean 3 and variance 4. The numbers are whole, but for what eps adds."""
    x, dout = _array(7, 1, 1, 3, 3, 3), _array(2.5, -0.5, 1, 0, 1.5, -1.5)
    return batch_norm(x[:, None], _array(2), _array(1), dout[:, None])


def _image(size: int) -> Array:
    """A picture with a bright spot: (1, 1, size, size), without two equal numbers beside each other."""
    rows, columns = np.indices((size, size))
    return ((3 * rows + 5 * columns + rows * columns) % 7).astype(np.float64)[None, None]


def _conv2d(way: Callable[..., Staged]) -> Staged:
    weight, dout = _array([1, 2], [0, -1])[None, None], _array([1, 0], [2, -1])[None, None]
    return way(_image(3), weight, _array(1), dout)


DERIVATIONS: dict[str, Derivation] = {
    "linear": Derivation("out = x weight^T + bias", _linear),
    "relu": Derivation("out = max(x, 0)", lambda: relu(_array([1, -2], [0, 3]), _array([5, 6], [7, 8]))),
    "mse_loss": Derivation(
        "loss = mean((x - target)^2)", lambda: mse_loss(_array([1, 2], [5, 0]), _array([1, 4], [2, 1]))
    ),
    "smooth_l1_loss": Derivation(
        "loss = mean(d^2 / 2, or |d| - 1/2 from |d| = 1 on)",
        lambda: smooth_l1_loss(_array([1, 2], [5, 0]), _array([1, 4], [2, 0.5]), 1.0),
    ),
    "conv2d": Derivation("out = the filters times all windows, as one product", lambda: _conv2d(conv2d_product)),
    "conv2d_scatter": Derivation("out = sum(weight * window) + bias, by windows", lambda: _conv2d(conv2d_scatter)),
    "conv2d_rotated": Derivation("dxp = dout convolved with rotated filters", lambda: _conv2d(conv2d_rotated)),
    "max_pool2d": Derivation(
        "out = the largest of each window, 2 x 2, stride 1",
        lambda: max_pool2d(
            _array([1, 2, 1], [3, 9, 4], [2, 5, 1])[None, None], 2, 1, _array([1, 2], [3, 4])[None, None]
        ),
    ),
    "batch_norm": Derivation("out = weight (x - mean) / sqrt(var + eps) + bias", _batch_norm),
    "dropout": Derivation(
        "out = x mask / (1 - p)",
        lambda: dropout(_array(1, 2, 3, 4), np.array([True, False, True, True]), 0.5, _array(1, 2, 3, 4)),
    ),
    "flatten": Derivation(
        "out = the numbers of x, in a row", lambda: flatten(_array([1, 2], [3, 4])[None, None], _array([5, 6, 7, 8]))
    ),
    "upsample_nearest2d": Derivation(
        "out = each pixel of x, 2 x 2 times",
        lambda: upsample_nearest2d(_array([1, 2])[None, None], 2, _array([1, 2, 3, 4], [5, 6, 7, 8])[None, None]),
    ),
    "residual": Derivation(
        "out = x + relu(x weight^T)", lambda: residual(_array([1, -2]), _array([1, 1], [2, -1]), _array([1, 3]))
    ),
    "soft_argmax2d": Derivation(
        "out = the mean position, weighted by softmax(x)",
        lambda: soft_argmax2d(np.log(_array([1, 2, 1], [2, 8, 2]))[None, None], _array([1, -1])),
    ),
    "adam": Derivation(
        "the first step of Adam, lr 0.1",
        lambda: adam(_array(0, 0, 0), _array(1, -10, 1000), np.zeros(3), np.zeros(3), 1, 0.1),
    ),
}
