"""A training run of the finder and its directory: settings, curves, weights, and a checkpoint to continue from."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np

from fkp_app.data.dataset import load_data
from fkp_app.errors import FkpError, UsageError
from fkp_app.geometry.finder_card import FinderCard
from fkp_app.tables import Within, read_table, read_text
from fkp_app.training.curves import plot_losses
from fkp_app.training.finder.backgrounds import shipped_photos
from fkp_app.training.finder.frames import labelled_frames
from fkp_app.training.finder.recipe import FinderRecipe
from fkp_app.training.finder.scenes import Composer
from fkp_app.training.finder.score import FinderScores, score_finder
from fkp_app.training.finder.targets import FinderLoss, targets
from fkp_app.training.history import EpochRow, History, StepRow
from fkp_app.training.run_files import (
    CONFIG,
    LARGEST_CONFIG,
    MOST_SEED,
    WEIGHTS,
    State,
    has_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from numpynet.averaging import WeightAverage
from numpynet.checkpoint import save_weights
from numpynet.files import atomic
from numpynet.fuse import fuse
from numpynet.models import FinderNet
from numpynet.optim import AdamW
from numpynet.schedules import one_cycle
from numpynet.strict_json import read_json
from numpynet.training import EpochEvent, Event, StepEvent, Trainer, fit
from numpynet.typing import Batch

VALIDATION_SCENES = 512
"""Pictures composed of the validation people, always the same."""
FIRST_LOGIT = -3.0
"""The logits with which training begins: nearly everywhere is no face."""


@dataclass(frozen=True)
class FinderConfig:
    """The content of config.json: what decides the result of a run."""

    data: str
    seed: Annotated[int, Within(0, MOST_SEED)]
    recipe: FinderRecipe


class FinderRun:
    """One training of the finder, with its files in `directory`.

    config.json holds the settings. steps.csv, metrics.csv, loss.png, weights.safetensors (of the latest epoch) and
    checkpoint.safetensors are replaced after every epoch, each as a whole or not at all. The random numbers of an epoch
    come from (seed, epoch), so a resumed run computes the same as an uninterrupted one. One process at a time may work
    in the directory, which callers ensure with `locks.locked`.
    """

    def __init__(self, config: FinderConfig, directory: Path) -> None:
        self.config, self.directory, self.history = config, directory, History()
        recipe, training = config.recipe, config.recipe.training
        data = load_data(config.data)
        self.notes = data.remarks
        """Lines for the user."""
        photos = shipped_photos()
        if not photos:
            self.notes.append(
                "no package with photos is installed; the backgrounds are drawn (scikit-image has photos)"
            )
        self._composers = [
            Composer(frames, photos, recipe.scenes, recipe.augmentation, recipe.network.size)
            for split in ("training", "validation")
            if (frames := list(labelled_frames(data.splits[split])))
        ]
        if len(self._composers) < 2:
            raise FkpError(f"{config.data}: needs frames for training and for validation ({data.people})")
        self.net = FinderNet(**asdict(recipe.network), rng=config.seed)
        self.net.state_dict()["head.bias"][0] = FIRST_LOGIT
        fused = fuse(self.net, input_gradient=False)
        self.criterion = FinderLoss(training.gamma, training.beta, training.place)
        self.trainer = Trainer(
            fused,
            self.criterion,
            AdamW(self.net.parameters(), training.lr, weight_decay=training.weight_decay),
            one_cycle(training.lr, training.epochs * training.steps, warmup=training.warmup),
            WeightAverage(fused, training.average) if training.average else None,
        )
        rng = np.random.default_rng([config.seed, 0])
        self._validation = [self._composers[1](rng) for _ in range(VALIDATION_SCENES)]
        self.scores: FinderScores | None = None
        """The scores of the latest epoch."""

    @classmethod
    def start(cls, config: FinderConfig, directory: Path) -> Self:
        """A new run. UsageError if the directory holds one, or cannot be written; FkpError if the data are no use."""
        if has_checkpoint(directory) or (directory / WEIGHTS).exists():
            raise UsageError(f"{directory} holds a training run already; add --resume, or choose another --out")
        run = cls(config, directory)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with atomic(directory / CONFIG) as temporary:
                temporary.write_text(json.dumps(asdict(config), indent=2) + "\n", "utf-8")
        except OSError as error:
            raise UsageError(f"--out {directory} cannot be written ({error.strerror or error})") from None
        return run

    @classmethod
    def resume(cls, directory: Path) -> Self:
        """The run in the directory, to continue after its last whole epoch. UsageError if there is none; FkpError if
        one of its files is damaged.
        """
        path = directory / CONFIG
        if not path.exists():
            raise UsageError(f"--resume: {directory} holds no training run; start without --resume")
        config = read_table(FinderConfig, read_text(path, LARGEST_CONFIG, read_json, "JSON", "start a new run"), path)
        run = cls(config, directory)
        if has_checkpoint(directory):
            load_checkpoint(directory, run._take, run.notes)
        return run

    def fit(self) -> Iterator[Event]:
        """Train to the end and yield events. The files are replaced before an EpochEvent is yielded."""
        for event in fit(
            self.trainer,
            self._batches,
            epochs=self.config.recipe.training.epochs,
            start_epoch=self.history.epochs_done,
            validate=self._validate,
        ):
            if isinstance(event, StepEvent):
                self.history.steps.append(StepRow(event.epoch, event.step, event.loss, event.lr))
            else:
                self._finish(event)
            yield event

    def _batches(self, epoch: int) -> Iterator[Batch]:
        training, rng = self.config.recipe.training, np.random.default_rng([self.config.seed, epoch])
        for _ in range(training.steps):
            yield self._batch([self._composers[0](rng) for _ in range(training.batch_size)])

    def _batch(self, scenes: list[Any]) -> Batch:
        size = self.config.recipe.network.size
        wanted = [targets(scene.faces, scene.unclear, size) for scene in scenes]
        return np.stack([scene.image for scene in scenes]), np.stack(wanted)

    def _validate(self) -> float:
        self.scores = score_finder(self.trainer.predict, self._validation)
        losses = []
        for start in range(0, VALIDATION_SCENES, 32):
            images, wanted = self._batch(self._validation[start : start + 32])
            losses.append(self.criterion(self.trainer.predict(images), wanted)[0])
        return float(np.mean(losses))

    def _finish(self, event: EpochEvent) -> None:
        assert event.validation_loss is not None
        losses, lr = (event.train_loss, event.validation_loss), self.history.steps[-1].lr
        row = EpochRow(event.epoch, *losses, math.nan, math.nan, lr, event.seconds, event.epoch)
        self.history.epochs.append(row)
        save_checkpoint(self.directory, self.trainer.state_dict() | self.history.tensors())
        save_weights(self.directory / WEIGHTS, self.trainer.weights(), self._card())
        self.history.write(self.directory)
        plot_losses({self.directory.name: self.directory}, self.directory / "loss.png")

    def _card(self) -> FinderCard:
        recipe = asdict(self.config.recipe)
        training = {name: recipe[name] for name in ("scenes", "augmentation", "training")}
        training |= {"seed": self.config.seed, "epoch": self.history.epochs_done}
        if self.scores is not None:
            training["validation"] = asdict(self.scores)
        return FinderCard.describe(self.net.arguments, training)

    def _take(self, state: State) -> None:
        """Continue from a checkpoint."""
        self.history = History.from_tensors(state)
        self.trainer.load_state_dict(dict(state))
