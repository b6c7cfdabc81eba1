"""What contenders train on: a network, and its batches."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fkp_app.data.dataset import load_split
from fkp_app.data.transforms import collate
from fkp_app.training.learning import Constant
from fkp_app.training.recipe import Recipe, load_recipe, training_transform
from numpynet.data import DataLoader
from numpynet.typing import Array


@dataclass(frozen=True)
class Task:
    """What all contenders of a run train on.

    model: the name of a recipe; network, loss, optimizer and average of the weights are the recipe's. threads: of each
    contender; if None, the number that its library chooses. size: of the images; if None, the model's own. data:
    directory of a data set in the published layout; if None, the images are random numbers.
    """

    model: str
    batch_size: int
    threads: int | None = None
    size: int | None = None
    data: str | None = None

    @property
    def recipe(self) -> Recipe:
        """The model's recipe, with images of this size; its learning rate is constant, as it changes no time."""
        recipe = load_recipe(self.model)
        recipe = replace(recipe, training=replace(recipe.training, schedule=Constant()))
        if self.size is None:
            return recipe
        network = replace(recipe.network, arguments=recipe.network.arguments | {"size": self.size})
        return replace(recipe, network=network, framing=replace(recipe.framing, size=self.size))


def batch(size: int, count: int, seed: int = 0) -> tuple[Array, Array]:
    """Random images (count, 1, size, size) and targets (count, 136), the same ones on every call."""
    rng = np.random.default_rng(seed)
    return rng.random((count, 1, size, size), np.float32), rng.standard_normal((count, 136), np.float32)


def loader(task: Task, epoch: int) -> DataLoader:
    """The batches of an epoch, as `fkp train` makes them."""
    assert task.data is not None
    order, jitter = np.random.default_rng([0, epoch]).spawn(2)
    dataset = load_split(Path(task.data), "training")
    dataset = dataset.with_transform(training_transform(task.recipe, jitter))
    return DataLoader(dataset, task.batch_size, shuffle=True, rng=order, drop_last=True, collate_fn=collate)


def batches(task: Task) -> Iterator[tuple[Array, Array]]:
    """Endless batches: the same random one again and again, or those of real data, epoch after epoch."""
    if task.data is None:
        same = batch(task.recipe.framing.size, task.batch_size)
        while True:
            yield same
    for epoch in range(1, 1000):
        yield from loader(task, epoch)
