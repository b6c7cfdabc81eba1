"""One `fkp train` in a fork of this process, which counts its steps where the parent sees them, and can be killed."""

import contextlib
import mmap
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fkp_app.cli import main
from fkp_app.training.checkpoints import NEXT
from numpynet.files import PREFIX
from numpynet.training import Trainer

MOST_STEPS = 10_000
POLL = 0.0003  # seconds


class Trained:
    """A process that runs `fkp train` with these arguments. It forks this one, so that no libraries are loaded again.

    directory: the run's, where `unfinished` finds what another process left before this one begins. ended: the times
    (monotonic, in seconds) at which its steps ended, the latest last.
    """

    def __init__(self, arguments: Sequence[object], directory: Path, log: Path) -> None:
        self.directory, self._left = directory, unfinished(directory)
        self._shared = mmap.mmap(-1, 8 * (MOST_STEPS + 1))  # the number of steps, then their times
        self.begun = time.monotonic()
        self.pid = os.fork()
        if not self.pid:
            os._exit(self._child([str(argument) for argument in arguments], log))

    @property
    def ended(self) -> list[float]:
        numbers = np.frombuffer(self._shared, np.float64)
        return numbers[1 : 1 + int(numbers[0])].tolist()

    def wait(self) -> int:
        """Wait for its end; the exit code, or minus the number of the signal that killed it."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def saves(self) -> bool:
        """Whether it is writing, or was when it was killed."""
        return bool(unfinished(self.directory) - self._left)

    def kill(self, steps: int, delay: float, saving: bool = False) -> float | None:
        """Kill it `delay` seconds after it has made so many steps.

        saving: whether the delay begins only when it writes a file after these steps. Returns the time; None if it
        ended before.
        """
        while len(self.ended) < steps or (saving and not self.saves()):
            if not self._lives_until(time.monotonic() + POLL):
                return None
        if not self._lives_until(time.monotonic() + delay):
            return None
        now = time.monotonic()
        os.kill(self.pid, signal.SIGKILL)
        return now

    def _lives_until(self, moment: float) -> bool:
        """Wait until then. Returns whether it still runs."""
        while True:
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                return False
            left = moment - time.monotonic()
            if left <= 0:
                return True
            time.sleep(min(left, 0.01))

    def _child(self, arguments: list[str], log: Path) -> int:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        for handle in (1, 2):
            os.dup2(output, handle)
        numbers, step = np.frombuffer(self._shared, np.float64), Trainer.train_step

        def counted(trainer: Trainer, images: np.ndarray, targets: np.ndarray) -> float:
            loss = step(trainer, images, targets)
            numbers[1 + int(numbers[0])] = time.monotonic()
            numbers[0] += 1
            return loss

        Trainer.train_step = counted  # type: ignore[method-assign, assignment]
        try:
            code = main(arguments)
        except BaseException as error:
            code = 1
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        return code


def unfinished(directory: Path) -> set[tuple[str, int]]:
    """Checkpoints and weights in a run's directory that are being written, or wait for their name: name and inode."""
    found = set()
    with contextlib.suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name == NEXT or (entry.name.startswith(PREFIX) and entry.name.endswith(".safetensors")):
                found.add((entry.name, entry.inode()))
    return found
