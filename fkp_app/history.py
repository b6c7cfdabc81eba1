"""What a training run remembers of its steps and epochs: the rows of steps.csv and metrics.csv."""

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
    """A line of steps.csv."""

    epoch: int
    step: int
    loss: float
    lr: float


class EpochRow(NamedTuple):
    """A line of metrics.csv. NaN where nothing was measured; best_epoch: the best so far, whose weights are kept."""

    epoch: int
    train_loss: float
    validation_loss: float
    validation_nme: float
    validation_failures: float
    lr: float
    seconds: float
    best_epoch: int


class History:
    """The rows so far."""

    def __init__(self) -> None:
        self.steps: list[StepRow] = []
        self.epochs: list[EpochRow] = []

    @property
    def epochs_done(self) -> int:
        return self.epochs[-1].epoch if self.epochs else 0

    @property
    def best_epoch(self) -> int:
        return self.epochs[-1].best_epoch if self.epochs else 0

    def improves(self, nme: float) -> bool:
        """Whether this validation NME is the least so far; before there is a finite one, the latest epoch is best."""
        before = [row.validation_nme for row in self.epochs if math.isfinite(row.validation_nme)]
        return nme < min(before, default=math.inf) or not (math.isfinite(nme) or before)

    def write(self, directory: Path) -> None:
        """Renew steps.csv and metrics.csv, each all or nothing."""
        write_text(directory / "steps.csv", _csv(StepRow._fields, self.steps))
        write_text(directory / "metrics.csv", _csv(EpochRow._fields, self.epochs))

    def tensors(self) -> dict[str, AnyArray]:
        """For a checkpoint."""
        return {"history.steps": np.array(self.steps, np.float64), "history.epochs": np.array(self.epochs, np.float64)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, AnyArray]) -> Self:
        """From a checkpoint. KeyError, TypeError or ValueError where it holds something else."""
        history = cls()
        steps, epochs = (tensors[f"history.{name}"].tolist() for name in ("steps", "epochs"))
        history.steps = [StepRow(int(epoch), int(step), *rest) for epoch, step, *rest in steps]
        history.epochs = [EpochRow(*row)._replace(epoch=int(row[0]), best_epoch=int(row[-1])) for row in epochs]
        return history


def write_text(path: Path, text: str) -> None:
    """Write a file, all or nothing."""
    with atomic(path) as temporary:
        temporary.write_text(text, "utf-8")


def _csv(columns: tuple[str, ...], rows: list[StepRow] | list[EpochRow]) -> str:
    """Rows as CSV: whole numbers without a decimal point, NaN (nothing measured) as an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if math.isnan(value) else f"{value:.8g}" for value in row] for row in rows)
    return text.getvalue()
