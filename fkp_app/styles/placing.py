"""Where on a face a picture hangs: maps from the picture's pixels to the image's, and how far the face is turned."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from numpynet.typing import Array

FARTHEST = 1e6
"""Keypoints farther out than so many pixels are of no face."""
MOST_STRETCH = 2.5
"""A perspective that makes the picture's area so many times larger or smaller than the similarity does is not used."""


@dataclass(frozen=True)
class Anchor:
    """The mean of these keypoints lies `at` x, y of the picture, in pixels."""

    keypoints: tuple[int, ...]
    at: tuple[float, ...]


# A face in rough figures: x to the picture's right, y downwards, z towards the viewer, in units of the distance between
# the eyes. Only what moves little with the expression: eyes, nose and the mouth's corners.
SOLID = {
    **{36: (-0.69, 0.0, -0.1), 39: (-0.3, 0.0, 0.0), 42: (0.3, 0.0, 0.0), 45: (0.69, 0.0, -0.1)},
    **{27: (0.0, 0.0, 0.12), 30: (0.0, 0.58, 0.5), 33: (0.0, 0.76, 0.3)},
    **{31: (-0.19, 0.71, 0.2), 35: (0.19, 0.71, 0.2), 48: (-0.4, 1.1, 0.1), 54: (0.4, 1.1, 0.1)},
}
_POINTS = np.array(list(SOLID.values()))
_TO_CAMERA = np.linalg.pinv(_POINTS - _POINTS.mean(axis=0))  # (3, 11)


def is_face(keypoints: Array) -> bool:
    """Whether keypoints (68, 2) are finite and not far beyond any image."""
    return bool((np.abs(keypoints) < FARTHEST).all())  # false where NaN


def yaw(keypoints: Array) -> float:
    """By how many degrees the face of keypoints (68, 2) is turned to the side, whatever its roll: -90 .. 90.

    0 is towards the camera, above 0 towards the picture's right. The solid face above is fitted to the points as seen
    from far away: p = A X + t, so that A's columns are where x, y and z point in the image. Turned by the angle a, the
    face's x has the length cos a, and z, which was not to be seen, the length sin a in the same direction.
    """
    points = keypoints[list(SOLID)].astype(np.float64)
    x, _, z = _TO_CAMERA @ (points - points.mean(axis=0))  # (3, 11) @ (11, 2): a row an axis
    length = float(np.hypot(*x))
    return float(np.degrees(np.arctan2(z @ x, length**2)))


def place(keypoints: Array, anchors: Sequence[Anchor], perspective: bool, size: tuple[int, int]) -> Array | None:
    """The map (3, 3) float64 from a picture's pixels to the image's that brings its anchors to a face's keypoints.

    The best in least squares: a similarity (turned, scaled, moved) or a perspective, for which the similarity stands in
    where the points allow none that shows a picture of `size` (width, height) whole. None where there is no face.
    """
    if not is_face(keypoints):
        return None
    here = np.array([anchor.at for anchor in anchors], np.float64)
    there = np.array([keypoints[list(anchor.keypoints)].mean(axis=0, dtype=np.float64) for anchor in anchors])
    plain = similarity(here, there)
    if plain is None or not perspective:
        return plain
    found, _ = cv2.findHomography(here, there, 0)
    matrix = None if found is None else np.asarray(found, np.float64)
    return plain if matrix is None or not _shows(matrix, plain, size) else matrix


def similarity(here: Array, there: Array) -> Array | None:
    """The similarity (3, 3) that brings points (N, 2) nearest to others; None where either all coincide."""
    # As complex numbers a turn with a zoom is one factor: the least squares solution is a quotient of sums.
    a, b = ((points - points.mean(axis=0)) @ [1, 1j] for points in (here, there))
    spread = float((np.abs(a) ** 2).sum())
    factor = complex((a.conj() * b).sum()) / spread if spread > 0 else 0
    if not 1e-9 < abs(factor) < np.inf:
        return None
    linear = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    moved = there.mean(axis=0) - linear @ here.mean(axis=0)
    return np.vstack([np.column_stack([linear, moved]), [0, 0, 1]])


def _shows(matrix: Array, plain: Array, size: tuple[int, int]) -> bool:
    """Whether a perspective shows the whole picture from its front, at about the similarity's size."""
    width, height = size
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], np.float64) @ matrix.T
    if not np.isfinite(corners).all() or (corners[:, 2] <= 0).any():
        return False
    x, y = (corners[:, :2] / corners[:, 2:]).T
    area = (x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2  # below 0 where seen from behind
    stretch = area / (width * height * np.linalg.det(plain[:2, :2]))
    return bool(1 / MOST_STRETCH < stretch < MOST_STRETCH)
