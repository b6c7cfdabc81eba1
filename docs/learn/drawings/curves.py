"""Curves: ReLU and its slope, losses over their slopes, the paths of three optimizers."""

from collections.abc import Callable

import numpy as np

from drawings.axes import Axes
from numpynet.functional import (
    adam_update,
    mse_loss,
    mse_loss_backward,
    relu,
    relu_backward,
    sgd_update,
    smooth_l1_loss,
    smooth_l1_loss_backward,
    wing_loss,
    wing_loss_backward,
)
from numpynet.learn.grids import Drawing
from numpynet.typing import Array


def relu_and_slope() -> Drawing:
    """ReLU above, its slope below, with the kink at 0."""
    d = Drawing(
        360,
        424,
        "ReLU and its slope",
        "Above: ReLU is 0 left of 0 and x right of it. Below: its slope is 0 on the left and 1 on the right. At 0 "
        "itself the backward pass takes 0, and a central difference gives 0.5.",
    )
    value, slope = Axes(d, 40, 34, 300, 140, (-2, 2), (-0.5, 2)), Axes(d, 40, 224, 300, 130, (-2, 2), (-0.25, 1.25))
    value.frame((-2, -1, 0, 1, 2), (0, 1, 2), "out = max(x, 0)")
    x = np.array([-2.0, 0.0, 2.0])
    out, _ = relu(x)
    value.curve(list(zip(x, out, strict=True)))
    value.dot(0, 0)
    value.label(0.1, -0.3, "the kink", size=13, anchor="start")
    value.label(-1.9, 0.2, "dead: no slope", size=13, kind="note")
    slope.frame((-2, -1, 0, 1, 2), (0, 0.5, 1), "slope")
    for side in (np.array([-2.0, -1e-9]), np.array([1e-9, 2.0])):
        dx = relu_backward(np.ones(2), relu(side)[1])
        slope.curve(list(zip(side, dx, strict=True)), kind="back")
    at_zero = relu_backward(np.ones(1), relu(np.zeros(1))[1])[0]
    nudge = 1e-6
    numeric = float(relu(np.array([nudge]))[0][0] - relu(np.array([-nudge]))[0][0]) / (2 * nudge)
    slope.dot(0, 1, kind="back", hollow=True)
    slope.dot(0, at_zero, kind="back")
    slope.dot(0, numeric, kind="cool")
    slope.label(0.12, 0.45, f"nudged both ways: {numeric:g}", kind="cool", size=13)
    slope.label(0.12, 0.05, f"by definition here: {at_zero:g}", kind="back", size=13)
    d.text(180, 408, "backward: dx = slope · dout", size=14, kind="back")
    return d


LOSSES = (
    ("MSE", mse_loss, mse_loss_backward, "", ""),
    ("SmoothL1", smooth_l1_loss, smooth_l1_loss_backward, "cool", ""),
    ("Wing", wing_loss, wing_loss_backward, "", "5 4"),
)


def losses_over_slopes() -> Drawing:
    """Three losses of one residual above, their slopes below."""
    d = Drawing(
        360,
        500,
        "Losses over their slopes",
        "Above: MSE, SmoothL1 and Wing loss of one residual d. Below: the slope of each. That of MSE grows with "
        "d; that of SmoothL1 stays at 1 beyond d = 1; that of the Wing loss is largest near 0.",
    )
    value, slope = Axes(d, 40, 60, 300, 170, (-2, 2), (0, 4)), Axes(d, 40, 286, 300, 170, (-2, 2), (-4, 4))
    value.frame((-2, -1, 0, 1, 2), (0, 1, 2, 3, 4), "loss of one residual d")
    slope.frame((-2, -1, 0, 1, 2), (-4, -2, 0, 2, 4), "its slope: where dout begins")
    for i, (name, loss, backward, kind, dashes) in enumerate(LOSSES):
        points, slopes = [], []
        for residual in np.concatenate([np.linspace(-2, -1e-6, 81), np.linspace(1e-6, 2, 81)]):
            number, cache = loss(np.array([residual]), np.zeros(1))  # type: ignore[operator]
            points.append((float(residual), float(number)))
            slopes.append((float(residual), float(backward(1.0, cache)[0])))  # type: ignore[operator]
        value.curve(points, kind=kind, dashes=dashes)
        slope.curve(slopes, kind=kind, dashes=dashes)
        left = (40, 138, 268)[i]
        d.line([(left, 22), (left + 26, 22)], kind=kind, dashes=dashes, thick=2.5)
        d.text(left + 32, 27, name, size=14, kind=kind, anchor="start")
    d.text(190, 492, "d = output - target", size=14, kind="note")
    return d


START, STRETCH = np.array([-1.8, 0.8]), np.array([1.0, 12.0])


def _path(step: Callable[[Array, Array, int], None], steps: int) -> list[tuple[float, float]]:
    """Where `step` goes from START on loss = (x^2 + 12 y^2) / 2, whose gradient is (x, 12 y)."""
    point = START.copy()
    path = [(float(point[0]), float(point[1]))]
    for t in range(1, steps + 1):
        step(point, STRETCH * point, t)
        path.append((float(point[0]), float(point[1])))
    return path


def paths() -> Drawing:
    """SGD, momentum and Adam in a narrow valley, and Adam's first step."""
    velocity: list[Array | None] = [None]
    m, v = np.zeros(2), np.zeros(2)

    def sgd(p: Array, g: Array, t: int) -> None:
        sgd_update(p, g, None, 0.15, 0.0, 0.0, 0.0, False)

    def momentum(p: Array, g: Array, t: int) -> None:
        velocity[0] = sgd_update(p, g, velocity[0], 0.03, 0.8, 0.0, 0.0, False)

    def adam(p: Array, g: Array, t: int) -> None:
        adam_update(p, g, m, v, t, 0.15, (0.9, 0.999), 1e-8, 0.0)

    d = Drawing(
        360,
        690,
        "Three optimizers in one valley",
        "The same start, 24 steps each. SGD jumps across the narrow valley; momentum swings and arrives; Adam "
        "first walks along the diagonal, since its first step is as long in both directions. Below: gradients of "
        "very different size, and the first step of Adam, which is lr times their sign.",
    )
    for i, (name, step, kind) in enumerate(
        (("SGD", sgd, ""), ("SGD with momentum", momentum, "cool"), ("Adam", adam, "back"))
    ):
        axes = Axes(d, 12, 30 + 158 * i, 336, 116, (-2.1, 2.1), (-1.1, 1.1))
        d.text(12, 22 + 158 * i, name, size=15, kind=kind, anchor="start", bold=True)
        for level in (0.05, 0.4, 1.2, 2.4, 4):
            turn = np.linspace(0, 2 * np.pi, 49)
            ring = np.sqrt(2 * level / STRETCH) * np.stack([np.cos(turn), np.sin(turn)], 1)
            inside = [axes.at(x, y) for x, y in ring]
            if np.abs(ring[:, 0]).max() <= 2.1 and np.abs(ring[:, 1]).max() <= 1.1:
                d.add(f'<path class="faint" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in inside)}"/>')
        walk = _path(step, 24)
        axes.curve(walk, kind=kind, thick=2)
        for x, y in walk:
            axes.dot(x, y, kind=kind, radius=2.6)
        axes.dot(0, 0, hollow=True)
    gradients = np.array([[100.0, 1, -0.01]])
    point, m1, v1 = np.zeros((1, 3)), np.zeros((1, 3)), np.zeros((1, 3))
    adam_update(point, gradients, m1, v1, 1, 0.001, (0.9, 0.999), 1e-8, 0.0)
    d.text(12, 508, "Adam's first step, lr = 0.001", size=15, anchor="start", bold=True)
    d.grid(150, 524, gradients, cell=40, wide=64, kind="back", size=15)
    d.text(140, 549, "gradient", size=14, kind="back", anchor="end")
    d.grid(150, 580, point, cell=40, wide=64, size=15)
    d.text(140, 605, "step", size=14, anchor="end")
    d.text(180, 648, "the length is lr, whatever the gradient's size:", size=14)
    d.text(180, 670, "only its sign counts", size=14)
    return d
