"""Faces with their keypoints, in coordinates of the image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fkp_app.backends.predictor import Predictor
from fkp_app.faces.confidence import MIN_CONFIDENCE, confidence, features
from fkp_app.faces.detector import Candidate
from fkp_app.geometry.boxes import Box, shared
from fkp_app.geometry.framing import Framing, Square, apply, crop_matrix, face_square, invert, to_input, warp
from fkp_app.geometry.keypoint_layout import OUTER_EYES
from numpynet.typing import AnyArray, Array

REFINEMENTS = 1
SAME_FACE = 0.3
"""Two faces whose keypoints' squares share so much of the smaller one are one face."""
MOST_GROWTH = 3.0
"""Points that fill a square so many times as large as the last one, or as small, are not followed."""
SEARCHES = (((0.0, 0.0),), ((0.0, 0.3),), ((-35.0, 0.0), (35.0, 0.0)))
"""How an image is searched as long as no face is found: as it is; with its edges continued, for heads they cut off;
turned each way. Angles in degrees, margins in shares of the shorter side, as in `FaceDetector.candidates`."""


@dataclass(frozen=True)
class Face:
    """box: x, y, width, height of the detector's box; confidence: 0 .. 1, or None; keypoints: (68, 2) float32.

    All in pixels of the image as displayed.
    """

    box: Box
    confidence: float | None
    keypoints: Array


class Detector(Protocol):
    """Anything that finds what may be a face, such as `detector.FaceDetector`."""

    def candidates(self, image: AnyArray, angle: float = 0.0, margin: float = 0.0) -> list[Candidate]: ...


def find_faces(
    image: AnyArray,
    detector: Detector,
    predictor: Predictor,
    refinements: int = REFINEMENTS,
    min_confidence: float = MIN_CONFIDENCE,
) -> list[Face]:
    """Every face in an RGB image (H, W, 3), the largest first; SEARCHES says what is tried.

    refinements: how often the network looks again; min_confidence: less sure faces are left out.
    """
    faces: list[Face] = []
    for search in SEARCHES:
        candidates = [one for angle, margin in search for one in detector.candidates(image, angle, margin)]
        faces = _judged(image, candidates, predictor, refinements, min_confidence)
        if faces:
            break
    return sorted(faces, key=lambda face: (-face.box[2] * face.box[3], face.box))


def find_keypoints(
    image: AnyArray,
    squares: Sequence[Square],
    predictor: Predictor,
    refinements: int = REFINEMENTS,
    angles: Sequence[float] | None = None,
) -> Array:
    """Keypoints (F, 68, 2) float32, in pixels of the image, of the faces in these squares, all in one batch.

    angles: degrees by which the image must be turned, clockwise as seen, for each face to be upright; 0 where None.
    """
    angles = [0.0] * len(squares) if angles is None else angles
    return sights(image, squares, angles, predictor, refinements)[-1].astype(np.float32)


def sights(
    image: AnyArray, squares: Sequence[Square], angles: Sequence[float], predictor: Predictor, refinements: int
) -> list[Array]:
    """Keypoints (F, 68, 2) float64 at first sight and after each refinement, for which the crop is cut anew where the
    points were put, and turned upright."""
    framing = Framing.from_dict(predictor.card.framing)
    seen: list[Array] = []
    for _ in range(refinements + 1):
        if not squares:
            seen.append(np.empty((0, 68, 2)))
            continue
        if seen:
            again = [upright(points, before) for points, before in zip(seen[-1], squares, strict=True)]
            squares, angles = [square for square, _ in again], [angle for _, angle in again]
        matrices = [crop_matrix(square, framing, angle) for square, angle in zip(squares, angles, strict=True)]
        crops = np.stack([to_input(warp(image, matrix, framing.size)) for matrix in matrices])  # (F, 1, S, S)
        in_crops = predictor.keypoints(crops).astype(np.float64)
        seen.append(np.stack([apply(invert(matrix), face) for matrix, face in zip(matrices, in_crops, strict=True)]))
    return seen


def upright(keypoints: Array, before: Square) -> tuple[Square, float]:
    """The face square that keypoints (68, 2) have when turned until the eyes are level, and the angle of that turn.

    `before`, and 0, where the points make no face: much smaller or larger than that, or not finite.
    """
    right, left = keypoints[list(OUTER_EYES)]
    angle = -float(np.degrees(np.arctan2(*(left - right)[::-1])))
    middle = keypoints.mean(axis=0)
    turn = crop_matrix((float(middle[0]), float(middle[1]), 1.0), Framing("face", 1, 1.0), angle)
    cx, cy, side = face_square(apply(turn, keypoints))
    if not 1 / MOST_GROWTH < side / before[2] < MOST_GROWTH:
        return before, 0.0
    x, y = apply(invert(turn), np.array([cx, cy]))
    return (float(x), float(y), side), angle


def _judged(
    image: AnyArray, candidates: list[Candidate], predictor: Predictor, refinements: int, min_confidence: float
) -> list[Face]:
    """Those of the candidates that are faces, each once, the surest first."""
    squares, angles = [one.square for one in candidates], [one.angle for one in candidates]
    seen = sights(image, squares, angles, predictor, max(1, refinements))  # the second sight is needed to judge
    values = [features(*each) for each in zip(candidates, seen[0], seen[1], strict=True)]
    sure = confidence(np.array(values)) if values else np.empty(0)
    return [
        Face(candidates[i].box, float(sure[i]), seen[refinements][i].astype(np.float32))
        for i in distinct_faces(seen[1], sure)
        if sure[i] >= min_confidence
    ]


def distinct_faces(keypoints: Array, sure: Array) -> list[int]:
    """Indices of faces (F, 68, 2), the surest (F) first, without those that are a surer one over again."""
    squares = [face_square(points) for points in keypoints]
    places = [np.array([cx - side / 2, cy - side / 2, side, side]) for cx, cy, side in squares]
    kept: list[int] = []
    for i in np.argsort(-sure, kind="stable"):
        if all(shared(places[i], places[k]) <= SAME_FACE for k in kept):
            kept.append(int(i))
    return kept
