"""One face on its way through a video: where to look for it next, and whether the points found there are its own."""

import math
from dataclasses import dataclass

import numpy as np

from fkp_app.faces.detector import box_from_square
from fkp_app.faces.keypoints import Face
from fkp_app.geometry.boxes import keep_heaviest
from fkp_app.geometry.framing import Square, face_square, upright
from fkp_app.tracking.smoothing import FaceSmoother, smoothing_factor
from numpynet.typing import Array

SPEED_CUTOFF = 4.0
"""Cutoff, in Hz, of the low-pass filter of a face's velocity."""
FURTHEST = 0.4
"""The expected place is at most this far from the last one, in sides of the face."""
STRAYED, GROWN = 0.6, 1.6
"""If the points lie this many sides from the expected place, or are larger or smaller than expected by this factor,
they are no longer that face."""
SMALLEST = 16.0
"""Side, in pixels, below which a face is no longer followed."""
WANDERED = 0.065
"""If the points move by at least this many sides when the crop is shifted, they are on no face: without a face, the
network puts its points in the middle of any crop. (On some hundred faces and as many places beside them, in frames of
the validation people, 99 % of the faces stayed below 0.046 and 95 % of the other places were above 0.088.)"""
SAME_POINTS = 0.2
"""If the points of two tracks are at most this far apart on average, in sides, both tracks follow the same face."""


@dataclass(frozen=True)
class TrackedFace(Face):
    """A face in one frame of a video. track: the number of this face in the whole video, from 1.

    box and keypoints belong to this frame, confidence to the frame in which the face was found.
    """

    track: int


class Track:
    """A face that is being followed: its state after the last frame."""

    def __init__(self, number: int, face: Face, smooth: bool) -> None:
        self.number, self.confidence = number, face.confidence
        self.doubts = 0
        """Number of second looks in a row in which its points went with the crop."""
        self.strayed = 0.0
        """Distance from the expected place to the place where it was found, in sides."""
        self._smooth = smooth
        self._smoother = FaceSmoother() if smooth else None
        self.velocity: Array = np.zeros(2)  # pixels per second
        self.keypoints: Array = face.keypoints.astype(np.float64)
        if self._smoother is not None:
            self._smoother(self.keypoints, 1.0)
        self.square, self.angle = upright(self.keypoints, face_square(self.keypoints))

    def ahead(self, seconds: float) -> Square:
        """The expected face square, this many seconds after the last frame."""
        x, y, side = self.square
        speed = float(np.hypot(*self.velocity))
        step = self.velocity * min(seconds, FURTHEST * side / max(speed, 1e-9))
        return x + float(step[0]), y + float(step[1]), side

    def follow(self, found: Array, expected: Square, dt: float) -> None:
        """Update the state from the keypoints (68, 2) found near the expected square, dt seconds after the last."""
        square, _ = upright(found, expected)
        self.strayed = distance(square, expected)
        self.keypoints = found if self._smoother is None else self._smoother(found, dt)
        before = self.square
        self.square, self.angle = upright(self.keypoints, expected)
        velocity = (np.array(self.square[:2]) - before[:2]) / dt
        self.velocity += smoothing_factor(SPEED_CUTOFF, dt) * (velocity - self.velocity)

    def restart(self) -> None:
        """Forget the motion, after a cut."""
        self._smoother, self.velocity = (FaceSmoother() if self._smooth else None), np.zeros(2)

    def face(self, width: int, height: int) -> TrackedFace:
        """The face in the last frame. width, height: of the frame, in pixels."""
        box = box_from_square(self.square, self.angle, width, height)
        return TrackedFace(box, self.confidence, self.keypoints.astype(np.float32), self.number)


def plausible(found: Array, expected: Square, width: int, height: int) -> bool:
    """Whether keypoints (68, 2) can belong to the face expected in this square, in a frame of width x height."""
    if not np.isfinite(found).all():
        return False
    x, y, side = face_square(found)
    if not (0 <= x < width and 0 <= y < height and SMALLEST <= side <= 2 * max(width, height)):
        return False
    square, _ = upright(found, expected)
    return distance(square, expected) < STRAYED and 1 / GROWN < square[2] / expected[2] < GROWN


def distance(one: Square, other: Square) -> float:
    """The distance between the centres of two squares, in sides of the second."""
    return math.hypot(one[0] - other[0], one[1] - other[1]) / other[2]


def merged(tracks: list[Track]) -> list[Track]:
    """The tracks, one per face, by number.

    If two follow the same face, the one that was found at its expected place stays; if both were, the older one. So
    when a face passes in front of another, the one in front keeps its number.
    """

    def same(i: int, kept: int) -> bool:
        one, other = tracks[i], tracks[kept]
        apart = np.linalg.norm(one.keypoints - other.keypoints, axis=1).mean() / other.square[2]
        return bool(apart <= SAME_POINTS)

    preferred = sorted(range(len(tracks)), key=lambda i: (tracks[i].strayed > SAME_POINTS / 2, tracks[i].number))
    return sorted((tracks[i] for i in keep_heaviest(preferred, same)), key=lambda one: one.number)
