"""What all training runs have in common: they can be stopped or killed at any moment and go on to the same bits."""

import abc
import errno
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from fkp_app.errors import FkpError
from fkp_app.training.checkpoints import State, read_progress, save_checkpoint, saved_progress
from fkp_app.training.history import History, StepRow
from fkp_app.training.run_files import prepare
from numpynet.checks import not_finite
from numpynet.data import DataLoader
from numpynet.training import AnyTrainer, EpochEvent, Event, Progress, StepEvent, fit
from numpynet.training_state import below
from numpynet.typing import Array

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class ResumableRun(abc.ABC):
    """A training run in `directory`, which writes a checkpoint after every epoch and every few minutes within one.

    A checkpoint holds all that decides what comes next: what the trainer has learned, the generators of the dropouts
    and of the loader, the loader's position, and the sums of the epoch. So a run that goes on from it computes the same
    bits as one that was never stopped. One process at a time may work in the directory, which callers ensure with
    `locks.locked`.

    config: the content of config.json. minutes: the time between checkpoints within an epoch; 0 for one after each
    step.
    """

    trainer: AnyTrainer
    parts = 1
    """The number of processes that train together."""

    def __init__(self, directory: Path, config: "DataclassInstance", epochs: int, minutes: float) -> None:
        self.directory = directory
        self.config = config
        self.epochs = epochs
        self.minutes = minutes
        self.history = History()
        self.progress = Progress()
        self.saved: Progress | None = None
        """How far the newest checkpoint is; None if there is none."""
        self.stop: Callable[[], bool] = lambda: False
        """Asked after each step and between the batches of a validation: once True, the run saves and ends."""
        self.notes: list[str] = []
        """Lines for the user about the start of the run."""
        self._loader: DataLoader | None = None
        self._place: os.stat_result | None = None

    @abc.abstractmethod
    def loader(self, epoch: int) -> DataLoader:
        """The batches of an epoch. Their random numbers come from the run's seed and the epoch alone."""

    @abc.abstractmethod
    def validate(self) -> float:
        """The validation loss. It asks `predict` for the outputs."""

    @abc.abstractmethod
    def finish(self, event: EpochEvent) -> None:
        """Append the epoch's row to the history, call `save`, and write the files that follow a checkpoint."""

    @abc.abstractmethod
    def restore_weights(self) -> None:
        """Write weights.safetensors again if it does not hold the epoch that it should, and the checkpoint is of that.

        Called after an epoch or more. OSError if it cannot be written.
        """

    @property
    def out_of_patience(self) -> bool:
        """Whether the run ends before its last epoch."""
        return False

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to train."""
        return self.out_of_patience or self.history.epochs_done >= self.epochs

    def steps_per_epoch(self) -> int:
        """The number of batches per epoch."""
        return len(self.loader(1))

    def fit(self) -> Iterator[Event]:
        """Train to the end, or until `stop` says so, and yield events. The files of an epoch are written before its
        EpochEvent.

        FloatingPointError if the loss or what was learned is no longer finite, OSError if a file cannot be written,
        LostError if the directory is gone; the last checkpoint stays.
        """
        saved = time.monotonic()
        events = fit(
            self.trainer,
            self._batches,
            epochs=self.epochs,
            start=self.progress,
            validate=self.validate,
            parts=self.parts,
        )
        try:
            for event in events:
                stopping, due = self.agree(self.stop(), time.monotonic() - saved >= 60 * self.minutes)
                if isinstance(event, StepEvent):
                    self.history.steps.append(StepRow(event.epoch, event.step, event.loss, event.lr))
                    self.progress = event.progress
                    if stopping or due:
                        self.save()
                        saved = time.monotonic()
                else:
                    self.progress = Progress(event.epoch)
                    self.finish(event)
                    saved = time.monotonic()
                yield event
                if stopping or self.out_of_patience:
                    return
        except _StoppedError:
            self.save()
        except OSError:
            self._check_place()  # it may have been deleted while a file in it was written
            raise

    def agree(self, stopping: bool, due: bool) -> tuple[bool, bool]:
        """Whether to stop, and whether a checkpoint is due; several processes must come to the same answer."""
        return stopping, due

    def predict(self, images: Array) -> Array:
        """The trainer's outputs for images of the validation. It ends the run if `stop` says so."""
        if self.stop():
            raise _StoppedError
        return self.trainer.predict(images)

    def save(self) -> None:
        """Write a checkpoint. FloatingPointError if a number in it is not finite, OSError or LostError as in `fit`."""
        state = self.trainer.state_dict()
        if self.progress.steps:  # `fit` looks after whole epochs
            if (key := not_finite(state)) is not None:
                raise FloatingPointError(
                    f"{key} is no longer finite after step {self.progress.steps} of epoch {self.progress.epochs + 1}; "
                    "lower the learning rate"
                )
            assert self._loader is not None
            state |= {f"loader.{key}": array for key, array in self._loader.state_dict().items()}
        self._check_place()
        state |= self.history.tensors() | saved_progress(self.progress)
        save_checkpoint(self.directory, state, asdict(self.config))
        self.saved = self.progress

    def take(self, state: State) -> None:
        """Continue from a checkpoint. ValueError, or any error that a damaged state causes, if it fits another run."""
        self.history = History.from_tensors(state)
        self.progress = read_progress(state, self.history)
        steps = len(self.history.steps)
        for key, array in state.items():
            counts = key in ("step", "average.updates") or key.startswith("optimizer.step.")
            if counts and not (array.ndim == 0 and array.dtype.kind in "iu" and 0 <= array <= steps):
                raise ValueError(f"{key} must be a whole number from 0 to {steps}, the steps of the run")
        self._loader = None
        if self.progress.steps:
            self._loader = self.loader(self.progress.epochs + 1)
            self._loader.load_state_dict(below("loader.", state))
        self.trainer.load_state_dict(dict(state))
        self.saved = self.progress

    def prepare_directory(self) -> None:
        """Make the directory, remove the leftovers of killed processes, and write config.json."""
        gone = prepare(self.directory, self.config)
        if gone:
            self.notes.append(f"{self.directory}: {gone} unfinished files of a killed process are removed")
        self._place = self.directory.stat()

    def _batches(self, epoch: int) -> DataLoader:
        if self._loader is None or epoch != self.progress.epochs + 1 or not self.progress.steps:
            self._loader = self.loader(epoch)
        return self._loader

    def _check_place(self) -> None:
        """LostError if the directory is gone, or another one has taken its place."""
        if self._place is None:
            return
        try:
            if os.path.samestat(self._place, self.directory.stat()):
                return
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                raise
        raise LostError(
            f"--out {self.directory}: was deleted or replaced while training ran, so nothing more can be saved; "
            "bring it back and go on with --resume, or start a new run"
        )


class LostError(FkpError):
    """The directory of the run is gone, with its checkpoints."""


class _StoppedError(Exception):
    """The run was told to stop in the middle of a validation."""


def described(progress: Progress) -> str:
    """Such as "epoch 2" or "step 7 of epoch 3"."""
    if progress.steps:
        return f"step {progress.steps} of epoch {progress.epochs + 1}"
    return f"epoch {progress.epochs}"
