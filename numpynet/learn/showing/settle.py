"""`settle`: 68 points settle on a face while a small network learns 12 crops of one photo by heart."""

import argparse
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from numpynet.layers import BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, ReLU
from numpynet.learn import faces
from numpynet.learn.errors import LearnError
from numpynet.learn.showing.face_picture import as_svg, as_text
from numpynet.losses import SmoothL1Loss
from numpynet.module import Sequential
from numpynet.optim import Adam
from numpynet.typing import Array, Seed

STEPS, LR = 120, 1e-3
MOST_STEPS = 10_000
"""The most that may be asked for: after some hundred, the points stand still."""
SHOWN = (0, 1, 2, 5, 10, 20, 30, 40, 50, 60, 80, 100, 120)
"""The steps after which the loss and the error are printed."""


class Moment(NamedTuple):
    """Training after `step` steps: the loss, the mean error in pixels, and the points (12, 68, 2) in pixels."""

    step: int
    loss: float
    error: float
    points: Array


def small_net(rng: Seed = 0) -> Sequential:
    """A network for crops (N, 1, 96, 96) float32 that gives 68 points, (N, 136): 162,808 parameters.

    Three times a convolution, batch norm, ReLU and max pooling; then one linear layer. The first convolution moves in
    steps of two pixels, which makes the rest four times cheaper.
    """
    rng = np.random.default_rng(rng)
    layers = []
    for inputs, filters, stride in ((1, 8, 2), (8, 16, 1), (16, 32, 1)):
        conv = Conv2d(inputs, filters, 3, stride=stride, padding=1, rng=rng)
        layers += [conv, BatchNorm2d(filters), ReLU(), MaxPool2d(2)]
    return Sequential(*layers, Flatten(), Linear(32 * 6 * 6, 136, rng=rng))


def train(net: Sequential, steps: int = STEPS, lr: float = LR) -> Iterator[Moment]:
    """Train on all 12 crops at once with SmoothL1Loss and Adam: a Moment before each step, and one at the end."""
    images, points = faces.crops()
    targets = faces.to_targets(points)
    criterion, optimizer = SmoothL1Loss(), Adam(net.parameters(), lr=lr)
    for step in range(steps + 1):
        out, cache = net.forward(images)
        loss, dout = criterion(out, targets)
        yield Moment(step, loss, faces.pixel_error(out, points), faces.to_points(out))
        net.backward(dout, cache)
        optimizer.step()
        optimizer.zero_grad()


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--steps", type=int, default=STEPS, help=f"number of training steps (default {STEPS})")
    parser.add_argument("--lr", type=float, default=LR, help=f"learning rate of Adam (default {LR})")
    parser.add_argument("--seed", type=int, default=0, help="of the first weights (default 0)")
    parser.add_argument("--every", type=int, metavar="N", help="draw the face after every N steps")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write an animated picture of the points, a new file")


def run(options: argparse.Namespace) -> int:
    if not 1 <= options.steps <= MOST_STEPS:
        raise LearnError(f"--steps must be from 1 to {MOST_STEPS}, got {options.steps}")
    for name, least in (("seed", 0), ("every", 1)):
        if (value := getattr(options, name)) is not None and value < least:
            raise LearnError(f"--{name} must be at least {least}, got {value}")
    if not 0 < options.lr <= 10:
        raise LearnError(f"--lr must be above 0 and at most 10, got {options.lr:g}")
    if options.svg is not None:
        _check_new(options.svg)
    face = faces.crops()[0][0, 0]
    net = small_net(options.seed)
    count = sum(parameter.data.size for parameter in net.parameters())
    print(f"A network of {count:,} parameters learns 12 crops of one photo; its points are those of each crop.\n")
    print("step      loss    mean error")
    begin, moments = time.perf_counter(), []
    for moment in train(net, options.steps, options.lr):
        if not np.isfinite(moment.loss):
            raise LearnError(f"the loss became {moment.loss} at step {moment.step}; choose a smaller --lr")
        drawn = options.every is not None and moment.step % options.every == 0
        if moment.step in SHOWN or moment.step == options.steps or drawn:
            print(f"{moment.step:4}  {moment.loss:8.6f}  {moment.error:6.2f} pixels", flush=True)
            moments.append(moment)
        if drawn and moment.step != options.steps:
            print(as_text(face, moment.points[0]))
    seconds = time.perf_counter() - begin
    print(f"\nThe first crop and its 68 points after {_steps(options.steps)} ({seconds:.0f} seconds):\n")
    print(as_text(face, moment.points[0]))
    print("\nThe network knows these 12 crops by heart. How it does on other faces, this does not show.")
    if options.svg is not None:
        _write(options.svg, as_svg(face, [(m.step, m.points[0]) for m in moments]))
        print(f"wrote {options.svg}")
    return 0


def _steps(count: int) -> str:
    return "1 step" if count == 1 else f"{count} steps"


def _check_new(file: Path) -> None:
    if file.exists():
        raise LearnError(f"--svg {file}: exists; name a new file")
    if not file.parent.is_dir():
        raise LearnError(f"--svg {file}: there is no folder {file.parent}; make it first")


def _write(file: Path, text: str) -> None:
    """Write a new file. LearnError if it cannot be written; then nothing is left of it."""
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise LearnError(f"--svg {file}: exists; name a new file") from None
    except OSError as error:
        with contextlib.suppress(OSError):  # there may be no file, or no right to delete one
            file.unlink()
        raise LearnError(f"--svg {file}: cannot be written ({error.strerror})") from None
