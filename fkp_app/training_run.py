"""A training run and the directory it lives in: settings, curves, weights, and a checkpoint to go on from."""

import csv
import io
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np

from fkp_app.backends import LossName, Trainer, get_trainer
from fkp_app.dataset import FacialKeypointsDataset, load_split
from fkp_app.errors import FkpError, UsageError
from fkp_app.evaluation import Scores, predict_all, score
from fkp_app.plots import plot_losses
from fkp_app.recipes import RECIPES, Recipe, evaluation_transform, training_transform
from numpynet.checkpoint import WeightsCard, load_tensors, save_tensors, save_weights
from numpynet.data import DataLoader
from numpynet.files import atomic
from numpynet.training import EpochEvent, Event, StepEvent, fit
from numpynet.typing import AnyArray

STEP_COLUMNS = ("epoch", "step", "loss")
EPOCH_COLUMNS = ("epoch", "train_loss", "validation_loss", "validation_nme", "seconds")


@dataclass(frozen=True)
class Settings:
    """Everything that decides what a run computes, as config.json keeps it."""

    data: str
    model: str
    backend: str
    epochs: int
    batch_size: int
    lr: float
    loss: LossName
    seed: int
    threads: int | None
    ops: str = "readable"  # which runs had that were made before there was a choice


class TrainingRun:
    """One training, from its settings to its files in `directory`.

    config.json (settings, recipe), steps.csv (loss of every step), metrics.csv (a row an epoch), loss.png,
    weights.safetensors and checkpoint.safetensors are renewed after every epoch, each all or nothing. Random numbers
    of an epoch come from (seed, epoch), so a resumed run computes what an uninterrupted one would have.
    """

    def __init__(self, settings: Settings, directory: Path) -> None:
        self.settings = settings
        self.directory = directory
        self.recipe: Recipe = RECIPES[settings.model]
        self.card: WeightsCard = self.recipe.card({})
        self.epochs_done = 0
        self.steps: list[tuple[float, ...]] = []
        self.epochs: list[tuple[float, ...]] = []
        self.training_data: FacialKeypointsDataset = load_split(Path(settings.data), "training")
        if len(self.training_data) < 2:
            raise FkpError(
                f"{settings.data}: has {len(self.training_data)} training frames; batch norm needs two at least"
            )
        validation = load_split(Path(settings.data), "validation", evaluation_transform(self.card))
        self.validation = DataLoader(validation, 32) if len(validation) else None
        self.trainer: Trainer = get_trainer(
            settings.backend,
            self.recipe.arguments,
            settings.loss,
            settings.lr,
            settings.seed,
            fused=settings.ops == "fast",
        )
        self.validation_scores: Scores | None = None

    @classmethod
    def start(cls, settings: Settings, directory: Path) -> Self:
        """A new run. UsageError where the directory holds one already, FkpError where it cannot be written."""
        if (directory / "config.json").exists():
            raise UsageError(
                f"{directory} holds a training run already; add --resume to go on, or choose another --out"
            )
        run = cls(settings, directory)
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"--out {directory} cannot be made ({error.strerror}); choose another place") from None
        run._write_config()
        return run

    @classmethod
    def resume(cls, directory: Path, changes: dict[str, Any]) -> Self:
        """The run in `directory`, to go on after its last whole epoch. `changes`: settings to change.

        UsageError where there is no run or a setting cannot change; FkpError where a file of it is damaged.
        """
        if not (directory / "checkpoint.safetensors").exists():
            raise UsageError(f"--resume: {directory} holds no checkpoint.safetensors; start without --resume")
        try:
            saved = json.loads((directory / "config.json").read_text("utf-8"))["settings"]
            saved = {"ops": Settings.ops} | saved
            settings = Settings(**{field.name: saved[field.name] for field in fields(Settings)})
        except (OSError, ValueError, KeyError) as error:
            raise FkpError(f"{directory / 'config.json'}: cannot be read ({error}); start a new run") from None
        fixed = [name for name in ("model", "backend", "loss", "seed") if changes.get(name, saved[name]) != saved[name]]
        if fixed:
            raise UsageError(f"--resume: --{fixed[0]} is {saved[fixed[0]]} in {directory} and cannot change in a run")
        run = cls(replace(settings, **changes), directory)
        run._load_checkpoint()
        run._write_config()
        return run

    def steps_per_epoch(self) -> int:
        """How many batches an epoch has."""
        return len(self._batches(1))

    def fit(self) -> Iterator[Event]:
        """Train to the end, yielding events; the files are renewed before an EpochEvent is yielded."""
        for event in fit(
            self.trainer,
            self._batches,
            epochs=self.settings.epochs,
            start_epoch=self.epochs_done,
            validate=None if self.validation is None else partial(self._validate, self.validation),
        ):
            if isinstance(event, StepEvent):
                self.steps.append((event.epoch, event.step, event.loss))
            else:
                self._finish(event)
            yield event

    def _batches(self, epoch: int) -> DataLoader:
        order, jitter = np.random.default_rng([self.settings.seed, epoch]).spawn(2)
        dataset = self.training_data.with_transform(training_transform(self.card, self.recipe.jitter, jitter))
        size = self.settings.batch_size
        # A last, smaller batch would have noisy batch statistics; its few images come again in another epoch.
        return DataLoader(dataset, size, shuffle=True, rng=order, drop_last=len(dataset) > size)

    def _validate(self, validation: DataLoader) -> float:
        scores = score(*predict_all(self.trainer.predict, validation), self.card)
        self.validation_scores = scores
        return scores.mse if self.settings.loss == "mse" else scores.smooth_l1

    def _finish(self, event: EpochEvent) -> None:
        scores = self.validation_scores
        nme = math.nan if scores is None else scores.nme
        validation_loss = math.nan if event.validation_loss is None else event.validation_loss
        self.epochs_done = event.epoch
        self.epochs.append((event.epoch, event.train_loss, validation_loss, nme, event.seconds))
        settings = asdict(self.settings)
        del settings["data"]  # a place on this machine; weights travel
        training = {"settings": settings, "epochs": event.epoch}
        if scores is not None:
            training["validation"] = asdict(scores)
        save_weights(self.directory / "weights.safetensors", self.trainer.weights(), self.recipe.card(training))
        history = {"history.steps": np.array(self.steps), "history.epochs": np.array(self.epochs)}
        save_tensors(self.directory / "checkpoint.safetensors", self.trainer.state() | history, {})
        _write(self.directory / "steps.csv", _csv(STEP_COLUMNS, self.steps))
        _write(self.directory / "metrics.csv", _csv(EPOCH_COLUMNS, self.epochs))
        plot_losses({self.directory.name: self.directory}, self.directory / "loss.png")

    def _load_checkpoint(self) -> None:
        path = self.directory / "checkpoint.safetensors"
        state, _ = load_tensors(path)
        try:
            self.steps = _rows(state.pop("history.steps"))
            self.epochs = _rows(state.pop("history.epochs"))
            self.trainer.load_state(state)
        except (KeyError, ValueError) as error:
            raise FkpError(f"{path}: does not fit this run ({error}); start a new run") from None
        self.epochs_done = int(self.epochs[-1][0])

    def _write_config(self) -> None:
        config = {"settings": asdict(self.settings), "recipe": asdict(self.recipe), "card": asdict(self.card)}
        _write(self.directory / "config.json", json.dumps(config, indent=2) + "\n")


def _rows(array: AnyArray) -> list[tuple[float, ...]]:
    return [tuple(row) for row in array.tolist()]


def _csv(columns: tuple[str, ...], rows: list[tuple[float, ...]]) -> str:
    """Rows as CSV: whole numbers without a decimal point, NaN (nothing measured) as an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if math.isnan(value) else f"{value:.8g}" for value in row] for row in rows)
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text, "utf-8")
