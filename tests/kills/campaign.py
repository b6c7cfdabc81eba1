"""Many runs that are killed at random moments and resumed; each must end with the bits of the run that never was."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fkp_app.training.checkpoints import CHECKPOINT, NEXT, PREVIOUS
from fkp_app.training.run_files import WEIGHTS
from numpynet.checkpoint import CheckpointError, load_tensors
from numpynet.typing import AnyArray
from tests.kills.process import Trained

LONGEST_SAVE = 0.004
"""In seconds: up to so long after a file appears its writer is killed. A small network's is written in about that."""
SECONDS = ("history.epochs", "progress.seconds")
"""The tensors of a checkpoint that hold times, which are never the same."""


@dataclass
class Outcome:
    """What a campaign found. steps_lost and seconds_lost: by each kill, since the newest checkpoint."""

    runs: int = 0
    kills: int = 0
    in_a_save: int = 0
    same: int = 0
    read: int = 0
    corrupt: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    steps_lost: list[int] = field(default_factory=list)
    seconds_lost: list[float] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The table that the command prints."""
        steps, seconds = max(self.steps_lost, default=0), max(self.seconds_lost, default=0.0)
        share = 100 * self.in_a_save / max(1, self.kills)
        return [
            f"runs                      {self.runs}",
            f"kills                     {self.kills}, {self.in_a_save} of them inside a save ({share:.0f} %)",
            f"same hash as never killed {self.same}",
            f"checkpoints corrupt       {len(self.corrupt)} of {self.read} read after kills",
            f"most work lost            {steps} steps, {seconds:.2f} s",
            *self.corrupt,
            *self.failed,
        ]

    @property
    def good(self) -> bool:
        """Whether every run ended with the right bits, and no checkpoint was damaged."""
        return self.same == self.runs and not self.corrupt and not self.failed


class Campaign:
    """Kills of `fkp train` with the same arguments, each run in a folder of its own below `place`."""

    def __init__(self, arguments: Sequence[object], resume: Sequence[object], place: Path, seed: int) -> None:
        """arguments: those of a new run, without --out. resume: those of `--resume`, without --out."""
        self.arguments, self.resume, self.place = arguments, resume, place
        self.rng = np.random.default_rng(seed)
        self.outcome = Outcome()
        self.log = place / "log.txt"
        self._saved: dict[Path, int] = {}

    def whole(self) -> None:
        """Two runs that are never killed: the first may have kernels to compile, the second gives hash and times.

        RuntimeError if one fails, or they differ.
        """
        hashes = []
        for name in ("compiled", "whole"):
            process = self._start(self.place / name)
            if (code := process.wait()) != 0:
                raise RuntimeError(f"the run that is never killed ended with {code}: {self.log.read_text()[-500:]}")
            hashes.append(hash_of(self.place / name))
        if hashes[0] != hashes[1]:
            raise RuntimeError("two runs that are never killed differ, so nothing can be compared with them")
        self.hash = hashes[1]
        self.steps = len(process.ended)
        self.first = process.ended[0] - process.begun
        self.pace = (process.ended[-1] - process.ended[0]) / self.steps

    def one(self, number: int) -> None:
        """One run: killed once, or twice if its number is a multiple of 4; resumed; compared."""
        directory, outcome = self.place / f"run{number}", self.outcome
        outcome.runs += 1
        killed = 0
        while killed < (2 if number % 4 == 0 else 1):
            process = self._start(directory)
            # A step is drawn, not a time: starting takes most of a short run, and another process may slow it down.
            steps = int(self.rng.integers(max(1, self.steps - self._saved.get(directory, 0))))
            if number % 2:
                time = process.kill(steps, float(self.rng.uniform(0, LONGEST_SAVE)), saving=True)
            else:
                time = process.kill(steps, float(self.rng.uniform(0, self.pace if steps else self.first)))
            code = process.wait()
            if time is None or code == 0:  # it ended before
                if code != 0:
                    outcome.failed.append(f"run {number}: ended with {code}, unkilled")
                break
            killed += 1
            self._look(directory, process, time)
        code = self._start(directory).wait()
        if code != 0:
            outcome.failed.append(f"run {number}: ended with {code} when resumed")
        elif hash_of(directory) == self.hash:
            outcome.same += 1
        else:
            outcome.failed.append(f"run {number}: ended with other bits")
        if not outcome.failed:
            shutil.rmtree(directory)

    def _look(self, directory: Path, process: Trained, time: float) -> None:
        """Read all that a killed process left, before anything is mended."""
        outcome = self.outcome
        outcome.kills += 1
        outcome.in_a_save += process.saves()
        steps: list[int] = []
        for name in (CHECKPOINT, PREVIOUS, NEXT):
            if (directory / name).exists():
                outcome.read += 1
                try:
                    steps.append(len(load_tensors(directory / name, sealed=True)[0]["history.steps"]))
                except CheckpointError as error:
                    outcome.corrupt.append(str(error))
        # A process that was killed before has saved the steps before this one's.
        before = self._saved.get(directory, 0)
        saved, ended = max(steps, default=0), process.ended
        lost = before + len(ended) - saved
        outcome.steps_lost.append(lost)
        if ended:  # otherwise it was still starting, and had nothing to lose
            since = ended[-lost - 1] if lost < len(ended) else ended[0] - self.pace
            outcome.seconds_lost.append(time - since)
        self._saved[directory] = saved

    def _start(self, directory: Path) -> Trained:
        begun = (directory / "config.json").exists()
        return Trained(["train", *(self.resume if begun else self.arguments), "--out", directory], directory, self.log)


def hash_of(directory: Path) -> str:
    """The hash of all that a run's result is: its weights file, its steps, and its checkpoint but for the times."""
    digest = hashlib.sha256((directory / WEIGHTS).read_bytes())
    digest.update((directory / "steps.csv").read_bytes())
    state, _ = load_tensors(directory / CHECKPOINT)
    for key in sorted(state):
        if key not in SECONDS:
            digest.update(_named(key, state[key]))
    digest.update(np.delete(state["history.epochs"], 6, axis=1).tobytes())
    return digest.hexdigest()


def _named(key: str, array: AnyArray) -> bytes:
    return f"{key} {array.dtype} {array.shape} ".encode() + array.tobytes()
