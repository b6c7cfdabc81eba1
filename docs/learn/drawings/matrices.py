"""Layers as matrices: the Jacobian of a layer, made by its backward pass on unit vectors."""

import numpy as np

from numpynet.learn.grids import Drawing
from numpynet.learn.jacobian import layers, matrix

TITLES = {
    "linear": ("linear", "the weights"),
    "relu": ("ReLU", "a diagonal of 0 and 1"),
    "conv2d": ("conv", "the filter in every row"),
    "max_pool2d": ("max pool", "a single 1 in every row"),
    "batch_norm": ("batch norm", "each number, all numbers"),
    "soft_argmax2d": ("soft argmax", "a row for x, one for y"),
}
"""The six layers, in the order of the figure: a title and a remark."""


def six_jacobians() -> Drawing:
    """What `jacobian LAYER` prints, as coloured matrices."""
    d = Drawing(
        360,
        520,
        "Six layers as matrices",
        "The Jacobian of six layers: a row per output, a column per input, blue for positive, orange for negative "
        "numbers. Linear: full. ReLU: a diagonal of zeros and ones. Convolution: the same four numbers in every "
        "row, shifted. Max pooling: a single 1 in every row. Batch norm: full, though no weight joins the numbers "
        "of a batch. Soft argmax: two rows. The backward pass multiplies dout with the transpose.",
    )
    for i, (layer, (name, note)) in enumerate(TITLES.items()):
        left, top = 12 + 180 * (i % 2), (52, 204, 350)[i // 2]
        values, _ = matrix(layers()[layer])
        rows, columns = values.shape
        cell = min(156 / columns, 100 / rows)
        d.text(left, top - 24, f"{name} {values.shape}", size=15, anchor="start", bold=True)
        d.text(left, top - 7, note, size=12, kind="note", anchor="start")
        d.grid(left, top, values, cell=cell, numbers=False)
    d.text(180, 486, "rows: outputs, columns: inputs", size=14)
    d.text(180, 508, "backward: dx = transpose · dout", size=14, kind="back")
    return d


def banded() -> Drawing:
    """The Jacobian of a convolution with its numbers, and its transpose, which the backward pass applies."""
    conv = layers()["conv2d"]
    values, _ = matrix(conv._replace(x=np.ones((1, 1, 3, 3))))
    d = Drawing(
        360,
        560,
        "The matrix of a convolution, and its transpose",
        "The Jacobian of a 2 by 2 filter on a picture of 3 by 3: four rows, one per output; each holds the four "
        "numbers of the filter at the pixels of its window. Its transpose has nine rows, one per pixel; the "
        "middle pixel's row holds all four numbers, in the reverse order: the rotated filter.",
    )
    d.grid(20, 34, conv.constants["filter"][0, 0], cell=34, title="filter")
    d.text(112, 56, "forward: out = matrix · x", size=14, anchor="start")
    d.text(112, 82, "backward: dx = transpose · dout", size=14, kind="back", anchor="start")
    d.grid(27, 138, values, cell=34, title="matrix (4, 9)")
    d.outline(27 + 4 * 34, 138, 34, 4 * 34, kind="cool")
    d.text(180, 292, "the framed column is the middle pixel", size=13, kind="cool")
    d.grid(27, 332, values.T, cell=23, wide=38, title="transpose (9, 4)", kind="back", size=13)
    d.outline(27, 332 + 4 * 23, 4 * 38, 23, kind="cool")
    lines = (
        "The middle pixel's row,",
        "4, 3, 2, 1, is the filter",
        "read backwards.",
        "That is why others",
        'say "rotated filter".',
    )
    for i, line in enumerate(lines):
        d.text(192, 400 + 20 * i, line, size=13, anchor="start")
    return d
