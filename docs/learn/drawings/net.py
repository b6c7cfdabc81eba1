"""The one-point net whole: each tensor of the forward pass, and its gradient beside it."""

import numpy as np

from numpynet.learn import one_point
from numpynet.learn.grids import Drawing, shown

ROWS = (
    ("x", "dx"),
    ("conv.weight", "conv.weight.grad"),
    ("conv.out", "dconv"),
    ("relu.out", "drelu"),
    ("pool.out", "dpool"),
    ("flatten.out", "dflatten"),
    ("linear.weight", "linear.weight.grad"),
    ("out", "dout"),
)
"""The name of a tensor and the name of its gradient, which stand above them; from top to bottom."""

WIDE = {2: (56.0, 60.0), 3: (40.0, 60.0), 4: (36.0, 54.0), 5: (26.0, 46.0)}
"""By the number of columns: the width of a cell forward, and backward, where numbers are longer."""


def whole_net() -> Drawing:
    """Left, downwards and black: the forward pass. Right, upwards and red: the gradient of the loss for each number."""
    t = dict(one_point.tensors())
    t |= {"conv.weight": one_point.CONV_WEIGHT, "linear.weight": one_point.LINEAR_WEIGHT}
    t = {name: np.atleast_2d(np.squeeze(value)) for name, value in t.items()}
    cell, gap, width, top = 31.0, 44.0, 390.0, 56.0
    centres = (84.0, 269.0)
    height = top + sum(cell * len(t[name]) + gap for name, _ in ROWS) + 96
    loss = shown(float(t["loss"][0, 0]), 6)
    d = Drawing(
        width,
        height,
        "The one-point net, forward and backward",
        "Left, from top to bottom: the picture, the filter, what convolution, ReLU, max pooling and flattening "
        f"make of it, the weights of the linear layer, the output, and the loss, {loss}. Right, beside each: the "
        "gradient of the loss with respect to it, from bottom to top.",
    )
    d.text(centres[0], 22, "forward", size=17, bold=True)
    d.text(centres[1], 22, "backward", size=17, kind="back", bold=True)
    y, before = top, 0.0
    for i, (name, gradient) in enumerate(ROWS):
        values, bias = t[name], {"conv.weight": "conv.bias", "linear.weight": "linear.bias"}.get(name)
        rows, columns = values.shape
        for side, (key, kind) in enumerate(((name, ""), (gradient, "back"))):
            wide = WIDE[columns][kind == "back"]
            left = centres[side] - wide * columns / 2
            d.grid(left, y, t[key], cell=cell, wide=wide, title=key, kind=kind, digits=6, largest=_largest(t, kind))
        if bias:
            numbers = one_point.CONV_BIAS if bias == "conv.bias" else one_point.LINEAR_BIAS
            _bias(d, centres, y + cell * rows + 16, bias, numbers, t[f"{bias}.grad"].ravel())
        if i:
            d.arrow([(8, before + 4), (8, y - 4)], thick=1.5)
            d.arrow([(width - 8, y - 4), (width - 8, before + 4)], kind="back", thick=1.5)
        before = y + cell * rows + (20 if bias else 0)
        y = before + gap
    d.arrow([(8, before + 4), (8, y + 6)], thick=1.5)
    d.arrow([(width - 8, y + 6), (width - 8, before + 4)], kind="back", thick=1.5)
    target = ", ".join(shown(v) for v in one_point.TARGET.ravel())
    d.text(centres[0], y + 4, f"loss = {loss}", bold=True)
    d.text(centres[0], y + 26, f"target ({target})", size=13, kind="note")
    d.text(centres[1], y + 4, "dloss = 1", kind="back", bold=True)
    return d


def _bias(d: Drawing, centres: tuple[float, float], y: float, name: str, values: np.ndarray, grad: np.ndarray) -> None:
    d.text(centres[0], y, f"{name}: {', '.join(shown(v, 6) for v in values)}", size=13)
    d.text(centres[1], y, f"{name}.grad: {', '.join(shown(v, 6) for v in grad)}", size=13, kind="back")


def _largest(t: dict[str, np.ndarray], kind: str) -> float:
    """The number of the strongest colour: one for all tensors, one for all gradients."""
    names = [row[1 if kind else 0] for row in ROWS]
    return float(max(np.abs(t[name]).max() for name in names))
