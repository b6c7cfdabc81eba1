"""Faces with their keypoints, in coordinates of the image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fkp_app.backends.predictor import Predictor
from fkp_app.faces.confidence import confidences
from fkp_app.faces.detector import Candidate, box_from_square
from fkp_app.faces.proposals import Proposal
from fkp_app.geometry.boxes import Box, box_of, covered, keep_heaviest
from fkp_app.geometry.framing import Framing, Square, apply, crop_matrix, face_square, invert, to_input, upright, warp
from numpynet.typing import AnyArray, Array

REFINEMENTS = 1
"""Number of further looks of the network after the first."""
SAME_FACE = 0.3
"""If the face squares of two faces share more than this part of the smaller one, they are the same face."""


@dataclass(frozen=True)
class Face:
    """A face: the detector's box (x, y, width, height), confidence 0 .. 1 or None, and keypoints (68, 2) float32.

    Box and keypoints are in pixels of the image as displayed.
    """

    box: Box
    confidence: float | None
    keypoints: Array


class Proposer(Protocol):
    """Finds candidates for faces in an image."""

    def candidates(
        self, image: AnyArray, angle: float = 0.0, margin: float = 0.0
    ) -> Sequence[Candidate | Proposal]: ...


class Detector(Proposer, Protocol):
    """Finds candidates for faces, as `detector.FaceDetector` and `proposals.NetDetector` do, and says how small."""

    def least(self, height: int, width: int) -> float: ...


def find_keypoints(
    image: AnyArray,
    squares: Sequence[Square],
    predictor: Predictor,
    refinements: int = REFINEMENTS,
    angles: Sequence[float] | None = None,
) -> Array:
    """Keypoints (F, 68, 2) float32 of the faces in F squares, in pixels of the image. All faces form one batch.

    angles: degrees by which the image must be turned, clockwise as seen, to make each face upright; None means 0.
    """
    angles = [0.0] * len(squares) if angles is None else angles
    return sights(image, squares, angles, predictor, refinements)[-1].astype(np.float32)


def sights(
    image: AnyArray, squares: Sequence[Square], angles: Sequence[float], predictor: Predictor, refinements: int
) -> list[Array]:
    """Keypoints (F, 68, 2) float64 of the first look and of each refinement: a list of refinements + 1 arrays.

    A refinement cuts a new crop around the points of the last look, with level eyes.
    """
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


def last_look(image: AnyArray, keypoints: Array, predictor: Predictor) -> Array:
    """The points (F, 68, 2) float32 that `predictor` gives for faces whose points (F, 68, 2) another network gave.

    image: RGB (H, W, 3). Each crop is cut around the given points, with level eyes.
    """
    squares = [face_square(points) for points in keypoints]
    again = [upright(points, square) for points, square in zip(keypoints, squares, strict=True)]
    return find_keypoints(image, [square for square, _ in again], predictor, 0, [angle for _, angle in again])


def judged(
    image: AnyArray,
    candidates: Sequence[Candidate | Proposal],
    predictor: Predictor,
    refinements: int = REFINEMENTS,
) -> list[Face]:
    """Every candidate in an RGB image (H, W, 3) as a face, with its confidence, in the order of the candidates."""
    squares, angles = [one.square for one in candidates], [one.angle for one in candidates]
    seen = sights(image, squares, angles, predictor, max(1, refinements))  # the confidence needs two looks
    sure = confidences(candidates, seen[0], seen[1])
    return [
        Face(_box(one, points, image), float(level), points.astype(np.float32))
        for one, level, points in zip(candidates, sure, seen[refinements], strict=True)
    ]


def _box(candidate: Candidate | Proposal, keypoints: Array, image: AnyArray) -> Box:
    """The box of a face: the cascades' own, or, if the network proposed it, the one that fits the keypoints (68, 2)."""
    if isinstance(candidate, Candidate):
        return candidate.box
    height, width = image.shape[:2]
    return box_from_square(*upright(keypoints, candidate.square), width, height)


def faces_among(faces: Sequence[Face], min_confidence: float) -> list[Face]:
    """The judged candidates that are faces, each face once, the largest first. min_confidence: others are left out."""
    passed = [face for face in faces if (face.confidence or 0.0) >= min_confidence]
    sure = np.array([face.confidence for face in passed], np.float64)
    kept = [passed[i] for i in distinct_faces(np.array([face.keypoints for face in passed]), sure)]
    return sorted(kept, key=lambda face: (-face.box[2] * face.box[3], face.box))


def distinct_faces(keypoints: Array, sure: Array) -> list[int]:
    """Indices of faces with keypoints (F, 68, 2), the surest first, each face once. sure: confidences (F)."""
    boxes = [box_of(face_square(points)) for points in keypoints]
    surest_first = np.argsort(-sure, kind="stable")
    return keep_heaviest(surest_first, lambda i, kept: covered(boxes[i], boxes[kept]) > SAME_FACE)
