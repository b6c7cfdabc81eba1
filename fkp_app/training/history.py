"""The history of a training run: the rows of steps.csv and metrics.csv."""

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from numpynet.files import atomic
from numpynet.typing import AnyArray


class StepRow(NamedTuple):
    """A row of steps.csv."""

    epoch: int
    step: int
    loss: float
    lr: float


class EpochRow(NamedTuple):
    """A row of metrics.csv. NaN: not measured. best_epoch: the best so far; its weights are kept."""

    epoch: int
    train_loss: float
    validation_loss: float
    validation_nme: float
    validation_failures: float
    lr: float
    seconds: float
    best_epoch: int


class History:
    """The rows of all steps and epochs so far."""

    def __init__(self) -> None:
        self.steps: list[StepRow] = []
        self.epochs: list[EpochRow] = []
        self.best_is_lost = False
        """Whether the best epoch's weights are lost, so that the next validated epoch counts as the best."""

    @property
    def epochs_done(self) -> int:
        return self.epochs[-1].epoch if self.epochs else 0

    @property
    def steps_begun(self) -> int:
        """The number of steps of the epoch that is not whole."""
        return self.steps[-1].step if self.steps and self.steps[-1].epoch > self.epochs_done else 0

    @property
    def best_epoch(self) -> int:
        return self.epochs[-1].best_epoch if self.epochs else 0

    def improves(self, nme: float) -> bool:
        """Whether this validation NME is the least so far. As long as none is finite, the latest epoch is the best."""
        best = math.inf
        if self.epochs and self.best_epoch and not self.best_is_lost:
            best = self.epochs[self.best_epoch - 1].validation_nme
        if not math.isfinite(nme):
            return not math.isfinite(best)
        return nme < best or not math.isfinite(best)

    def write(self, directory: Path) -> None:
        """Replace steps.csv and metrics.csv, each as a whole or not at all."""
        write_text(directory / "steps.csv", _csv(StepRow._fields, self.steps))
        write_text(directory / "metrics.csv", _csv(EpochRow._fields, self.epochs))

    def tensors(self) -> dict[str, AnyArray]:
        """The rows as tensors of a checkpoint."""
        steps, epochs = (np.array(rows, np.float64) for rows in (self.steps, self.epochs))
        return {
            "history.steps": steps.reshape(-1, len(StepRow._fields)),
            "history.epochs": epochs.reshape(-1, len(EpochRow._fields)),
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, AnyArray]) -> Self:
        """The history in a checkpoint's tensors. ValueError if they hold no valid history.

        Its last steps may belong to an epoch that is not whole.
        """
        history = cls()
        steps, epochs = _table(tensors, "steps", len(StepRow._fields)), _table(tensors, "epochs", len(EpochRow._fields))
        history.steps = [StepRow(int(epoch), int(step), *rest) for epoch, step, *rest in steps.tolist()]
        history.epochs = [
            EpochRow(*row)._replace(epoch=int(row[0]), best_epoch=int(row[-1])) for row in epochs.tolist()
        ]
        numbers, best = epochs[:, 0], epochs[:, -1]
        whole = (numbers == np.arange(1, len(epochs) + 1)).all() and ((best >= 0) & (best <= numbers)).all()
        if not (whole and (np.diff(best, prepend=0) >= 0).all() and (best % 1 == 0).all()):
            raise ValueError("history.epochs does not count its epochs from 1")
        before = np.array([(row.epoch, row.step) for row in history.steps])
        counted = {row.epoch for row in history.steps}
        done = set(range(1, history.epochs_done + 1))
        if not (counted and done <= counted <= done | {history.epochs_done + 1} and _in_order(before)):
            raise ValueError("history.steps does not hold the steps of history.epochs")
        return history


def _table(tensors: Mapping[str, AnyArray], name: str, columns: int) -> AnyArray:
    """The rows of a table in a checkpoint; NaN means not measured. ValueError if they cannot be right."""
    table = tensors.get(f"history.{name}")
    if table is None or table.ndim != 2 or table.shape[1] != columns or table.dtype != np.float64:
        raise ValueError(f"history.{name} must be float64 of shape (rows, {columns})")
    if not np.isfinite(table[:, [0, 1, -1]]).all() or (table < 0).any():
        raise ValueError(f"history.{name} holds numbers that cannot be right")
    return table


def _in_order(steps: AnyArray) -> bool:
    """Whether rows (n, 2) of epoch and step are in order: each the next step of its epoch or the first of the next."""
    (epoch, step), (later, following) = steps[:-1].T, steps[1:].T
    same = (later == epoch) & (following == step + 1)
    return bool((same | ((later == epoch + 1) & (following == 1))).all() and (steps[0] == 1).all())


def write_text(path: Path, text: str) -> None:
    """Write a file as a whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_text(text, "utf-8")


def _csv(columns: tuple[str, ...], rows: list[StepRow] | list[EpochRow]) -> str:
    """Rows as CSV: whole numbers without a decimal point, NaN (not measured) as an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if math.isnan(value) else f"{value:.8g}" for value in row] for row in rows)
    return text.getvalue()
