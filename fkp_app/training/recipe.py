"""Recipes: the network, how its crops are framed and varied, and how it learns. Each recipe is a TOML file."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from fkp_app.data.crops import COURSE_SIZE, course_rescale, to_input
from fkp_app.data.transforms import Compose, FaceCrop, Gray, RandomCrop, Rescale, Transform
from fkp_app.errors import FkpError, UsageError
from fkp_app.geometry.crop_card import CropCard
from fkp_app.geometry.framing import Framing
from fkp_app.tables import read_table, read_toml
from fkp_app.training.augmentation import Augmentation, RandomChanges
from fkp_app.training.learning import LOSSES, Cosine, Training
from numpynet.architectures import build
from numpynet.dispatch import ImplementationError
from numpynet.init import no_init
from numpynet.typing import Seed

__all__ = ["LOSSES", "NAMES", "Network", "Recipe", "Training", "load_recipe", "training_transform"]

COURSE_OFFSET, COURSE_SCALE = 100.0, 50.0
"""The course project's units: keypoints are (keypoint - 100) / 50 in a crop of 224 pixels."""

DIRECTORY = Path(__file__).parent / "recipes"
NAMES = tuple(sorted(path.stem for path in DIRECTORY.glob("*.toml")))
"""The recipes that come with the program."""


@dataclass(frozen=True)
class Network:
    """An architecture that `numpynet.architectures.build` knows, and the arguments of its constructor."""

    architecture: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Recipe:
    """A recipe after its checks. It decides what a run computes, together with data, seed, backend and threads."""

    network: Network
    framing: Framing
    augmentation: Augmentation
    training: Training

    @classmethod
    def from_tables(cls, tables: Mapping[str, Any], file: object) -> Self:
        """The recipe in the content of a TOML or JSON file. FkpError if anything in it is wrong."""
        recipe = read_table(cls, tables, file)
        recipe.check(file)
        return recipe

    def check(self, file: object) -> None:
        """FkpError if the parts do not fit together, though each is right by itself."""
        framing, arguments, jitter = self.framing, self.network.arguments, self.augmentation
        if framing.kind == "frame" and (jitter.rotate or jitter.scale or jitter.shift or jitter.flip):
            raise FkpError(f"{file}: augmentation.rotate, scale, shift and flip need framing.kind face, got frame")
        training = self.training
        if isinstance(training.schedule, Cosine) and training.schedule.min_lr > training.optimizer.lr:
            raise FkpError(f"{file}: training.schedule.min_lr must be at most the optimizer's lr")
        if self.network.architecture == "FinderNet":
            raise FkpError(f"{file}: a FinderNet places no keypoints; `fkp train-finder` trains it by its own recipe")
        try:
            with no_init():
                size = build(self.network.architecture, arguments).arguments["size"]
        except ImplementationError:  # a wrong NUMPYNET_OPS is no fault of the recipe
            raise
        except (TypeError, ValueError) as error:
            raise FkpError(f"{file}: network does not work: {error}") from None
        if size != framing.size:
            raise FkpError(f"{file}: framing.size must be network.arguments.size, {size!r}, got {framing.size}")

    def with_options(self, **options: Any) -> Self:
        """The recipe with a command's options, which `Training.with_options` lists. FkpError if the result is wrong."""
        changed = replace(self, training=self.training.with_options(**options))
        return self.from_tables(asdict(changed), "the recipe with these options")

    def card(self, training: dict[str, Any]) -> CropCard:
        """The card of weights that this recipe trains.

        A KeypointNet has the course project's units, (keypoint - 100) / 50 in a crop of 224 pixels, scaled with the
        crop for any other size. In the units of all other networks the crop's edges are at -1 and 1.
        """
        size = self.framing.size
        if self.network.architecture == "KeypointNet":
            offset, scale = COURSE_OFFSET * size / COURSE_SIZE, COURSE_SCALE * size / COURSE_SIZE
        else:
            offset, scale = (size - 1) / 2, size / 2
        return CropCard.describe(
            architecture=self.network.architecture,
            arguments=self.network.arguments,
            input_size=size,
            framing=self.framing.as_dict(),
            keypoint_offset=offset,
            keypoint_scale=scale,
            training=training,
        )


def load_recipe(name: str) -> Recipe:
    """The recipe of this name, or the one in this TOML file.

    UsageError if there is none; FkpError if it cannot be read or is wrong.
    """
    path = DIRECTORY / f"{name}.toml" if name in NAMES else Path(name)
    if not path.is_file():
        raise UsageError(f"--recipe must be {', '.join(NAMES)} or a TOML file, got {name}")
    return Recipe.from_tables(read_toml(path), path)


def training_transform(recipe: Recipe, rng: Seed) -> Compose:
    """From a labelled frame to a training sample in the units of the recipe's card; random numbers come from `rng`."""
    framing, augmentation = recipe.framing, recipe.augmentation
    place, look = np.random.default_rng(rng).spawn(2)
    cut: list[Transform]
    if framing.kind == "frame":
        cut = [Rescale(course_rescale(framing)), RandomCrop(framing.size, rng=place)]
    else:
        jitter = {name: getattr(augmentation, name) for name in ("rotate", "scale", "shift", "flip")}
        cut = [FaceCrop(framing, rng=place, **jitter)]
    return Compose([*cut, Gray(), RandomChanges(augmentation.changes(), rng=look), *to_input(recipe.card({}))])
