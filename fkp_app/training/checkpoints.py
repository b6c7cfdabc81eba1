"""The checkpoints of a training run: the newest one and, until the next one is whole, the one before it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fkp_app.errors import FkpError
from fkp_app.training.history import History
from numpynet.checkpoint import CheckpointError, load_tensors, save_tensors
from numpynet.checks import count, not_finite
from numpynet.files import sync_directory
from numpynet.strict_json import is_number, read_json, shown
from numpynet.tensors import read_header
from numpynet.training import Progress
from numpynet.typing import AnyArray

CHECKPOINT = "checkpoint.safetensors"
PREVIOUS, NEXT = "checkpoint.previous.safetensors", "checkpoint.next.safetensors"
"""The checkpoint before the newest one, and a whole new one that is not renamed yet."""
FORMAT_VERSION = 2
"""Version 1 has no description and is of whole epochs only."""
DESCRIPTION = "training_run"
"""The key of the description in the metadata: JSON, with `format_version` and `config`, the content of config.json."""
COUNTS = ("steps", "images")
"""The fields of Progress that are whole numbers."""

State = Mapping[str, AnyArray]


def has_checkpoint(directory: Path) -> bool:
    """Whether the run has a checkpoint to continue from."""
    return any((directory / name).exists() for name in (CHECKPOINT, PREVIOUS, NEXT))


def save_checkpoint(directory: Path, state: State, config: dict[str, Any]) -> None:
    """Write a checkpoint and keep the one before beside it. At every moment one of the two is whole.

    config: the content of config.json. OSError if it cannot be written.
    """
    description = json.dumps({"format_version": FORMAT_VERSION, "config": config})
    save_tensors(directory / NEXT, state, {DESCRIPTION: description})
    _give_name(directory)


def load_checkpoint(directory: Path, take: Callable[[State], None], notes: list[str]) -> None:
    """Pass `take` the newest checkpoint that is whole and finite and that `take` accepts.

    take: loads a state, and raises an error if it does not fit. notes: receives a line if the checkpoint is not the
    last one. FkpError if there is no such checkpoint, or if a newer version of this program wrote it.
    """
    _give_name(directory)
    problems = []
    for path in (directory / CHECKPOINT, directory / PREVIOUS):
        if not path.exists():
            continue
        try:
            state, metadata = load_tensors(path, sealed=True)
            _description(metadata, path)
        except CheckpointError as error:
            problems.append(f"{str(error).rsplit('; ', 1)[0]}; start a new run")  # nowhere to get the file again
            continue
        try:
            if (key := not_finite(_learned(state))) is not None:
                raise FkpError(
                    f"{path}: {key} holds NaN or infinity, so training had failed when it was saved; start a new run "
                    f"with a lower learning rate, from --start with its weights if those are good"
                )
            take(state)
        except FkpError as error:
            problems.append(str(error))
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:300]
            problems.append(f"{path}: does not fit this run ({reason}); start a new run")
        else:
            if path.name == PREVIOUS:
                path.replace(directory / CHECKPOINT)
                sync_directory(directory)
                lost = problems[0].rsplit("; ", 1)[0] if problems else f"{directory / CHECKPOINT}: no such file"
                notes.append(f"{lost}; going on from the checkpoint before it")
            return
    raise FkpError(problems[0])


def saved_config(directory: Path, checked: bool) -> tuple[dict[str, Any], Path] | None:
    """The content of config.json in the newest readable checkpoint, and its path; None if no checkpoint has it.

    checked: whether the checkpoint's checksum must be right, for which all of it is read.
    """
    for name in (NEXT, CHECKPOINT, PREVIOUS):
        path = directory / name
        try:
            metadata = load_tensors(path, sealed=True)[1] if checked else read_header(path).metadata
            config = _description(metadata, path).get("config")
        except CheckpointError:
            continue
        if isinstance(config, dict):
            return config, path
    return None


def saved_progress(progress: Progress) -> dict[str, AnyArray]:
    """The tensors of a checkpoint that tell how far the epoch is that is not whole."""
    kinds = {name: np.int64 if name in COUNTS else np.float64 for name in ("steps", "images", "loss", "seconds")}
    return {f"progress.{name}": np.array(getattr(progress, name), kind) for name, kind in kinds.items()}


def read_progress(state: State, history: History) -> Progress:
    """How far a training was when it saved this state. ValueError if the state cannot be right."""
    found: dict[str, Any] = {}
    if "progress.steps" in state:
        found = {name: count(state[f"progress.{name}"], f"progress.{name}", 0) for name in COUNTS}
        for name in ("loss", "seconds"):
            number = state[f"progress.{name}"]
            if number.shape or not np.isfinite(number) or number < 0:
                raise ValueError(f"progress.{name} must be a number that is at least 0")
            found[name] = float(number)
    progress = Progress(history.epochs_done, **found)
    if progress.steps != history.steps_begun or progress.images < progress.steps:
        raise ValueError("progress does not fit the steps of history")
    return progress


def _description(metadata: Mapping[str, str], path: Path) -> dict[str, Any]:
    """The description in a checkpoint's metadata. FkpError if a newer version wrote it, CheckpointError if damaged."""
    if DESCRIPTION not in metadata:
        return {"format_version": 1}
    try:
        table = read_json(metadata[DESCRIPTION])
        version = table["format_version"]
        if not is_number(version, 1, 1 << 53):
            raise ValueError(f"its format_version is {shown(version)}")
    except (ValueError, TypeError, LookupError) as error:
        raise CheckpointError(f"{path}: its description is damaged ({error}); start a new run") from None
    if version > FORMAT_VERSION:
        raise FkpError(
            f"{path}: is of format version {version}, and this fkp reads up to {FORMAT_VERSION}; update numpynet-fkp"
        )
    return dict(table)


def _learned(state: State) -> State:
    """A checkpoint without the history, in which NaN is allowed: it means not measured."""
    return {key: array for key, array in state.items() if not key.startswith("history.")}


def _give_name(directory: Path) -> None:
    """Rename the checkpoint that was written last to the newest one, and the newest to the one before."""
    newest = directory / CHECKPOINT
    if (directory / NEXT).exists():
        if newest.exists():
            newest.replace(directory / PREVIOUS)
        (directory / NEXT).replace(newest)
        sync_directory(directory)
