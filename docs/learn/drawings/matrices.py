"""Layers as matrices: the Jacobian of a layer, made by its backward pass on unit vectors."""

from collections.abc import Callable

import numpy as np

from numpynet.functional import (
    batch_norm,
    batch_norm_backward,
    conv2d,
    conv2d_backward,
    linear,
    linear_backward,
    max_pool2d,
    max_pool2d_backward,
    relu,
    relu_backward,
    soft_argmax2d,
    soft_argmax2d_backward,
)
from numpynet.learn.grids import Drawing
from numpynet.typing import Array, Cache


def jacobian(out: Array, cache: Cache, backward: Callable[[Array, Cache], Array]) -> Array:
    """Row i is the gradient of output i: the backward pass of a dout that is 1 there and 0 elsewhere."""
    units = np.eye(out.size).reshape(out.size, *out.shape)
    return np.stack([backward(unit, cache).ravel() for unit in units])


def _first(function: Callable[[Array, Cache], tuple[Array, ...]]) -> Callable[[Array, Cache], Array]:
    return lambda dout, cache: function(dout, cache)[0]


def conv_jacobian(weight: Array, side: int) -> Array:
    """Of a convolution on a picture of side x side: (OH OW, side^2)."""
    out, cache = conv2d(np.ones((1, 1, side, side)), weight)
    return jacobian(out, cache, _first(conv2d_backward))


FILTER = np.array([[1.0, 2.0], [-1.0, 0.5]])


def six_jacobians() -> Drawing:
    """Linear, ReLU, convolution, pooling, batch norm, soft argmax, as coloured matrices."""
    rng = np.random.default_rng(5)
    row, column, image = rng.normal(size=(1, 6)), rng.normal(size=(6, 1)), rng.normal(size=(1, 1, 3, 3))
    weight = rng.normal(size=(6, 6))
    matrices = (
        ("linear", "a weight everywhere", jacobian(*linear(row, weight), _first(linear_backward))),
        ("ReLU", "a diagonal of 0 and 1", jacobian(*relu(row), relu_backward)),
        ("conv", "the filter in every row", conv_jacobian(FILTER[None, None], 3)),
        ("max pool", "a single 1 in every row", jacobian(*max_pool2d(image, 2, 1), max_pool2d_backward)),
        ("batch norm", "each number, all numbers", jacobian(*batch_norm(column), _first(batch_norm_backward))),
        ("soft argmax", "a row for x, one for y", jacobian(*soft_argmax2d(image), soft_argmax2d_backward)),
    )
    d = Drawing(
        360,
        500,
        "Six layers as matrices",
        "The Jacobian of six layers: a row per output, a column per input, blue for positive, orange for negative numbers. "
        "Linear: full. ReLU: a diagonal of zeros and ones. Convolution: the same four numbers in every row, shifted. Max "
        "pooling: a single 1 in every row. Batch norm: full, though no weight joins the numbers of a batch. Soft argmax: "
        "two rows. The backward pass multiplies dout with the transpose.",
    )
    for i, (name, note, matrix) in enumerate(matrices):
        left, top = 12 + 180 * (i % 2), (52, 208, 332)[i // 2]
        rows, columns = matrix.shape
        cell = min(156 / columns, 100 / rows)
        d.text(left, top - 24, f"{name} {matrix.shape}", size=15, anchor="start", bold=True)
        d.text(left, top - 7, note, size=12, kind="note", anchor="start")
        d.grid(left, top, matrix, cell=cell, numbers=False)
    d.text(180, 466, "rows: outputs, columns: inputs", size=14)
    d.text(180, 488, "backward: dx = transpose · dout", size=14, kind="back")
    return d


def banded() -> Drawing:
    """The Jacobian of a convolution with its numbers, and its transpose, which the backward pass applies."""
    matrix = conv_jacobian(FILTER[None, None], 3)
    d = Drawing(
        360,
        560,
        "The matrix of a convolution, and its transpose",
        "The Jacobian of a 2 by 2 filter on a picture of 3 by 3: four rows, one per output; each holds the four numbers of "
        "the filter at the pixels of its window. Its transpose has nine rows, one per pixel; the middle pixel's row holds "
        "all four numbers, in the reverse order: the rotated filter.",
    )
    d.grid(20, 34, FILTER, cell=34, title="filter")
    d.text(112, 56, "forward: out = matrix · x", size=14, anchor="start")
    d.text(112, 82, "backward: dx = transpose · dout", size=14, kind="back", anchor="start")
    d.grid(27, 138, matrix, cell=34, title="matrix (4, 9)")
    d.outline(27 + 4 * 34, 138, 34, 4 * 34, kind="cool")
    d.text(180, 292, "the framed column is the middle pixel", size=13, kind="cool")
    d.grid(27, 332, matrix.T, cell=23, wide=38, title="transpose (9, 4)", kind="back", size=13)
    d.outline(27, 332 + 4 * 23, 4 * 38, 23, kind="cool")
    for i, line in enumerate(
        ("The middle pixel's row:", "0.5, -1, 2, 1 is the", "filter read backwards.", "That is why others")
    ):
        d.text(192, 400 + 20 * i, line, size=13, anchor="start")
    d.text(192, 480, "speak of a rotated filter.", size=13, anchor="start")
    return d
