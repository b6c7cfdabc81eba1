"""The files of a training run: its settings, its checkpoints, and leftovers of killed processes."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

from fkp_app.errors import FkpError
from fkp_app.tables import Within, read_table, read_text
from fkp_app.training.recipe import Recipe
from numpynet.checkpoint import CheckpointError, load_tensors, save_tensors
from numpynet.checks import not_finite
from numpynet.files import atomic, remove_leftovers
from numpynet.strict_json import read_json
from numpynet.typing import AnyArray

CONFIG, WEIGHTS, CHECKPOINT = "config.json", "weights.safetensors", "checkpoint.safetensors"
PREVIOUS, NEXT = "checkpoint.previous.safetensors", "checkpoint.next.safetensors"
"""The checkpoint of the epoch before, and a whole new one that is not renamed yet."""
EARLIER = re.compile(
    r"\.((checkpoint|weights)\.\w{8}\.safetensors|(steps|metrics)\.\w{8}\.csv|config\.\w{8}\.json|loss\.\w{8}\.png|tmp\w{6})"
)
"""Names of the temporary files of earlier versions, and of the library that wrote their weights."""
LARGEST_CONFIG = 1 << 20  # bytes
MOST_SEED = 2**53

State = Mapping[str, AnyArray]


@dataclass(frozen=True)
class Settings:
    """The settings of a run beside its recipe.

    recipe: the recipe's name or file. start: the file of the weights to begin with; None for fresh weights.
    """

    data: str
    recipe: str
    backend: Literal["numpy", "torch"]
    seed: Annotated[int, Within(0, MOST_SEED)]
    threads: Annotated[int, Within(1)] | None
    ops: Literal["readable", "fast"]
    start: str | None = None


@dataclass(frozen=True)
class Config:
    """The content of config.json."""

    settings: Settings
    recipe: Recipe


def read_config(directory: Path) -> Config:
    """The settings and the recipe of the run in `directory`. FkpError if they cannot be read or are wrong."""
    path = directory / CONFIG
    config = read_table(Config, read_text(path, LARGEST_CONFIG, read_json, "JSON", "start a new run"), path)
    config.recipe.check(path)
    return config


def write_config(directory: Path, config: Config) -> None:
    """Replace config.json. OSError if it cannot be written."""
    with atomic(directory / CONFIG) as temporary:
        temporary.write_text(json.dumps(asdict(config), indent=2) + "\n", "utf-8")


def has_checkpoint(directory: Path) -> bool:
    """Whether the run has a checkpoint to continue from."""
    return any((directory / name).exists() for name in (CHECKPOINT, PREVIOUS, NEXT))


def holds_more(directory: Path) -> bool:
    """Whether config.json belongs to anything but a run that was stopped in its first epoch.

    That is a run with a whole epoch, or no run at all.
    """
    try:
        read_config(directory)
    except FkpError:
        return True
    return has_checkpoint(directory)


def save_checkpoint(directory: Path, state: State) -> None:
    """Write a checkpoint and keep the one before beside it. At every moment one of the two is whole.

    OSError if it cannot be written.
    """
    save_tensors(directory / NEXT, state, {})
    _give_name(directory)


def load_checkpoint(directory: Path, take: Callable[[State], None], notes: list[str]) -> None:
    """Pass `take` the newest checkpoint that is whole and finite and that `take` accepts.

    take: loads a state, and raises an error if it does not fit. notes: receives a line if the checkpoint is not the
    last one. FkpError if there is no such checkpoint.
    """
    _give_name(directory)
    problems = []
    for path in (directory / CHECKPOINT, directory / PREVIOUS):
        if not path.exists():
            continue
        try:
            state, _ = load_tensors(path)
            if (key := not_finite(_learned(state))) is not None:
                raise FkpError(
                    f"{path}: {key} holds NaN or infinity, so training had failed when it was saved; start a new run "
                    f"with a lower --lr, from --start {directory / WEIGHTS} if those are good"
                )
            take(state)
        except (CheckpointError, FkpError) as error:
            problems.append(str(error))
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:300]
            problems.append(f"{path}: does not fit this run ({reason}); start a new run")
        else:
            if path.name == PREVIOUS:
                path.replace(directory / CHECKPOINT)
                lost = problems[0].rsplit("; ", 1)[0] if problems else f"{directory / CHECKPOINT}: no such file"
                notes.append(f"{lost}; going on from the checkpoint before it")
            return
    raise FkpError(problems[0])


def sweep(directory: Path) -> int:
    """Remove the files that killed processes left in a run's directory; return their number."""
    gone = [path for path in directory.iterdir() if EARLIER.fullmatch(path.name) and path.is_file()]
    for path in gone:
        path.unlink(missing_ok=True)
    return len(gone) + remove_leftovers(directory)


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
