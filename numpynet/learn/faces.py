"""Twelve crops of one face with its 68 points, small enough to ship: what the networks of this area learn.

The photo, of Grace Hopper, is in the public domain (U.S. government). docs/make_learn_crops.py cut the crops and made
the points with the network that is shipped.
"""

from pathlib import Path

import numpy as np

from numpynet.typing import Array

SIZE = 96
"""Height and width of a crop, in pixels."""

_FILE = Path(__file__).with_name("faces.npz")


def crops() -> tuple[Array, Array]:
    """The crops (12, 1, 96, 96) float32, gray from 0 to 1, and their points (12, 68, 2) float32: x, y in pixels.

    Pixel centres lie at whole coordinates: the middle of the crop is (47.5, 47.5).
    """
    with np.load(_FILE) as stored:
        images, points = stored["images"], stored["points"]
    return images[:, None].astype(np.float32) / np.float32(255), points


def to_targets(points: Array) -> Array:
    """Points (N, 68, 2) in pixels as a network should give them: (N, 136), where -1 and 1 are the crop's edges."""
    return ((points + 0.5) * (2 / SIZE) - 1).reshape(len(points), -1).astype(points.dtype)


def to_points(out: Array) -> Array:
    """What a network gives, (N, 136) with -1 and 1 at the crop's edges, as points (N, 68, 2) in pixels."""
    return ((out + 1) * (SIZE / 2) - 0.5).reshape(len(out), -1, 2).astype(out.dtype)


def pixel_error(out: Array, points: Array) -> float:
    """The mean distance, in pixels, of what a network gives, (N, 136), from the points (N, 68, 2)."""
    return float(np.linalg.norm(to_points(out) - points, axis=2).mean())
