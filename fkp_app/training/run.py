"""A training run: how it begins and goes on, what it learns from, and what follows each epoch."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fkp_app.data.crops import evaluation_transform
from fkp_app.data.dataset import FacialKeypointsDataset, load_data
from fkp_app.data.transforms import collate
from fkp_app.errors import FkpError, UsageError
from fkp_app.evaluation.scores import Scores, predict_all, score
from fkp_app.geometry.crop_card import CropCard
from fkp_app.training.checkpoints import has_checkpoint, load_checkpoint
from fkp_app.training.history import EpochRow
from fkp_app.training.parallel import OwnDraws, agreement, check_parts, check_same, share_validation
from fkp_app.training.recipe import Recipe, training_transform
from fkp_app.training.results import card_of, catch_up, draw, epoch_of
from fkp_app.training.resumable import ResumableRun
from fkp_app.training.run_files import (
    AGAIN,
    CONFIG,
    REPLACED,
    WEIGHTS,
    Config,
    Settings,
    begun_in,
    check_resumable,
    read_config,
)
from fkp_app.training.trainers import get_criterion, get_trainer, initial_weights
from numpynet.checkpoint import save_weights
from numpynet.data import DataLoader, Dataset
from numpynet.dispatch import use
from numpynet.training import EpochEvent
from numpynet.typing import AnyArray, Array

if TYPE_CHECKING:
    from numpynet.parallel import Group


class TrainingRun(ResumableRun):
    """One training, from its settings and recipe to its files in `directory`.

    config.json holds the settings, and the recipe with all options. steps.csv, metrics.csv and loss.png are replaced
    after every epoch, each as a whole or not at all. weights.safetensors holds the weights of the best epoch, that with
    the least validation NME. ResumableRun says what the checkpoints are for.

    group: the processes that train together, each on its part of every batch. Process 0 validates and writes.
    """

    config: Config

    def __init__(
        self,
        config: Config,
        directory: Path,
        initial: dict[str, AnyArray] | None = None,
        group: "Group | None" = None,
    ) -> None:
        settings, recipe = config.settings, config.recipe
        super().__init__(directory, config, recipe.training.epochs, settings.checkpoint_every)
        self.settings = settings
        self.recipe = recipe
        self.group = group
        self.is_first = group is None or group.rank == 0
        """Whether this is process 0, or the only one."""
        self.card: CropCard = recipe.card({})
        data = load_data(settings.data)
        self.training_data: FacialKeypointsDataset = data.splits["training"]
        if len(self.training_data) < 2:
            raise FkpError(
                f"{settings.data}: has {len(self.training_data)} training frames; batch norm needs two at least "
                f"({data.people})"
            )
        if group is not None:
            self.parts = group.size
            check_parts(recipe.training.batch_size, len(self.training_data), settings.backend, group)
        validation = data.splits["validation"].with_transform(evaluation_transform(self.card))
        self.validation = DataLoader(validation, 32, collate_fn=collate) if len(validation) else None
        self.data_notes = data.remarks
        """Lines for the user about the data."""
        if self.validation is None:
            self.data_notes.append(f"{settings.data} has nobody for validation; the latest epoch's weights are kept")
        self.criterion = get_criterion(recipe.training.loss)
        self.trainer = get_trainer(
            settings.backend,
            recipe.network,
            recipe.training,
            steps=recipe.training.epochs * self.steps_per_epoch(),
            seed=settings.seed,
            fused=settings.ops == "fast",
            initial=initial,
            group=group,
            sync_batch_norm=settings.sync_batch_norm,
        )
        self._pictures_noted = False
        self.validation_scores: Scores | None = None
        """The scores of the latest epoch; None if it was not validated."""

    @classmethod
    def start(cls, settings: Settings, recipe: Recipe, directory: Path, group: "Group | None" = None) -> Self:
        """A new run. It replaces a run that was stopped before its first checkpoint. Process 0 begins.

        UsageError if the directory holds more than that, or cannot be written, or the weights to start with belong to
        another network. CheckpointError if those weights are bad. FkpError if the data cannot be used.
        """
        if group is not None:
            settings = replace(settings, own_draws=True)
            if group.rank:
                group.barrier()
                return cls(Config(settings, recipe), directory, initial_weights(settings.start, recipe), group)
        begun = begun_in(directory, Config)
        run = cls(Config(settings, recipe), directory, initial_weights(settings.start, recipe), group)
        if begun:
            run.notes.append(f"{directory}: {REPLACED}")
        run.prepare_directory()
        if group is not None:
            group.barrier()
        return run

    @classmethod
    def resume(
        cls, directory: Path, changes: dict[str, Any], options: dict[str, Any], group: "Group | None" = None
    ) -> Self:
        """The run in `directory`, to continue from its last checkpoint, or from the beginning if it has none.

        changes: settings to change. options: options of the recipe's training; another number of epochs or another
        batch size stretches the schedule from here on. config.json keeps what was changed, and when. If the run was
        killed after it wrote a checkpoint and before it wrote the files that follow, they are written now. UsageError
        if there is no run, or a setting cannot change in a run; FkpError if one of its files is damaged. Process 0
        begins, and the others follow.
        """
        if group is not None:
            changes = changes | {"own_draws": True}
            if group.rank:
                group.barrier()
        check_resumable(directory)
        notes: list[str] = []
        old = read_config(Config, directory, notes)
        old.recipe.check(directory / CONFIG)
        kept = old.options()
        for name, value in (changes | options).items():
            if name in ("recipe", "backend", "seed", "loss", "start", "sync_batch_norm") and value != kept[name]:
                raise UsageError(f"--resume: --{name} is {kept[name]} in {directory} and cannot change in a run")
        config = replace(old, settings=replace(old.settings, **changes), recipe=old.recipe.with_options(**options))
        if has_checkpoint(directory):
            run = cls(config, directory, group=group)
            load_checkpoint(directory, run.take, notes)
            run.config = config.changed_from(old, run.progress)
            if run.is_first:
                catch_up(run)
        else:
            run = cls(config, directory, initial_weights(config.settings.start, config.recipe), group)
            notes.append(f"{directory}: {AGAIN}")
        run.notes[:0] = notes
        if run.is_first:
            run.prepare_directory()
            if group is not None:
                group.barrier()
        return run

    @property
    def out_of_patience(self) -> bool:
        """Whether as many epochs as the recipe's patience have passed since the best one."""
        patience = self.recipe.training.patience
        return (
            patience > 0
            and not self.history.best_is_lost
            and self.history.epochs_done - self.history.best_epoch >= patience
        )

    def loader(self, epoch: int) -> DataLoader:
        order, jitter = np.random.default_rng([self.settings.seed, epoch]).spawn(2)
        transform = training_transform(self.recipe, jitter)
        dataset: Dataset[Any] = self.training_data.with_transform(transform)
        if self.settings.own_draws:
            dataset = OwnDraws(self.training_data, self.recipe, self.settings.seed, epoch)
        size = self.recipe.training.batch_size
        return DataLoader(
            dataset,
            size,
            shuffle=True,
            rng=order,
            # A last, smaller batch would have noisy batch statistics; its few images are used in other epochs.
            drop_last=len(dataset) > size,
            part=(0, 1) if self.group is None else (self.group.rank, self.group.size),
            collate_fn=collate,
            generators=[] if self.settings.own_draws else transform.generators,
        )

    def validate(self) -> float:
        """The validation loss; NaN if this epoch is not validated."""
        training, epoch = self.recipe.training, self.history.epochs_done + 1
        self.validation_scores = None
        if self.validation is None or (epoch % training.validate_every and epoch < training.epochs):
            return math.nan
        loss = math.nan
        if self.is_first:
            # Several processes can stop between steps only, where they all see that one of them shall.
            predict = self.predict if self.group is None else self.trainer.predict
            loss = self.score(self.validation, predict)
        if self.group is not None:
            loss, self.validation_scores = share_validation(loss, self.validation_scores, self.group)
        return loss

    def score(self, validation: DataLoader, predict: Callable[[Array], Array]) -> float:
        """Score the outputs of `predict` for the validation frames; returns their loss."""
        outputs, targets = predict_all(predict, validation)
        self.validation_scores = score(outputs, targets, self.card)
        return self.criterion(outputs, targets)[0]

    def finish(self, event: EpochEvent) -> None:
        scores, history = self.validation_scores, self.history
        nme, failures = (math.nan, math.nan) if scores is None else (scores.nme, scores.failures)
        assert event.validation_loss is not None
        better = history.improves(nme)
        best_epoch = event.epoch if better else history.best_epoch
        losses, lr = (event.train_loss, event.validation_loss), history.steps[-1].lr
        history.epochs.append(EpochRow(event.epoch, *losses, nme, failures, lr, event.seconds, best_epoch))
        if self.group is not None:
            check_same(self.trainer.weights(), event.epoch, self.group)
        # The checkpoint first: the files after it can be written again from it.
        self.save()
        if not self.is_first:
            return
        if better:
            self.keep_weights()
        draw(self)
        self._note_pictures()

    def keep_weights(self) -> None:
        """Replace weights.safetensors by the current weights, the best so far."""
        card = card_of(self.config, self.history, self.validation_scores)
        save_weights(self.directory / WEIGHTS, self.trainer.weights(), card)
        self.history.best_is_lost = False

    def restore_weights(self) -> None:
        best, done, path = self.history.best_epoch, self.history.epochs_done, self.directory / WEIGHTS
        if not best or epoch_of(path) == best:
            return
        if best == done and not self.progress.steps:
            if math.isfinite(self.history.epochs[-1].validation_nme) and self.validation is not None:
                self.trainer.train(False)
                with use(self.ops):
                    self.score(self.validation, self.trainer.predict)
            self.keep_weights()
            self.notes.append(f"{path}: written again from the checkpoint, of epoch {best}")
            return
        self.history.best_is_lost = True
        self.notes.append(f"{path}: does not hold epoch {best}, the best so far; the next validated one is kept")

    def agree(self, stopping: bool, due: bool) -> tuple[bool, bool]:
        return (stopping, due) if self.group is None else agreement(stopping, due, self.group)

    def save(self) -> None:
        """Process 0 writes a checkpoint. The others wait for it: none may end all of them meanwhile."""
        if self.is_first:
            super().save()
        if self.group is not None:
            self.group.barrier()
            self.saved = self.progress

    def _note_pictures(self) -> None:
        """Add one note about the pictures that were converted or guessed, once the first epoch has read them."""
        found = self.training_data.reading_notes
        if found and not self._pictures_noted:
            pictures = "1 picture was" if len(found) == 1 else f"{len(found)} pictures were"
            self.data_notes.append(
                f"{self.settings.data}: {pictures} converted or guessed when read, such as {found[min(found)]}"
            )
        self._pictures_noted = True

    @property
    def ops(self) -> str:
        """The implementation of numpynet that the run uses."""
        return self.settings.ops if self.settings.backend == "numpy" else "readable"
