"""What contenders train on: a network, and its batches."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fkp_app.dataset import load_split
from fkp_app.recipes import load_recipe, training_transform
from fkp_app.transforms import collate
from numpynet.data import DataLoader
from numpynet.typing import Array
from reference.arguments import MODELS


@dataclass(frozen=True)
class Task:
    """What all contenders of a run train on, and with how many threads (what each library chooses where None)."""

    model: str
    batch_size: int
    threads: int | None = None
    size: int | None = None  # of the images; the model's own where None
    data: str | None = None  # a data set in the published layout; random numbers where None

    def arguments(self) -> dict[str, Any]:
        """The network's, for KeypointNet and its twin."""
        return MODELS[self.model] | ({} if self.size is None else {"size": self.size})


def batch(side: int, images: int) -> tuple[Array, Array]:
    """The images (N, 1, side, side) and targets (N, 136) that all train on."""
    rng = np.random.default_rng(0)
    return rng.random((images, 1, side, side), np.float32), rng.standard_normal((images, 136), np.float32)


def loader(task: Task, epoch: int) -> DataLoader:
    """The batches of an epoch, as `fkp train` makes them."""
    assert task.data is not None
    order, jitter = np.random.default_rng([0, epoch]).spawn(2)
    dataset = load_split(Path(task.data), "training")
    dataset = dataset.with_transform(training_transform(load_recipe(task.model), jitter))
    return DataLoader(dataset, task.batch_size, shuffle=True, rng=order, drop_last=True, collate_fn=collate)


def batches(task: Task) -> Iterator[tuple[Array, Array]]:
    """One batch again and again; of real data, epoch after epoch as `fkp train` prepares them."""
    if task.data is None:
        always = batch(task.arguments()["size"], task.batch_size)
        while True:
            yield always
    for epoch in range(1, 1000):
        yield from loader(task, epoch)
