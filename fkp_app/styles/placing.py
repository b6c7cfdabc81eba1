"""The place of a picture on a face: the map from its pixels to the image's, and the angle of the face to the side."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from numpynet.typing import Array

FARTHEST = 1e6
"""Keypoints with a larger coordinate, in pixels, belong to no face."""
MOST_STRETCH = 2.5
"""A perspective is not used if the area it gives the picture differs by this factor from the similarity's."""


@dataclass(frozen=True)
class Anchor:
    """The mean of these keypoints (numbers 0 .. 67) lies `at` (x, y) of the picture, in pixels."""

    keypoints: tuple[int, ...]
    at: tuple[float, ...]


# A rough solid face: x to the picture's right, y downwards, z towards the viewer, in units of the distance between the
# eyes. It has only points that move little with the expression: eyes, nose and corners of the mouth.
SOLID = {
    **{36: (-0.69, 0.0, -0.1), 39: (-0.3, 0.0, 0.0), 42: (0.3, 0.0, 0.0), 45: (0.69, 0.0, -0.1)},
    **{27: (0.0, 0.0, 0.12), 30: (0.0, 0.58, 0.5), 33: (0.0, 0.76, 0.3)},
    **{31: (-0.19, 0.71, 0.2), 35: (0.19, 0.71, 0.2), 48: (-0.4, 1.1, 0.1), 54: (0.4, 1.1, 0.1)},
}
_POINTS = np.array(list(SOLID.values()))
_TO_CAMERA = np.linalg.pinv(_POINTS - _POINTS.mean(axis=0))  # (3, 11)


def is_face(keypoints: Array) -> bool:
    """Whether all keypoints (68, 2) are finite and below FARTHEST."""
    return bool((np.abs(keypoints) < FARTHEST).all())  # false for NaN


def yaw(keypoints: Array) -> float:
    """The angle of a face with keypoints (68, 2) to the side, in degrees, for any roll: -90 .. 90.

    0 is towards the camera, positive towards the picture's right. The solid face X is fitted to the points p by least
    squares, as seen from far away: p = A X + t. The columns of A are the images of the axes x, y and z. If the face
    turns by the angle a, its x axis appears with length cos a, and its z axis, invisible before, with length sin a in
    the same direction.
    """
    points = keypoints[list(SOLID)].astype(np.float64)
    x, _, z = _TO_CAMERA @ (points - points.mean(axis=0))  # (3, 11) @ (11, 2): one row per axis
    length = float(np.hypot(*x))
    return float(np.degrees(np.arctan2(z @ x, length**2)))


def place(keypoints: Array, anchors: Sequence[Anchor], perspective: bool, size: tuple[int, int]) -> Array | None:
    """The map (3, 3) float64 from a picture's pixels to the image's that brings the anchors to a face's keypoints.

    It is the least-squares similarity (turn, scale, shift), or, if `perspective`, the least-squares perspective. If no
    perspective shows the whole picture of `size` (width, height), the similarity is used. None if there is no face.
    """
    if not is_face(keypoints):
        return None
    source = np.array([anchor.at for anchor in anchors], np.float64)
    target = np.array([keypoints[list(anchor.keypoints)].mean(axis=0, dtype=np.float64) for anchor in anchors])
    plain = similarity(source, target)
    if plain is None or not perspective:
        return plain
    found, _ = cv2.findHomography(source, target, 0)
    matrix = None if found is None else np.asarray(found, np.float64)
    return plain if matrix is None or not _shows(matrix, plain, size) else matrix


def similarity(source: Array, target: Array) -> Array | None:
    """The similarity (3, 3) that brings `source` (N, 2) nearest to `target` (N, 2). None if either is one point."""
    # In complex numbers, a turn and a scale are one factor, and its least-squares solution is a quotient of two sums.
    a, b = ((points - points.mean(axis=0)) @ [1, 1j] for points in (source, target))
    spread = float((np.abs(a) ** 2).sum())
    factor = complex((a.conj() * b).sum()) / spread if spread > 0 else 0
    if not 1e-9 < abs(factor) < np.inf:
        return None
    linear = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    moved = target.mean(axis=0) - linear @ source.mean(axis=0)
    return np.vstack([np.column_stack([linear, moved]), [0, 0, 1]])


def _shows(matrix: Array, plain: Array, size: tuple[int, int]) -> bool:
    """Whether a perspective shows the whole picture from its front, at about the area of the similarity `plain`."""
    width, height = size
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], np.float64) @ matrix.T
    if not np.isfinite(corners).all() or (corners[:, 2] <= 0).any():
        return False
    x, y = (corners[:, :2] / corners[:, 2:]).T
    area = (x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2  # negative if seen from behind
    stretch = area / (width * height * np.linalg.det(plain[:2, :2]))
    return bool(1 / MOST_STRETCH < stretch < MOST_STRETCH)
