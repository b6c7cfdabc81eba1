"""Short trainings with and without a planted mistake: does the loss show it?

The network is small: three convolutions, batch norm, pools that overlap, and a linear layer. It learns the 68 points
of a few faces of one photo, and is then asked for crops that it has not seen.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache

import numpy as np

from numpynet.dispatch import use
from numpynet.layers import BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, ReLU
from numpynet.learn import faces
from numpynet.learn.lessons.plant import Bug, planted
from numpynet.losses import MSELoss, SmoothL1Loss
from numpynet.module import Sequential
from numpynet.optim import Adam
from numpynet.training import Trainer
from numpynet.typing import AnyArray, Array

STEPS = 80
SIZE = 48
"""Pixels along each side of a crop."""


@dataclass(frozen=True)
class Trial:
    """The loss of the training crops before each step and after the last, and that of new crops at the end."""

    losses: list[float]
    new_crops: float


def small_net(seed: int) -> Sequential:
    """Three convolutions: crops (N, 1, 48, 48) -> points (N, 136)."""
    rng = np.random.default_rng(seed)
    return Sequential(
        *(Conv2d(1, 8, 3, padding=1, rng=rng), BatchNorm2d(8), ReLU(), MaxPool2d(3, 2, 1)),
        *(Conv2d(8, 16, 3, padding=1, rng=rng), BatchNorm2d(16), ReLU(), MaxPool2d(3, 2, 1)),
        *(Conv2d(16, 16, 3, padding=1, rng=rng), BatchNorm2d(16), ReLU(), MaxPool2d(3, 2, 1)),
        *(Flatten(), Linear(16 * 6 * 6, 136, rng=rng)),
    )


def trial(bug: Bug | None, seed: int, steps: int = STEPS, loss: str = "") -> Trial:
    """Train with the mistake, or without one, for `steps` steps of Adam at 1e-3.

    loss: "mse_loss" for that loss, else SmoothL1.
    """
    images, targets, new_images, new_targets = crops()
    criterion = MSELoss() if loss == "mse_loss" else SmoothL1Loss()
    with use("readable"), nullcontext() if bug is None else planted(bug):
        net = small_net(seed)
        trainer = Trainer(net, criterion, Adam(net.parameters(), lr=1e-3))
        losses = [trainer.train_step(images, targets) for _ in range(steps)]
        losses.append(criterion(net(images), targets)[0])
        return Trial(losses, criterion(net.eval()(new_images), new_targets)[0])


@cache
def crops() -> tuple[Array, Array, Array, Array]:
    """The crops to learn and their targets, then new crops and theirs: (12, 1, 48, 48) and (12, 136) each.

    A crop to learn is the middle of a picture of faces.py, at half its size. A new one is the same picture, seen
    4 pixels further to one side: left, right, up and down in turn.
    """
    images, points = faces.crops()
    still = np.zeros((len(images), 2), int)
    sides = np.array([[(-4, 0), (4, 0), (0, -4), (0, 4)][i % 4] for i in range(len(images))])
    return *_halved(images, points, still), *_halved(images, points, sides)


def _halved(images: Array, points: Array, shifts: AnyArray) -> tuple[Array, Array]:
    """The pictures at half their size, moved by (x, y) pixels, and where their points lie then, as targets.

    What comes in from beyond an edge repeats the edge.
    """
    margin = np.pad(images, ((0, 0), (0, 0), (4, 4), (4, 4)), mode="edge")
    side = images.shape[2]
    moved = [image[:, 4 + y : 4 + y + side, 4 + x : 4 + x + side] for image, (x, y) in zip(margin, shifts, strict=True)]
    blocks = np.stack(moved).reshape(len(images), 1, SIZE, 2, SIZE, 2)
    return blocks.mean(axis=(3, 5)), faces.to_targets(points - shifts[:, None].astype(points.dtype))
