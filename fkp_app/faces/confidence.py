"""How sure one can be that a face is one: a logistic function of what the cascades and the network say of it.

Where there is no face, few windows of the cascades pass, the network's points wander when it looks again where it has
put them, and they lie as in the mean face, which is symmetric.
"""

import numpy as np

from fkp_app.faces.detector import Candidate
from fkp_app.geometry.framing import face_square
from fkp_app.geometry.keypoint_layout import FLIP_ORDER
from numpynet.typing import Array

FEATURES = ("weight", "seconded", "wandering", "asymmetry")
# Fitted to candidates in frames of the training people: `python -m benchmarks haar-confidence --data DIR --every 3`.
# They belong to the shipped weights; other networks give other ones.
INTERCEPT = -13.07
COEFFICIENTS = (0.94, 1.66, -2.40, 3.75)

MIN_CONFIDENCE = 0.5
"""Faces below it are not reported unless asked for."""


def features(candidate: Candidate, first: Array, second: Array) -> Array:
    """FEATURES of a candidate on which the network has put points (68, 2) at first and at second sight."""
    wandered = np.linalg.norm(second - first, axis=1).mean() / face_square(second)[2]
    return np.array(
        [np.log(candidate.weight), np.log1p(candidate.seconded), np.log(max(wandered, 1e-3)), asymmetry(second)]
    )


def confidence(values: Array) -> Array:
    """Confidences (F) in 0 .. 1 for features (F, 4)."""
    score = INTERCEPT + values @ np.array(COEFFICIENTS)
    probability: Array = 1 / (1 + np.exp(-np.clip(score, -50, 50)))
    return probability


def asymmetry(keypoints: Array) -> float:
    """How unlike its mirrored self a shape (68, 2) is, 0 .. 1: the Procrustes distance between the two."""
    points = keypoints[:, 0] + 1j * keypoints[:, 1]  # turning and scaling are one complex factor
    points = points - points.mean()
    norm = float(np.vdot(points, points).real)
    if not norm > 1e-12:
        return 0.0
    mirrored = -points.conj()[FLIP_ORDER]
    return float(np.sqrt(max(0.0, 1 - abs(np.vdot(mirrored, points) / norm) ** 2)))
