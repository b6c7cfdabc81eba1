"""The confidence that a candidate is a face: a logistic function of what the cascades and the network say about it.

Without a face, few windows of the cascades pass, the network's points move when it looks a second time, and they form
the mean face, which is symmetric.
"""

import math

import numpy as np

from fkp_app.faces.detector import Candidate
from fkp_app.geometry.framing import face_square
from fkp_app.geometry.keypoint_layout import FLIP_ORDER
from numpynet.typing import Array

FEATURES = ("weight", "seconded", "wandering", "asymmetry")
"""What `features` measures, in this order."""

# Fitted to candidates in frames of the training people: `python -m benchmarks haar-confidence --data DIR --every 3`.
# They belong to the shipped weights; another network needs others.
INTERCEPT = -13.07
COEFFICIENTS = (0.94, 1.66, -2.40, 3.75)

MIN_CONFIDENCE = 0.5
"""Default threshold: faces with a lower confidence are not reported."""


def features(candidate: Candidate, first: Array, second: Array) -> Array:
    """The FEATURES (4) of a candidate. first, second: the network's points (68, 2) at its first and its second look.

    log weight; log(1 + seconded); log of the points' mean distance between the two looks, in face sides; `asymmetry`.
    """
    wandered = np.linalg.norm(second - first, axis=1).mean() / face_square(second)[2]
    return np.array(
        [np.log(candidate.weight), np.log1p(candidate.seconded), np.log(max(wandered, 1e-3)), asymmetry(second)]
    )


def confidence(values: Array) -> Array:
    """Confidences (F) in 0 .. 1 for features (F, 4)."""
    score = INTERCEPT + values @ np.array(COEFFICIENTS)
    probability: Array = 1 / (1 + np.exp(-np.clip(score, -50, 50)))
    return probability


def doubted(sure: float, doubt: float) -> float:
    """A confidence, 0 .. 1, with its log odds lowered by `doubt`, as for faces that are exp(doubt) times rarer."""
    return sure / (sure + (1 - sure) * math.exp(doubt)) if sure > 0 else 0.0


def asymmetry(keypoints: Array) -> float:
    """The Procrustes distance between a shape (68, 2) and its mirror image: 0 (symmetric) to 1."""
    points = keypoints[:, 0] + 1j * keypoints[:, 1]  # as complex numbers, a turn and a scale are one factor
    points = points - points.mean()
    norm = float(np.vdot(points, points).real)
    if not norm > 1e-12:
        return 0.0
    mirrored = -points.conj()[FLIP_ORDER]
    return float(np.sqrt(max(0.0, 1 - abs(np.vdot(mirrored, points) / norm) ** 2)))
