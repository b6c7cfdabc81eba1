"""`jacobian LAYER`: a layer as a matrix, made by its real backward pass.

Row i of the Jacobian J of a layer holds the slopes of output i with respect to every input. The backward pass computes
dx = J^T dout; a dout that is 1 at output i and 0 elsewhere therefore gives row i.
"""

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from numpynet.console import nearest
from numpynet.dispatch import F
from numpynet.gradcheck.numeric import numerical_gradient
from numpynet.learn.errors import LearnError
from numpynet.learn.showing.text_grids import beside, block, decimal, grid
from numpynet.typing import Array


class Layer(NamedTuple):
    """One layer at a size that fits on a screen: its input, forward and backward (dx alone), and what to look for."""

    title: str
    x: Array
    forward: Callable[[Array], tuple[Array, Any]]
    backward: Callable[[Array, Any], Array]
    constants: dict[str, Array]
    look: str


def layers() -> dict[str, Layer]:
    """The six layers by name."""
    rows = np.array([[2.0, -1.0, 0.5]])
    weight = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    filters = np.array([[[[1.0, 2.0], [3.0, 4.0]]]])
    image = np.array([[3.0, 1, 4, 1], [5, 9, 2, 6], [8, 7, -3, 0], [-2, 10, -1, 12]]).reshape(1, 1, 4, 4)
    corner = np.array([[1.0, 2, 4], [5, 6, 3], [8, 0, 7]]).reshape(1, 1, 3, 3)
    channel = np.array([[1.0], [2.0], [4.0], [9.0]])
    scores = np.array([[0.0, 1, 0], [1, 3, 1], [0, 2, 0]]).reshape(1, 1, 3, 3)
    gamma, beta = np.array([2.0]), np.array([0.5])
    return {
        "linear": Layer(
            "out = x weight^T + bias", rows,
            lambda x: F.linear(x, weight, np.zeros(2)), lambda dout, cache: F.linear_backward(dout, cache)[0],
            {"weight": weight},
            "The matrix is the weight itself, because it is stored as (outputs, inputs). So out has a\n"
            "transpose, x weight^T, and dx has none: dout weight.",
        ),
        "relu": Layer(
            "out = max(x, 0)", np.array([[2.0, -1.0, 0.5, -3.0]]), F.relu, F.relu_backward, {},
            "The matrix has numbers on its diagonal only: 1 where x is positive, 0 where it is negative.\n"
            "Nobody builds this matrix: a mask of ones and zeros is enough.",
        ),
        "conv2d": Layer(
            "out = the sums of products of a 2 x 2 filter, laid on each window of x", image,
            lambda x: F.conv2d(x, filters), lambda dout, cache: F.conv2d_backward(dout, cache)[0],
            {"filter": filters},
            "Every row is the same four numbers, moved one window on. A column says which outputs see a\n"
            "pixel: read from bottom to top it holds 1, 2, 3, 4, which is the filter turned by 180 degrees.",
        ),
        "max_pool2d": Layer(
            "out = the largest number of each 2 x 2 window, stride 1", corner,
            lambda x: F.max_pool2d(x, 2, 1), F.max_pool2d_backward, {},
            "Every row has a single 1, in the column of its window's winner. The pixel with 6 wins two\n"
            "windows, so its column has two: the backward pass adds two numbers there.",
        ),
        "batch_norm": Layer(
            "out = weight (x - mean) / std + bias: one channel, a batch of 4", channel,
            lambda x: F.batch_norm(x, gamma, beta), lambda dout, cache: F.batch_norm_backward(dout, cache)[0],
            {"weight": gamma, "bias": beta},
            "No number is 0: each x changes the mean and the variance, and with them every output. Each row\n"
            "adds up to 0, because adding the same number to every x changes nothing.",
        ),
        "soft_argmax2d": Layer(
            "out = the mean position (x, y) of a heat map, weighted by its softmax", scores,
            F.soft_argmax2d, F.soft_argmax2d_backward, {},
            "Row 0 is for x: positive on the right, negative on the left. Row 1 is for y. A slope is\n"
            "the score's share times its distance from the mean position. Each row adds up to 0.",
        ),
    }  # fmt: skip


def matrix(layer: Layer) -> tuple[Array, Array]:
    """The Jacobian (outputs, inputs) of a layer by its backward pass, and again by finite differences."""
    out, cache = layer.forward(layer.x)
    rows, differences = [], []
    for i in range(out.size):
        dout = np.zeros_like(out)
        dout.flat[i] = 1
        rows.append(layer.backward(dout, cache).ravel())
        moved = layer.x.copy()
        differences.append(numerical_gradient(lambda moved=moved: layer.forward(moved)[0], moved, dout).ravel())  # type: ignore[misc]
    return np.stack(rows), np.stack(differences)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("layer", metavar="LAYER", help=f"one of {', '.join(layers())}")


def run(options: argparse.Namespace) -> int:
    known = layers()
    if options.layer not in known:
        hint = nearest(options.layer, known, f"choose one of {', '.join(known)}")
        raise LearnError(f"there is no layer {options.layer!r}; {hint}")
    layer = known[options.layer]
    out, _ = layer.forward(layer.x)
    rows, differences = matrix(layer)
    apart = float(np.abs(rows - differences).max())
    print(f"{options.layer}: {layer.title}\n")
    print(
        beside([block("x", layer.x), *(block(*pair) for pair in layer.constants.items()), block("out", out, digits=3)])
    )
    print(
        f"\nJacobian {rows.shape}: a row for each of the {len(rows)} outputs, a column for each of the {rows.shape[1]}"
    )
    print("inputs (images row by row). Row i is the dx of the backward pass for dout = 1 at output i.")
    print("For any dout the backward pass gives J^T dout, and never builds J.\n")
    print("\n".join(f"  {line}" for line in grid(rows, zero=".", digits=3)))
    print(f"\n{layer.look}")
    print(f"\nLargest difference from finite differences: {apart:.1e} (largest entry {decimal(np.abs(rows).max(), 3)})")
    return 0 if apart < 1e-6 else 1
