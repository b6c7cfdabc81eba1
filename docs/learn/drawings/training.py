"""Seven loss curves, the good one and six others. Each is a training of a small network on crops of one photo."""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from drawings.axes import Axes
from numpynet import Adam, SmoothL1Loss
from numpynet.learn.exercises.solutions import train_step
from numpynet.learn.faces import crops, to_targets
from numpynet.learn.grids import Drawing
from numpynet.learn.showing.settle import small_net
from numpynet.typing import Array

STEPS = 60
SMALLEST, LARGEST = 1e-4, 30.0
"""The losses at the lower and the upper edge of a plot."""


def good() -> list[float]:
    """As `settle` trains: all 12 crops at each step."""
    return _losses()


def rate_too_small() -> list[float]:
    """As `settle --lr 1e-5`."""
    return _losses(lr=1e-5)


def rate_too_large() -> list[float]:
    """As `settle --lr 1e-2`."""
    return _losses(lr=1e-2)


def other_parameters() -> list[float]:
    """The optimizer has the parameters of another network."""
    return _losses(own=False)


def zero_grad_missing() -> list[float]:
    """Each step uses the sum of all gradients so far."""
    return _losses(forget=False)


def batches_of_one() -> list[float]:
    """Each step sees one crop, in random order: 12 steps are one epoch."""
    rng = np.random.default_rng(0)
    order = np.concatenate([rng.permutation(12) for _ in range(STEPS // 12 + 1)])
    return _losses(batches=[order[step : step + 1] for step in range(STEPS + 1)])


@cache
def learned_by_heart() -> tuple[list[float], list[float]]:
    """The loss of four crops that the network trains on, and of the eight others, in evaluation mode."""
    images, points = crops()
    targets = to_targets(points)
    net, criterion = small_net(0), SmoothL1Loss()
    optimizer = Adam(net.parameters(), lr=1e-3)
    training, validation = [], []
    for _ in range(STEPS + 1):
        net.eval()
        validation.append(float(criterion(net(images[4:]), targets[4:])[0]))
        net.train()
        training.append(train_step(net, criterion, optimizer, images[:4], targets[:4]))
    return training, validation


def _losses(
    lr: float = 1e-3, own: bool = True, forget: bool = True, batches: Sequence[Array] | None = None
) -> list[float]:
    """The loss before each of STEPS + 1 steps. own, forget: False for the mistake. batches: the crops of each step."""
    images, points = crops()
    targets = to_targets(points)
    net, criterion = small_net(0), SmoothL1Loss()
    optimizer = Adam((net if own else small_net(1)).parameters(), lr=lr)
    curve = []
    for step in range(STEPS + 1):
        chosen = slice(None) if batches is None else batches[step]
        out, cache = net.forward(images[chosen])
        loss, dout = criterion(out, targets[chosen])
        net.backward(dout, cache)
        optimizer.step()
        if forget:
            optimizer.zero_grad()
        curve.append(loss)
    return curve


SHOWN: dict[str, Callable[[], list[float]]] = {
    "1. good": good,
    "2. lr too small": rate_too_small,
    "3. lr too large": rate_too_large,
    "4. no weight moves": other_parameters,
    "5. zero_grad missing": zero_grad_missing,
    "6. batches of one": batches_of_one,
}
"""The plots with one curve. The seventh has two."""


@cache
def losses() -> dict[str, list[float]]:
    """The curve of each plot in SHOWN."""
    return {title: train() for title, train in SHOWN.items()}


def curves() -> Drawing:
    """A plot for each way a loss can go, with the good curve as a thin line in it."""
    d = Drawing(
        360,
        662,
        "Seven loss curves",
        "Each plot shows the loss over 60 steps, on a logarithmic scale, with the good curve as a thin line. 1: the "
        "good curve falls fast. 2: with a learning rate that is too small it falls slowly. 3: with one that is too "
        "large it jumps up at the first step. 4: if no weight moves it is flat. 5: if zero_grad is missing it "
        "rises. 6: with batches of one image it shakes. 7: learned by heart, the training loss falls and the "
        "validation loss hardly does.",
    )
    reference, *_ = losses().values()
    for i, (title, curve) in enumerate(losses().items()):
        axes = _plot(d, i, title)
        if i:
            axes.curve(_points(reference), thick=1.2)
        axes.curve(_points(curve), kind="cool", thick=2)
    training, validation = learned_by_heart()
    axes = _plot(d, len(SHOWN), "7. learned by heart")
    axes.curve(_points(training), kind="cool", thick=2)
    axes.curve(_points(validation), kind="cool", thick=2, dashes="5 4")
    for i, (text, kind, dashes) in enumerate(
        (("the loss", "cool", ""), ("validation loss", "cool", "5 4"), ("the loss of plot 1", "", ""))
    ):
        y = 552 + 24 * i
        d.line([(192, y), (218, y)], kind=kind, dashes=dashes, thick=2 if kind else 1.2)
        d.text(224, y + 5, text, size=14, kind=kind, anchor="start")
    d.text(192, 629, "from left to right: steps", size=13, kind="note", anchor="start")
    return d


def _plot(d: Drawing, place: int, title: str) -> Axes:
    left, top = 44 + 180 * (place % 2), 30 + 166 * (place // 2)
    axes = Axes(d, left, top, 120, 106, (0, STEPS), (np.log10(SMALLEST), np.log10(LARGEST)))
    d.text(left - 38, top - 9, title, size=14, anchor="start", bold=True)
    axes.frame((0, 30, 60), ())
    for loss in (0.001, 0.01, 0.1, 1, 10):
        x, y = axes.at(0, np.log10(loss))
        d.add(f'<path class="faint" d="M{x:.1f} {y:.1f}h{axes.width:.1f}"/>')
        d.text(x - 5, y + 4, f"{loss:g}", size=12, kind="note", anchor="end")
    return axes


def _points(curve: Sequence[float]) -> list[tuple[float, float]]:
    return [(step, float(np.log10(max(loss, SMALLEST)))) for step, loss in enumerate(curve)]
