"""A training run of the finder and its directory: settings, curves, weights, and a checkpoint to continue from."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np

from fkp_app.data.dataset import load_data
from fkp_app.errors import FkpError
from fkp_app.geometry.finder_card import FinderCard
from fkp_app.tables import Within
from fkp_app.training.checkpoints import has_checkpoint, load_checkpoint
from fkp_app.training.finder.backgrounds import shipped_photos
from fkp_app.training.finder.frames import labelled_frames
from fkp_app.training.finder.recipe import FinderRecipe
from fkp_app.training.finder.scenes import Composer, Scene
from fkp_app.training.finder.score import FinderScores, score_finder
from fkp_app.training.finder.targets import FinderLoss, targets
from fkp_app.training.history import EpochRow
from fkp_app.training.results import catch_up, draw, epoch_of
from fkp_app.training.resumable import ResumableRun
from fkp_app.training.run_files import (
    AGAIN,
    CONFIG,
    DEFAULT_MINUTES,
    MOST_SEED,
    REPLACED,
    WEIGHTS,
    Minutes,
    begun_in,
    check_resumable,
    read_config,
)
from numpynet.averaging import WeightAverage
from numpynet.checkpoint import save_weights
from numpynet.data import DataLoader
from numpynet.dispatch import use
from numpynet.fuse import fuse
from numpynet.models import FinderNet
from numpynet.optim import AdamW
from numpynet.schedules import one_cycle
from numpynet.training import EpochEvent, Trainer
from numpynet.typing import Batch

VALIDATION_SCENES = 512
"""Pictures composed of the validation people, always the same."""
FIRST_LOGIT = -3.0
"""The logits with which training begins: nearly everywhere is no face."""


@dataclass(frozen=True)
class FinderConfig:
    """The content of config.json: what decides the result of a run, and the minutes between checkpoints."""

    data: str
    seed: Annotated[int, Within(0, MOST_SEED)]
    recipe: FinderRecipe
    threads: Annotated[int, Within(1)] | None = None
    checkpoint_every: Minutes = DEFAULT_MINUTES


class _Composed:
    """The samples of an epoch: scenes, of which each is composed when it is asked for, by random numbers from `rng`."""

    def __init__(self, composer: Composer, length: int, rng: np.random.Generator) -> None:
        self.composer, self.length, self.rng = composer, length, rng

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Scene:
        return self.composer(self.rng)


class FinderRun(ResumableRun):
    """One training of the finder, with its files in `directory`.

    config.json holds the settings. steps.csv, metrics.csv, loss.png and weights.safetensors (of the latest epoch) are
    replaced after every epoch, each as a whole or not at all. ResumableRun says what the checkpoints are for.
    """

    config: FinderConfig

    def __init__(self, config: FinderConfig, directory: Path) -> None:
        recipe, training = config.recipe, config.recipe.training
        super().__init__(directory, config, training.epochs, config.checkpoint_every)
        data = load_data(config.data)
        self.notes += data.remarks
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
        """A new run. It replaces a run that was stopped before its first checkpoint.

        UsageError if the directory holds more than that, or cannot be written; FkpError if the data are no use.
        """
        begun = begun_in(directory, FinderConfig)
        run = cls(config, directory)
        if begun:
            run.notes.append(f"{directory}: {REPLACED}")
        run.prepare_directory()
        return run

    @classmethod
    def resume(cls, directory: Path, changes: Mapping[str, Any]) -> Self:
        """The run in the directory, to continue from its last checkpoint, or from the beginning if it has none.

        changes: fields of FinderConfig to change from here on. Files that a killed run had not written yet after its
        checkpoint are written now. UsageError if there is no run; FkpError if one of its files is damaged.
        """
        check_resumable(directory)
        notes: list[str] = []
        config = read_config(FinderConfig, directory, notes)
        config.recipe.check(directory / CONFIG)
        run = cls(replace(config, **changes), directory)
        if has_checkpoint(directory):
            load_checkpoint(directory, run.take, notes)
            catch_up(run)
        else:
            notes.append(f"{directory}: {AGAIN}")
        run.notes[:0] = notes
        run.prepare_directory()
        return run

    def loader(self, epoch: int) -> DataLoader:
        training, rng = self.config.recipe.training, np.random.default_rng([self.config.seed, epoch])
        scenes = _Composed(self._composers[0], training.steps * training.batch_size, rng)
        return DataLoader(scenes, training.batch_size, collate_fn=self._batch, generators=[rng])

    def _batch(self, scenes: list[Scene]) -> Batch:
        size = self.config.recipe.network.size
        wanted = [targets(scene.faces, scene.unclear, size) for scene in scenes]
        return np.stack([scene.image for scene in scenes]), np.stack(wanted)

    def validate(self) -> float:
        self.scores = score_finder(self.predict, self._validation)
        losses = []
        for start in range(0, VALIDATION_SCENES, 32):
            images, wanted = self._batch(self._validation[start : start + 32])
            losses.append(self.criterion(self.predict(images), wanted)[0])
        return float(np.mean(losses))

    def finish(self, event: EpochEvent) -> None:
        assert event.validation_loss is not None
        losses, lr = (event.train_loss, event.validation_loss), self.history.steps[-1].lr
        row = EpochRow(event.epoch, *losses, math.nan, math.nan, lr, event.seconds, event.epoch)
        self.history.epochs.append(row)
        self.save()
        self._write_weights()
        draw(self)

    def restore_weights(self) -> None:
        if self.progress.steps or epoch_of(self.directory / WEIGHTS) == self.history.epochs_done:
            return
        self.trainer.train(False)
        with use("fast"):
            self.scores = score_finder(self.trainer.predict, self._validation)
        self._write_weights()
        self.notes.append(f"{self.directory / WEIGHTS}: written again from the checkpoint")

    def _write_weights(self) -> None:
        save_weights(self.directory / WEIGHTS, self.trainer.weights(), self._card())

    def _card(self) -> FinderCard:
        recipe = asdict(self.config.recipe)
        training = {name: recipe[name] for name in ("scenes", "augmentation", "training")}
        training |= {"seed": self.config.seed, "epoch": self.history.epochs_done}
        if self.scores is not None:
            training["validation"] = asdict(self.scores)
        return FinderCard.describe(self.net.arguments, training)
