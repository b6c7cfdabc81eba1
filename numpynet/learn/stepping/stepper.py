"""`step`: one training step, layer by layer: forward, the loss, backward, and the update.

In a terminal Enter goes on and q ends it. With --html it writes one page, which opens without a network connection.
"""

import argparse
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from numpynet.console import nearest
from numpynet.files import atomic
from numpynet.learn import faces, one_point
from numpynet.learn.errors import LearnError
from numpynet.learn.showing.named_networks import make
from numpynet.learn.stepping import step_page, training_step
from numpynet.learn.stepping.training_step import Step
from numpynet.losses import SmoothL1Loss
from numpynet.module import Chain
from numpynet.optim import Adam
from numpynet.training import Trainer
from numpynet.typing import Array

CHOICES = {"one-point": "Sequential", "compact": "KeypointNet", "hourglass": "HourglassNet"}
"""The networks, and the name that a weights file has for each."""
BATCH = 4
"""Faces per training step: batch norm needs two at least."""
STEPS, MOST_STEPS = 5, 1000
LR = 1e-3
NUMBERS = 64
"""Of arrays of at most so many numbers the terminal shows all; of larger ones the range and the mean."""
WIDTH = 96


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("net", nargs="?", default="one-point", metavar="NET", help=f"one of {', '.join(CHOICES)}")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the steps as one HTML page instead")
    parser.add_argument("--face", type=int, default=0, help="which of the 12 demo faces the page shows, 0 to 11")
    parser.add_argument("--steps", type=int, help=f"training steps before the one that is shown ({STEPS}; on faces)")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="begin with the weights in this .safetensors file")


def run(options: argparse.Namespace) -> int:
    """Take the step, and show or write it."""
    file = options.html
    if file is not None and (file.exists() or file.is_symlink()):
        raise LearnError(f"--html {file}: exists already, and nothing is written over; choose another name")
    if file is not None and not file.parent.is_dir():
        raise LearnError(f"--html {file}: there is no folder {file.parent}; make it first")
    steps, title = take(options.net, options.face, options.steps, options.weights)
    if file is None:
        walk(steps, title, input if sys.stdin.isatty() and sys.stdout.isatty() else None)
        return 0
    page = step_page.html(steps, title)
    try:
        with atomic(file) as temporary:
            temporary.write_text(page, "utf-8")
    except OSError as error:
        raise LearnError(f"--html {file}: cannot be written ({error.strerror or error})") from None
    print(f"{file}: {len(steps)} steps, {len(page) / 1e6:.1f} MB; open it in a browser")
    return 0


def take(name: str, face: int = 0, before: int | None = None, weights: Path | None = None) -> tuple[list[Step], str]:
    """The small steps of one training step of the network of this name, and a title.

    face, before, weights: the options --face, --steps and --weights. LearnError if they do not fit.
    """
    if name not in CHOICES:
        advice = nearest(name, CHOICES, f"choose one of {', '.join(CHOICES)}", 0.4)
        raise LearnError(f"there is no network {name!r} to step through; {advice}")
    if name == "one-point":
        if weights is not None or before is not None or face:
            raise LearnError("--face, --steps and --weights are for faces; name compact or hourglass")
        net = one_point.net()
        optimizer = Adam(net.parameters(), lr=one_point.LR)
        arrays = one_point.PICTURE.copy(), one_point.TARGET.copy()
        steps = training_step.take(net, SmoothL1Loss(), optimizer, *arrays, names=one_point.LAYERS)
        return steps, "One training step of the one-point net"
    images, points = faces.crops()
    if not 0 <= face < len(images):
        raise LearnError(f"--face must be from 0 to {len(images) - 1}, got {face}")
    before = (0 if weights else STEPS) if before is None else before
    if not 0 <= before <= MOST_STEPS:
        raise LearnError(f"--steps must be from 0 to {MOST_STEPS}, got {before}")
    trained = make(name)[0] if weights is None else _load(name, weights)
    optimizer = Adam(trained.parameters(), lr=LR)
    trainer = Trainer(trained, SmoothL1Loss(), optimizer)
    targets = faces.to_targets(points)
    for step in range(before):
        chosen = [(face + BATCH * (step + 1) + i) % len(images) for i in range(BATCH)]
        trainer.train_step(images[chosen], targets[chosen])
    chosen = [(face + i) % len(images) for i in range(BATCH)]
    steps = training_step.take(trained, trainer.criterion, optimizer, images[chosen], targets[chosen])
    return steps, f"Training step {before + 1} of the {name} network on {BATCH} faces"


def _load(name: str, file: Path) -> Chain:
    """The network in a weights file. LearnError if it is another one, or not for these crops."""
    from numpynet.checkpoint import CheckpointError, load_net  # it needs safetensors, and few come by here

    try:
        net, card = load_net(file)
    except ModuleNotFoundError as error:
        raise LearnError(f"--weights needs the package {error.name}: pip install {error.name}") from None
    except CheckpointError as error:
        raise LearnError(f"--weights {error}") from None
    if type(net).__name__ != CHOICES[name] or card.input_size != faces.SIZE:
        made_for = f"a {type(net).__name__} for crops of {card.input_size} pixels"
        raise LearnError(f"--weights {file}: holds {made_for}; wanted a {CHOICES[name]} for {faces.SIZE}")
    return net.train()


def walk(steps: Iterable[Step], title: str, ask: Callable[[str], str] | None) -> None:
    """Print the steps. ask: waits for a line before each next step, "q" ends; None prints all at once."""
    print(title)
    listed = list(steps)
    for i, step in enumerate(listed):
        print("\n".join(["", *text(step, f"Step {i + 1} of {len(listed)}")]))
        if ask is not None and i + 1 < len(listed):
            try:
                answer = ask("\nEnter: next step, q: quit ")
            except (EOFError, KeyboardInterrupt):
                print()
                return
            if answer.strip().lower().startswith("q"):
                return


def text(step: Step, count: str) -> Iterator[str]:
    """The lines of one step in the terminal."""
    head = step.title if step.phase in ("input", "loss") else f"{step.phase}: {step.title}"
    yield f"{count}, {head}"
    yield from textwrap.wrap(step.words, WIDTH, initial_indent="  ", subsequent_indent="  ")
    for tensor in step.tensors:
        yield f"  {tensor.name} {tensor.array.shape}"
        yield from (f"    {line}" for line in _numbers(tensor.array))


def _numbers(array: Array) -> list[str]:
    """All numbers of a small array, or the range and the mean of a large one."""
    if array.size > NUMBERS:
        zeros = float((array == 0).mean())
        words = f"{array.min():.4g} to {array.max():.4g}, mean {array.mean():.3g}"
        return [words + (f", {100 * zeros:.0f} % are 0" if zeros >= 0.005 else "")]
    rows = array.reshape(-1, array.shape[-1]) if array.ndim > 2 else array
    return np.array2string(rows, precision=6, suppress_small=True, max_line_width=WIDTH).splitlines()
