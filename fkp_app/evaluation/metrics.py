"""How far predicted keypoints are from the labelled ones: errors of each face, and what many faces amount to.

Errors are in percent of the distance of the outer eye corners throughout; F faces.
"""

from collections.abc import Sequence

import numpy as np

from fkp_app.geometry.eyes import interocular
from fkp_app.geometry.keypoint_layout import RANGES
from numpynet.typing import AnyArray, Array

LIMIT = 10.0
"""A face with a larger NME has failed; the CED curve and the AUC go so far."""

REGIONS = {
    "jaw": [*RANGES["jaw"]],
    "brows": [*RANGES["right brow"], *RANGES["left brow"]],
    "nose": [*RANGES["nose"]],
    "eyes": [*RANGES["right eye"], *RANGES["left eye"]],
    "mouth": [*RANGES["mouth"]],
}
"""The points of each region of the face."""


def point_errors(predicted: Array, truth: Array) -> Array:
    """The error of each point (F, 68), in percent. ValueError where the shapes differ or a face's eyes coincide."""
    if predicted.shape != truth.shape or truth.ndim != 3:
        raise ValueError(f"nme: both must have shape (F, 68, 2), got {predicted.shape} and {truth.shape}")
    eyes = interocular(truth)
    if (eyes == 0).any():
        raise ValueError(f"nme: the outer eye corners of face {int(np.argmin(eyes))} coincide, so there is no unit")
    return 100 * np.linalg.norm(predicted - truth, axis=2) / eyes[:, None]


def nme(predicted: Array, truth: Array) -> Array:
    """Normalised mean error of each face, in percent: (F,) for keypoints (F, 68, 2) in any one unit of length.

    The mean distance between the predicted and the true points, over the true distance of the outer eye corners
    (points 36 and 45): the "inter-ocular" NME of the 300-W challenge (Sagonas et al. 2013). ValueError where the
    shapes differ or a face's eye corners coincide.
    """
    return point_errors(predicted, truth).mean(axis=1)


def region_errors(predicted: Array, truth: Array) -> dict[str, Array]:
    """As `nme`, (F,) for each of REGIONS: the mean over that region's points, over the same eye distance."""
    errors = point_errors(predicted, truth)
    return {name: errors[:, points].mean(axis=1) for name, points in REGIONS.items()}


def failure_rate(errors: Array, limit: float = LIMIT) -> float:
    """Percent of faces whose NME lies above `limit`."""
    return float(100 * np.mean(errors > limit))


def ced(errors: Array, levels: Array) -> Array:
    """The cumulative error distribution: the share of faces, 0 .. 1, whose NME is at most each of `levels`."""
    return np.searchsorted(np.sort(errors), levels, side="right") / len(errors)


def auc(errors: Array, limit: float = LIMIT) -> float:
    """The area under the CED curve from 0 to `limit`, over `limit`: 0 .. 1, and 1 where no face has an error.

    Exact, without a grid: a face of error e is under the curve from e on, and adds limit - e.
    """
    return float(np.mean(np.clip(1 - errors / limit, 0, 1)))


def bootstrap_interval(
    errors: Array, groups: Sequence[str], draws: int = 2000, seed: int = 0, percent: float = 95.0
) -> tuple[float, float]:
    """Between what the mean of `errors` (F,) lies, for other people than these: a percentile bootstrap.

    groups: each face's person. Frames of a person err alike, so people are drawn (as many as there are, with
    replacement), each with all of their frames; the mean is over the frames so drawn.
    """
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    sums: AnyArray = np.bincount(member, weights=errors)
    counts = np.bincount(member)
    drawn = np.random.default_rng(seed).integers(len(names), size=(draws, len(names)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)  # (draws,)
    low, high = np.percentile(means, [50 - percent / 2, 50 + percent / 2])
    return float(low), float(high)
