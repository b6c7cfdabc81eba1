"""The confidence that a candidate is a face: a logistic function of what its finder and the network say about it.

Without a face, few windows of the cascades pass, and the finder's logit is small; the network's points move when it
looks a second time, they leave the place that was proposed, and they form the mean face, which is symmetric.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fkp_app.faces.detector import Candidate
from fkp_app.faces.proposals import Proposal
from fkp_app.geometry.framing import Square, face_square, upright
from fkp_app.geometry.keypoint_layout import FLIP_ORDER
from numpynet.typing import Array


class Fit(NamedTuple):
    """A logistic function of the features of one kind of candidate."""

    features: tuple[str, ...]
    intercept: float
    coefficients: tuple[float, ...]

    def __call__(self, values: Array) -> Array:
        """Confidences (F) in 0 .. 1 for features (F, len(self.features))."""
        score = self.intercept + values @ np.array(self.coefficients)
        probability: Array = 1 / (1 + np.exp(-np.clip(score, -50, 50)))
        return probability


# Fitted to candidates in frames of the training people. They belong to the shipped weights; other networks need others.
HAAR = Fit(("weight", "seconded", "wandering", "asymmetry"), -13.07, (0.94, 1.66, -2.40, 3.75))
"""For the cascades' candidates: `python -m benchmarks haar-confidence --data DIR --every 3`."""
NET = Fit(("logit", "wandering", "asymmetry", "straying"), -10.41, (1.17, -2.70, 1.23, 1.24))
"""For the finder's proposals: `python -m benchmarks net-confidence --data DIR`. FINDER.md says how it was chosen."""

MIN_CONFIDENCE = 0.5
"""Default threshold: faces with a lower confidence are not reported."""


def features(candidate: Candidate | Proposal, first: Array, second: Array) -> Array:
    """The features (4) of a candidate, as HAAR and NET list them. first, second: the network's points (68, 2) at its
    first and its second look.

    weight: its logarithm; seconded: log(1 + seconded); wandering: log of the points' mean distance between the two
    looks, in face sides; asymmetry: `asymmetry`; straying: `straying`.
    """
    wandered = np.linalg.norm(second - first, axis=1).mean() / face_square(second)[2]
    wandering = np.log(max(wandered, 1e-3))
    if isinstance(candidate, Proposal):
        away = straying(candidate.square, candidate.angle, second)
        return np.array([candidate.logit, wandering, asymmetry(second), away])
    return np.array([np.log(candidate.weight), np.log1p(candidate.seconded), wandering, asymmetry(second)])


def confidences(candidates: Sequence[Candidate | Proposal], first: Array, second: Array) -> Array:
    """Confidences (F) in 0 .. 1 of F candidates. first, second: the network's points (F, 68, 2) at its two looks."""
    fits = [NET if isinstance(one, Proposal) else HAAR for one in candidates]
    values = [features(*each) for each in zip(candidates, first, second, strict=True)]
    return np.array([fit(each[None])[0] for fit, each in zip(fits, values, strict=True)])


def doubted(sure: float, doubt: float) -> float:
    """A confidence, 0 .. 1, with its log odds lowered by `doubt`, as for faces that are exp(doubt) times rarer."""
    return sure / (sure + (1 - sure) * math.exp(doubt)) if sure > 0 else 0.0


def straying(square: Square, angle: float, keypoints: Array) -> float:
    """How far keypoints (68, 2) are from a proposed square and angle: the log of a sum of three ratios.

    They are the distance of the middles in sides, the ratio of the sides in octaves, and the turn in right angles.
    """
    (x, y, side), turn = upright(keypoints, face_square(keypoints))
    apart = np.hypot(x - square[0], y - square[1]) / square[2]
    turned = abs((turn - angle + 180) % 360 - 180) / 90
    return float(np.log(max(apart + abs(np.log2(side / square[2])) + turned, 0.05)))


def asymmetry(keypoints: Array) -> float:
    """The Procrustes distance between a shape (68, 2) and its mirror image: 0 (symmetric) to 1."""
    points = keypoints[:, 0] + 1j * keypoints[:, 1]  # as complex numbers, a turn and a scale are one factor
    points = points - points.mean()
    norm = float(np.vdot(points, points).real)
    if not norm > 1e-12:
        return 0.0
    mirrored = -points.conj()[FLIP_ORDER]
    return float(np.sqrt(max(0.0, 1 - abs(np.vdot(mirrored, points) / norm) ** 2)))
