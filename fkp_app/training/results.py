"""What a run leaves for its user, curves and the weights of the best epoch; a checkpoint can make both again."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fkp_app.errors import UsageError
from fkp_app.evaluation.scores import Scores
from fkp_app.geometry.crop_card import CropCard
from fkp_app.training.curves import plot_losses
from fkp_app.training.history import History
from fkp_app.training.run_files import Config
from numpynet.checkpoint import CheckpointError, load_weights

if TYPE_CHECKING:
    from fkp_app.training.resumable import ResumableRun


def draw(run: "ResumableRun") -> None:
    """Replace the CSV files and the picture of the curves."""
    run.history.write(run.directory)
    plot_losses({run.directory.name: run.directory}, run.directory / "loss.png")


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


def card_of(config: Config, history: History, scores: Scores | None) -> CropCard:
    """The card of the weights of the latest epoch, with the run's settings and the weights' scores."""
    settings = asdict(config.settings)
    del settings["data"]  # a path on this machine; weights are passed on
    del settings["checkpoint_every"]
    if config.settings.start is not None:
        settings["start"] = Path(config.settings.start).name
    recipe = {name: asdict(config.recipe)[name] for name in ("augmentation", "training")}
    training: dict[str, Any] = {"settings": settings, **recipe, "epoch": history.epochs_done}
    if config.changes:
        training["changes"] = [_without_data(asdict(change)) for change in config.changes]
    if scores is not None:
        training["validation"] = asdict(scores)
    return config.recipe.card(training)


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
