"""A training run and the directory it lives in: settings, curves, weights, and a checkpoint to go on from."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np

from fkp_app.backends import SHIPPED_WEIGHTS, Trainer, get_criterion, get_trainer
from fkp_app.dataset import FacialKeypointsDataset, load_data
from fkp_app.errors import FkpError, UsageError
from fkp_app.evaluation import Scores, predict_all, score
from fkp_app.history import EpochRow, History, StepRow, write_text
from fkp_app.plots import plot_losses
from fkp_app.recipes import Recipe, evaluation_transform, training_transform
from numpynet.checkpoint import WeightsCard, load_tensors, load_weights, save_tensors, save_weights
from numpynet.data import DataLoader
from numpynet.training import EpochEvent, Event, StepEvent, fit
from numpynet.typing import AnyArray

SHIPPED = "shipped"
"""What stands for the shipped weights where weights to start with are named."""


@dataclass(frozen=True)
class Settings:
    """What a run needs beside its recipe. recipe: what that was called, or the file that it stood in; start: the
    weights it begins with, fresh ones where None."""

    data: str
    recipe: str
    backend: str
    seed: int
    threads: int | None
    ops: str
    start: str | None = None


class TrainingRun:
    """One training, from its settings and recipe to its files in `directory`.

    config.json (settings, and the recipe with all options), steps.csv, metrics.csv, loss.png and
    checkpoint.safetensors (to go on from) are renewed after every epoch, each all or nothing; weights.safetensors
    holds the best epoch's weights: those of the least validation NME. Random numbers of an epoch come from
    (seed, epoch), so a resumed run computes what an uninterrupted one would have.
    """

    def __init__(
        self, settings: Settings, recipe: Recipe, directory: Path, initial: dict[str, AnyArray] | None = None
    ) -> None:
        self.settings = settings
        self.recipe = recipe
        self.directory = directory
        self.card: WeightsCard = recipe.card({})
        self.history = History()
        data = load_data(settings.data)
        self.training_data: FacialKeypointsDataset = data.splits["training"]
        if len(self.training_data) < 2:
            raise FkpError(
                f"{settings.data}: has {len(self.training_data)} training frames; batch norm needs two at least "
                f"({data.people})"
            )
        validation = data.splits["validation"].with_transform(evaluation_transform(self.card))
        self.validation = DataLoader(validation, 32) if len(validation) else None
        self.data_notes = [*data.notes, data.people]
        """A line each for what should be known of the data."""
        if self.validation is None:
            self.data_notes.append(f"{settings.data} has nobody for validation; the latest epoch's weights are kept")
        self.criterion = get_criterion(recipe.training.loss)
        self.trainer: Trainer = get_trainer(
            settings.backend,
            recipe.network,
            recipe.training,
            steps=recipe.training.epochs * self.steps_per_epoch(),
            seed=settings.seed,
            fused=settings.ops == "fast",
            initial=initial,
        )
        self.validation_scores: Scores | None = None
        """Of the latest epoch; None where that was not validated."""

    @classmethod
    def start(cls, settings: Settings, recipe: Recipe, directory: Path) -> Self:
        """A new run. UsageError where the directory holds one already or the weights to start with are of another
        network, CheckpointError where these are bad, FkpError where nothing can be written."""
        if (directory / "config.json").exists():
            raise UsageError(
                f"{directory} holds a training run already; add --resume to go on, or choose another --out"
            )
        run = cls(settings, recipe, directory, _initial_weights(settings.start, recipe))
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"--out {directory} cannot be made ({error.strerror}); choose another place") from None
        run._write_config()
        return run

    @classmethod
    def resume(cls, directory: Path, changes: dict[str, Any], options: dict[str, Any]) -> Self:
        """The run in `directory`, to go on after its last whole epoch.

        changes: of settings. options: of the recipe's training; another number of epochs or batch size stretches a
        schedule from here on. UsageError where there is no run or something cannot change; FkpError where a file of it
        is damaged.
        """
        if not (directory / "checkpoint.safetensors").exists():
            raise UsageError(f"--resume: {directory} holds no checkpoint.safetensors; start without --resume")
        path = directory / "config.json"
        try:
            saved = json.loads(path.read_text("utf-8"))
            settings = Settings(**saved["settings"])
            recipe = Recipe.from_tables(saved["recipe"], path)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FkpError(f"{path}: cannot be read ({error}); start a new run") from None
        kept = {**asdict(settings), "loss": recipe.training.loss.name}
        for name, value in (changes | options).items():
            if name in ("recipe", "backend", "seed", "loss", "start") and value != kept[name]:
                raise UsageError(f"--resume: --{name} is {kept[name]} in {directory} and cannot change in a run")
        run = cls(replace(settings, **changes), recipe.with_options(**options), directory)
        run._load_checkpoint()
        run._write_config()
        return run

    @property
    def out_of_patience(self) -> bool:
        """Whether it has been too long since the best epoch."""
        patience = self.recipe.training.patience
        return patience > 0 and self.history.epochs_done - self.history.best_epoch >= patience

    def steps_per_epoch(self) -> int:
        """How many batches an epoch has."""
        return len(self._batches(1))

    def fit(self) -> Iterator[Event]:
        """Train to the end, yielding events; the files are renewed before an EpochEvent is yielded."""
        for event in fit(
            self.trainer,
            self._batches,
            epochs=self.recipe.training.epochs,
            start_epoch=self.history.epochs_done,
            validate=None if self.validation is None else partial(self._validate, self.validation),
        ):
            if isinstance(event, StepEvent):
                self.history.steps.append(StepRow(event.epoch, event.step, event.loss, event.lr))
            else:
                self._finish(event)
            yield event
            if isinstance(event, EpochEvent) and self.out_of_patience:
                return

    def _batches(self, epoch: int) -> DataLoader:
        order, jitter = np.random.default_rng([self.settings.seed, epoch]).spawn(2)
        dataset = self.training_data.with_transform(training_transform(self.recipe, jitter))
        size = self.recipe.training.batch_size
        # A last, smaller batch would have noisy batch statistics; its few images come again in another epoch.
        return DataLoader(dataset, size, shuffle=True, rng=order, drop_last=len(dataset) > size)

    def _validate(self, validation: DataLoader) -> float:
        """The validation loss; NaN in an epoch that is not validated."""
        training, epoch = self.recipe.training, self.history.epochs_done + 1
        self.validation_scores = None
        if epoch % training.validate_every and epoch < training.epochs:
            return math.nan
        outputs, targets = predict_all(self.trainer.predict, validation)
        self.validation_scores = score(outputs, targets, self.card)
        return self.criterion(outputs, targets)[0]

    def _finish(self, event: EpochEvent) -> None:
        scores, history = self.validation_scores, self.history
        nme, failures = (math.nan, math.nan) if scores is None else (scores.nme, scores.failures)
        validation_loss = math.nan if event.validation_loss is None else event.validation_loss
        better = history.improves(nme)
        best_epoch = event.epoch if better else history.best_epoch
        losses, lr = (event.train_loss, validation_loss), history.steps[-1].lr
        history.epochs.append(EpochRow(event.epoch, *losses, nme, failures, lr, event.seconds, best_epoch))
        if better:
            save_weights(self.directory / "weights.safetensors", self.trainer.weights(), self._best_card())
        state = self.trainer.state() | history.tensors()
        save_tensors(self.directory / "checkpoint.safetensors", state, {})
        history.write(self.directory)
        plot_losses({self.directory.name: self.directory}, self.directory / "loss.png")

    def _best_card(self) -> WeightsCard:
        """The card of the present weights, the best so far: how they came about and what they score."""
        settings = asdict(self.settings)
        del settings["data"]  # a place on this machine; weights travel
        if self.settings.start is not None:
            settings["start"] = Path(self.settings.start).name
        recipe = {name: asdict(self.recipe)[name] for name in ("augmentation", "training")}
        training: dict[str, Any] = {"settings": settings, **recipe, "epoch": self.history.epochs_done}
        if self.validation_scores is not None:
            training["validation"] = asdict(self.validation_scores)
        return self.recipe.card(training)

    def _load_checkpoint(self) -> None:
        path = self.directory / "checkpoint.safetensors"
        state, _ = load_tensors(path)
        try:
            self.history = History.from_tensors(state)
            self.trainer.load_state(state)
        except (KeyError, TypeError, ValueError) as error:
            raise FkpError(f"{path}: does not fit this run ({error}); start a new run") from None

    def _write_config(self) -> None:
        config = {"settings": asdict(self.settings), "recipe": asdict(self.recipe)}
        write_text(self.directory / "config.json", json.dumps(config, indent=2) + "\n")


def _initial_weights(start: str | None, recipe: Recipe) -> dict[str, AnyArray] | None:
    """What --start names, if anything: the state dict of the recipe's network. "shipped" are the shipped weights."""
    if start is None:
        return None
    state, card = load_weights(SHIPPED_WEIGHTS if start == SHIPPED else Path(start))
    network = recipe.network
    if (card.architecture, card.arguments) != (network.architecture, network.arguments):
        raise UsageError(
            f"--start {start}: is a {card.architecture} with arguments {card.arguments}; the recipe's network is a "
            f"{network.architecture} with {network.arguments}"
        )
    return state
