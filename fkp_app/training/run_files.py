"""The settings of a training run and what --resume changed of them, in config.json; leftovers of killed processes."""

import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, TypeVar

from fkp_app.errors import FkpError, UsageError
from fkp_app.tables import Within, read_table, read_text
from fkp_app.training.checkpoints import CHECKPOINT, has_checkpoint, saved_config
from fkp_app.training.recipe import Recipe
from numpynet.files import atomic, remove_leftovers
from numpynet.strict_json import read_json
from numpynet.training import Progress

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")


class HasRecipe(Protocol):
    """The content of a config.json, of any kind of run."""

    @property
    def recipe(self) -> "Checked": ...


class Checked(Protocol):
    """A recipe."""

    def check(self, file: Path) -> None: ...


CONFIG, WEIGHTS = "config.json", "weights.safetensors"
EARLIER = re.compile(
    r"\.((checkpoint|weights)\.\w{8}\.safetensors|(steps|metrics)\.\w{8}\.csv|config\.\w{8}\.json|loss\.\w{8}\.png|tmp\w{6})"
)
"""Names of the temporary files of earlier versions, and of the library that wrote their weights."""
AGAIN = "stopped before its first checkpoint; it begins again"
REPLACED = "a run was stopped there before its first checkpoint; the new run replaces it"
"""What is said of a directory in which a run was stopped early."""
LARGEST_CONFIG = 1 << 20  # bytes
MOST_SEED = 2**53

Minutes = Annotated[float, Within(0)]
DEFAULT_MINUTES = 5.0
"""Between the checkpoints within an epoch."""


@dataclass(frozen=True)
class Settings:
    """The settings of a run beside its recipe.

    recipe: the recipe's name or file. start: the file of the weights to begin with; None for fresh weights.
    sync_batch_norm: whether batch norm sees the parts of all processes, if there are several. own_draws: whether each
    frame's changes are drawn from a stream of its own, as they are once several processes train. checkpoint_every:
    minutes between the checkpoints within an epoch; no result depends on it.
    """

    data: str
    recipe: str
    backend: Literal["numpy", "torch"]
    seed: Annotated[int, Within(0, MOST_SEED)]
    threads: Annotated[int, Within(1)] | None
    ops: Literal["readable", "fast"]
    start: str | None = None
    sync_batch_norm: bool = False
    own_draws: bool = False
    checkpoint_every: Minutes = DEFAULT_MINUTES


@dataclass(frozen=True)
class Change:
    """What --resume changed after so many whole epochs, and steps of the next: old and new values by option."""

    epochs: Annotated[int, Within(0)]
    steps: Annotated[int, Within(0)]
    old: dict[str, Any]
    new: dict[str, Any]


@dataclass(frozen=True)
class Config:
    """The content of config.json: the present settings, and how they changed while the run was stopped."""

    settings: Settings
    recipe: Recipe
    changes: tuple[Change, ...] = ()

    def options(self) -> dict[str, Any]:
        """What decides a run's result and can be given as an option, by the option's name."""
        training = self.recipe.training
        options = {name: value for name, value in asdict(self.settings).items() if name != "checkpoint_every"}
        chosen = {"epochs": training.epochs, "batch_size": training.batch_size}
        return options | chosen | {"lr": training.optimizer.lr, "loss": training.loss.name}

    def changed_from(self, old: "Config", progress: Progress) -> "Config":
        """This configuration with its differences from the old one on record, as changed after `progress`."""
        before, after = old.options(), self.options()
        names = [name for name in before if before[name] != after[name]]
        if not names:
            return self
        tables = ({name: table[name] for name in names} for table in (before, after))
        return replace(self, changes=(*old.changes, Change(progress.epochs, progress.steps, *tables)))


def read_config(cls: type[T], directory: Path, notes: list[str]) -> T:
    """The content of config.json, a `cls`, of the run in `directory`; if there is no such file, that of the checkpoint.

    notes: receives a line then. FkpError if it cannot be read or is wrong.
    """
    path = directory / CONFIG
    if not path.exists() and (saved := saved_config(directory, checked=True)) is not None:
        table, source = saved
        config = read_table(cls, table, source)
        notes.append(f"{path}: no such file; it is written again from {source.name}")
        return config
    remedy = "start a new run"
    if saved_config(directory, checked=False) is not None:
        remedy = "remove it: --resume then takes the settings of the checkpoint"
    return read_table(cls, read_text(path, LARGEST_CONFIG, read_json, "JSON", remedy), path)


def begun_in(directory: Path, cls: type[HasRecipe]) -> bool:
    """Whether the directory holds a run that was stopped before its first checkpoint, which a new run may replace.

    cls: of the content of config.json. UsageError if the directory holds more than that: a run with a checkpoint, a
    config.json of something else, or weights.
    """
    has_config = (directory / CONFIG).exists()
    if has_config and not _holds_more(directory, cls):
        return True
    if has_config or has_checkpoint(directory):
        raise UsageError(f"{directory} holds a training run already; add --resume to go on, or choose another --out")
    if (directory / WEIGHTS).exists():
        raise UsageError(f"{directory} holds {WEIGHTS} already, which training would replace; choose another --out")
    return False


def _holds_more(directory: Path, cls: type[HasRecipe]) -> bool:
    """Whether config.json belongs to anything but a run that was stopped before its first checkpoint.

    That is a run with a checkpoint, or no run at all.
    """
    try:
        read_config(cls, directory, []).recipe.check(directory / CONFIG)
    except FkpError:
        return True
    return has_checkpoint(directory)


def check_resumable(directory: Path) -> None:
    """UsageError if there is no run in the directory that --resume could go on with."""
    if not has_checkpoint(directory) and not (directory / CONFIG).exists():
        raise UsageError(f"--resume: {directory} holds no {CHECKPOINT}; start without --resume")


def prepare(directory: Path, config: "DataclassInstance") -> int:
    """Make a run's directory, remove what killed processes left in it, and write config.json.

    Returns the number of removed files. UsageError if it cannot be made or written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {directory} cannot be made ({error.strerror}); choose another place") from None
    try:
        gone = sweep(directory)
        with atomic(directory / CONFIG) as temporary:
            temporary.write_text(json.dumps(asdict(config), indent=2) + "\n", "utf-8")
    except OSError as error:
        raise UsageError(f"--out {directory} cannot be written ({error.strerror or error})") from None
    return gone


def sweep(directory: Path) -> int:
    """Remove the files that killed processes left in a run's directory; return their number."""
    gone = [path for path in directory.iterdir() if EARLIER.fullmatch(path.name) and path.is_file()]
    for path in gone:
        path.unlink(missing_ok=True)
    return len(gone) + remove_leftovers(directory)
