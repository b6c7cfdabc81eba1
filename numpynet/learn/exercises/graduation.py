"""What `graduate` does in a process of its own: two steps compared call by call, then the training."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from numpynet.learn import faces
from numpynet.learn.errors import message_of
from numpynet.learn.exercises import Exercise, file_loader, find, solutions
from numpynet.learn.exercises.call_by_call import DiffersError, Function, compared, in_place
from numpynet.learn.exercises.catalogue import command
from numpynet.learn.exercises.graduate import GRADUATED, NOT_YET, SECONDS, USED
from numpynet.learn.exercises.judge import CannotJudgeError
from numpynet.learn.own_process import limited
from numpynet.learn.showing.face_picture import as_text
from numpynet.learn.showing.settle import LR, small_net
from numpynet.losses import SmoothL1Loss
from numpynet.module import Sequential
from numpynet.optim import Adam
from numpynet.typing import Array

STEPS = 80
NEAR = 1.0
"""Pixels: the mean distance of the 68 points from their places at which they have settled."""
PATIENCE, LONGEST = 120, 600
"""Seconds: if the training takes longer with all 12 crops, one crop is learned; if that takes longer still, none."""
REPAIR = "Repair it, or take the file away: numpynet's own function is used then."

Functions = dict[str, tuple[Exercise, Function]]
Say = Callable[[str], None]
"""Prints a line. What the reader's files print does not come through it."""


def graduate(functions: Functions, folder: Path, say: Say) -> bool:
    """Whether the points settle with these functions. Says what happens."""
    images, points = faces.crops()
    targets = faces.to_targets(points)
    say("Two training steps are compared with numpynet's, call by call: a second, or a minute if your loops are slow.")
    try:
        calls = compare(functions, images[:3], targets[:3])
    except DiffersError as error:
        say(f"\nThe first call that differs from numpynet's:\n  {error}")
        first = find(str(error).split(":")[0])
        say(f"  Begin there: {command('check', first, folder / first.file)}")
        say(f"  {REPAIR}")
        return False
    say(f"All {len(calls)} calls of your functions give what numpynet's give.\n")
    count, seconds = _affordable(functions, images, targets)
    if count < len(images):
        say(f"{STEPS} steps with {len(images)} crops would take {_long(seconds * len(images))} with your functions.")
    if not count:
        say(f"One crop alone would take {_long(seconds)}. A loop over single numbers is slow in Python: let NumPy")
        say("multiply a whole window or row at once, or take the slow file away: numpynet's own function is used then.")
        return False
    if count < len(images):
        say(f"So the network learns one crop, which takes {_long(seconds)}.\n")
    images, points, targets = images[:count], points[:count], targets[:count]
    net = small_net(0)
    begin = time.perf_counter()
    with in_place(functions):
        _train(net, images, targets, say)
    out, _ = net.forward(images)
    distance = faces.pixel_error(out, points)
    say(f"\nThe first crop and its 68 points after {STEPS} steps ({time.perf_counter() - begin:.0f} seconds):\n")
    say(as_text(images[0, 0], faces.to_points(out)[0]))
    if not distance <= NEAR:
        say(f"\nThe points lie {distance:.2f} pixels from their places; they have settled at {NEAR:g} or less.")
        return False
    say(f"\n68 points lie {distance:.2f} pixels from their places.")
    say(f"{len(functions)} of the {len(USED)} functions that did it are yours.")
    return True


def compare(functions: Functions, images: Array, targets: Array) -> list[str]:
    """Two training steps in each precision. Returns the calls of the reader's; DiffersError if one is wrong."""
    calls: list[str] = []
    for dtype, tolerance in ((np.float64, 1e-9), (np.float32, 1e-3)):
        net = small_net(0).astype(dtype)
        step: Any = (SmoothL1Loss(), Adam(net.parameters(), lr=LR), images.astype(dtype), targets.astype(dtype))
        with in_place(compared(functions, tolerance, calls)):
            try:
                for _ in range(2):
                    solutions.train_step(net, *step)
            except DiffersError:
                raise
            except Exception as error:  # a result that numpynet's own functions refuse
                last = calls[-1] if calls else "?"
                raise DiffersError(f"{last}: after it, {type(error).__name__}: {message_of(error)}") from error
    return calls


def _affordable(functions: Functions, images: Array, targets: Array) -> tuple[int, float]:
    """How many crops to learn, 12, 1 or 0, and the seconds that all steps take with one crop."""
    net = small_net(0)
    begin = time.perf_counter()
    with in_place(functions):
        solutions.train_step(net, SmoothL1Loss(), Adam(net.parameters(), lr=LR), images[:1], targets[:1])
    seconds = STEPS * (time.perf_counter() - begin)
    return len(images) if seconds * len(images) < PATIENCE else int(seconds < LONGEST), seconds


def _long(seconds: float) -> str:
    """A time in words: it is estimated, and needs no more than this."""
    return f"about {seconds:.0f} seconds" if seconds < 100 else f"about {seconds / 60:.0f} minutes"


def _train(net: Sequential, images: Array, targets: Array, say: Say) -> None:
    criterion, optimizer = SmoothL1Loss(), Adam(net.parameters(), lr=LR)
    say("step      loss")
    for step in range(1, STEPS + 1):
        loss = solutions.train_step(net, criterion, optimizer, images, targets)
        if step in (1, 2, 5, 10, 20, 40, 60, STEPS):
            say(f"{step:4}  {loss:8.6f}")


def main() -> None:
    """Load the files, with what they print left out, and end with the status that `graduate` knows."""
    folder, *names = sys.argv[1:]
    shown = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")
    os.dup2(2, 1)

    def say(line: str) -> None:
        shown.write(f"{line}\n")
        shown.flush()

    file_loader.prepare(Path(folder))
    functions: Functions = {}
    well = False
    try:
        limited(SECONDS)
        for name in names:
            exercise = find(name)
            functions[name] = exercise, file_loader.function_of(exercise, Path(folder) / exercise.file)
        well = graduate(functions, Path(folder), say)
    except CannotJudgeError as error:
        say(f"\n{exercise.file}: {error}\n  {REPAIR}")
    except BaseException as error:  # of whatever kind: it is the reader's code that runs
        say(f"\nOne of your files ended the training: {type(error).__name__}: {message_of(error)}")
    os._exit(GRADUATED if well else NOT_YET)


if __name__ == "__main__":
    main()
