"""The batches that the parity command trains on: random images, or real frames cropped as in the course project."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from numpynet.data import DataLoader
from numpynet.models import KEYPOINTS
from numpynet.typing import Batch


def drawn_batches(size: int, batch_size: int, seed: int) -> Iterator[Batch]:
    """Endless random batches, for use without data: images of 16 x 16 patches with a little noise, random targets."""
    rng = np.random.default_rng(seed)
    patches = -(-size // 16)
    while True:
        coarse = rng.random((batch_size, 1, patches, patches), np.float32)
        images = np.kron(coarse, np.ones((16, 16), np.float32))[..., :size, :size]
        images = 0.9 * images + 0.1 * rng.random(images.shape, np.float32)
        yield images, rng.standard_normal((batch_size, 2 * KEYPOINTS), np.float32)


def data_batches(directory: Path, size: int, batch_size: int, seed: int) -> Iterator[Batch]:
    """Endless batches of the training frames under `directory`, rescaled and cropped as in the course project."""
    from fkp_app.data.dataset import load_split
    from fkp_app.data.transforms import Compose, Normalize, RandomCrop, Rescale, ToTensor, collate

    crop_rng, order_rng = np.random.default_rng(seed).spawn(2)
    rescale, crop = Rescale(round(size * 250 / 224)), RandomCrop(size, rng=crop_rng)
    dataset = load_split(directory, "training", Compose([rescale, crop, Normalize(), ToTensor()]))
    while True:
        yield from DataLoader(dataset, batch_size, shuffle=True, rng=order_rng, drop_last=True, collate_fn=collate)
