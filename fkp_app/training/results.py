"""What a run leaves for its user, curves and the weights of the best epoch; a checkpoint can make both again."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fkp_app.errors import UsageError
from fkp_app.geometry.crop_card import CropCard
from fkp_app.training.curves import plot_losses
from fkp_app.training.run_files import WEIGHTS
from numpynet.checkpoint import CheckpointError, load_weights, save_weights
from numpynet.dispatch import use

if TYPE_CHECKING:
    from fkp_app.training.resumable import ResumableRun
    from fkp_app.training.run import TrainingRun


def draw(run: "ResumableRun") -> None:
    """Replace the CSV files and the picture of the curves."""
    run.history.write(run.directory)
    plot_losses({run.directory.name: run.directory}, run.directory / "loss.png")


def keep_weights(run: "TrainingRun") -> None:
    """Replace weights.safetensors by the current weights, the best so far."""
    save_weights(run.directory / WEIGHTS, run.trainer.weights(), _card(run))
    run.history.best_is_lost = False


def catch_up(run: "ResumableRun") -> None:
    """Write the files that follow a checkpoint again: the curves, and the weights if its epoch is the best.

    UsageError if they cannot be written.
    """
    if not run.history.epochs_done:
        return
    try:
        draw(run)
        run.restore_weights()
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"--out {run.directory} cannot be written ({reason}); make room or mend it") from None


def restore_best(run: "TrainingRun") -> None:
    """Write the weights again if they are not of the best epoch and the checkpoint is. OSError if that fails."""
    best, done, path = run.history.best_epoch, run.history.epochs_done, run.directory / WEIGHTS
    if not best or epoch_of(path) == best:
        return
    if best == done and not run.progress.steps:
        if math.isfinite(run.history.epochs[-1].validation_nme) and run.validation is not None:
            run.trainer.train(False)
            with use(run.ops):
                run.score(run.validation, run.trainer.predict)
        keep_weights(run)
        run.notes.append(f"{path}: written again from the checkpoint, of epoch {best}")
        return
    run.history.best_is_lost = True
    run.notes.append(f"{path}: does not hold epoch {best}, the best so far; the next validated one is kept")


def _card(run: "TrainingRun") -> CropCard:
    """The card of the current weights, with the settings and the scores."""
    settings = asdict(run.settings)
    del settings["data"]  # a path on this machine; weights are passed on
    del settings["checkpoint_every"]
    if run.settings.start is not None:
        settings["start"] = Path(run.settings.start).name
    recipe = {name: asdict(run.recipe)[name] for name in ("augmentation", "training")}
    training: dict[str, Any] = {"settings": settings, **recipe, "epoch": run.history.epochs_done}
    if run.config.changes:
        training["changes"] = [_without_data(asdict(change)) for change in run.config.changes]
    if run.validation_scores is not None:
        training["validation"] = asdict(run.validation_scores)
    return run.recipe.card(training)


def _without_data(change: dict[str, Any]) -> dict[str, Any]:
    """A change without the place of the data on this machine."""
    for part in ("old", "new"):
        change[part].pop("data", None)
    return change


def epoch_of(weights: Path) -> object:
    """The epoch of a weights file; None if it is missing or damaged."""
    try:
        return load_weights(weights)[1].training.get("epoch")
    except CheckpointError:
        return None
