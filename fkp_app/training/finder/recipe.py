"""The finder's recipe: its network, the pictures it learns from, and how it learns.

`finder.toml` is the recipe of the shipped weights.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from fkp_app.errors import FkpError, UsageError
from fkp_app.geometry.face_grid import CELL
from fkp_app.tables import Share, Within, read_table, read_toml
from fkp_app.training.augmentation import Augmentation
from fkp_app.training.finder.scenes import Scenes
from fkp_app.training.learning import MOST_BATCH
from numpynet.architectures import build
from numpynet.dispatch import ImplementationError
from numpynet.init import no_init

SHIPPED_RECIPE = Path(__file__).with_name("finder.toml")


@dataclass(frozen=True)
class Network:
    """The arguments of `numpynet.FinderNet`."""

    size: Annotated[int, Within(CELL, 1024)] = 128
    stem: tuple[int, ...] = (8, 16, 32)
    body: tuple[int, ...] = (64, 64, 64, 64)


@dataclass(frozen=True)
class Training:
    """How the finder learns: epochs of `steps` batches, the loss, AdamW with a one-cycle schedule, and the average."""

    epochs: Annotated[int, Within(1)] = 16
    steps: Annotated[int, Within(1)] = 200
    batch_size: Annotated[int, Within(2, MOST_BATCH)] = 32
    gamma: Annotated[float, Within(0, 10)] = 2.0
    beta: Annotated[float, Within(0)] = 0.1
    place: Annotated[float, Within(0)] = 1.0
    lr: Annotated[float, Within(1e-9, 10)] = 3e-3
    weight_decay: Share = 0.01
    warmup: Share = 0.15
    average: Annotated[float, Within(0, 0.99999)] = 0.998


@dataclass(frozen=True)
class FinderRecipe:
    """A recipe after its checks. It decides what a run computes, together with data, seed and threads."""

    network: Network
    scenes: Scenes
    augmentation: Augmentation
    training: Training

    def check(self, file: object) -> None:
        """FkpError if the network does not work, is larger than LIMITS allow, or has another grid."""
        network = self.network
        if 2 ** len(network.stem) != CELL:
            raise FkpError(f"{file}: network.stem must have {CELL.bit_length() - 1} entries, got {len(network.stem)}")
        try:
            with no_init():
                build("FinderNet", asdict(network))
        except ImplementationError:  # a wrong NUMPYNET_OPS is no fault of the recipe
            raise
        except ValueError as error:
            raise FkpError(f"{file}: network does not work: {error}") from None


def load_finder_recipe(path: Path) -> FinderRecipe:
    """The recipe in a TOML file. UsageError if there is no such file; FkpError if it cannot be read or is wrong."""
    if not path.is_file():
        raise UsageError(f"--recipe must be a TOML file of a finder, got {path}")
    recipe = read_table(FinderRecipe, read_toml(path), path)
    recipe.check(path)
    return recipe
