"""How far two versions of a network are apart, in pixels of the crop."""

from collections.abc import Callable

import numpy as np

from fkp_app.geometry.crop_card import CropCard
from numpynet.typing import Array

CROPS = 3


def largest_distance(one: Callable[[Array], Array], other: Callable[[Array], Array], card: CropCard) -> float:
    """The largest difference between two networks' points for random crops, in pixels of the crop.

    one, other: from crops (N, 1, S, S) to outputs (N, 136), both in the units of `card`.
    """
    crops = np.random.default_rng(0).random((CROPS, 1, card.input_size, card.input_size), np.float32)
    first, second = (card.units.to_pixels(forward(crops)) for forward in (one, other))
    return float(np.abs(first - second).max())
