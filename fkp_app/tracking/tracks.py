"""One face on its way through a video: where to look for it next, and whether what was found there is it."""

import math
from dataclasses import dataclass

import numpy as np

from fkp_app.faces.detector import CENTRE_X, CENTRE_Y, SIDE
from fkp_app.faces.keypoints import Face, upright
from fkp_app.geometry.boxes import Box, into, shared
from fkp_app.geometry.framing import Square, face_square
from fkp_app.tracking.smoothing import FaceSmoother, low_pass
from numpynet.typing import Array

SPEED_CUTOFF = 4.0
"""Hz, of the low pass that a face's velocity goes through before it says where to look next."""
FURTHEST = 0.4
"""A face is sought no further from its last place than so many of its sides."""
STRAYED, GROWN = 0.6, 1.6
"""Points so many sides from where they were sought, or so many times as large or as small, are no longer that face."""
SMALLEST = 16.0
"""Sides in pixels below which a face is let go."""
WANDERED = 0.065
"""On no face the network's points lie in the middle of whatever crop it is given. Where they go with a crop that is
shifted, by so many sides, they are on nothing. (Of some hundred faces and as many places beside them, in frames of the
validation people, 99 % of the faces stayed below 0.046 and 95 % of the other places went beyond 0.088.)"""
SAME_POINTS = 0.2
"""Two tracks whose points lie no further apart, in sides, are on one face."""


@dataclass(frozen=True)
class TrackedFace(Face):
    """A face that a video's frames have in common. track: its number, from 1, which no other face gets.

    box and keypoints are this frame's; confidence is that of the frame in which it was found.
    """

    track: int


class Track:
    """A face that is followed: what is known of it after the last frame."""

    def __init__(self, number: int, face: Face, smooth: bool) -> None:
        self.number, self.confidence = number, face.confidence
        self.doubts = 0
        """How often in a row its points went with the crop."""
        self.strayed = 0.0
        """How far from where it was sought it was found, in sides."""
        self._smooth = smooth
        self._smoother = FaceSmoother() if smooth else None
        self.velocity: Array = np.zeros(2)  # pixels a second
        self.keypoints: Array = face.keypoints.astype(np.float64)
        if self._smoother is not None:
            self._smoother(self.keypoints, 1.0)
        self.square, self.angle = upright(self.keypoints, face_square(self.keypoints))

    def ahead(self, seconds: float) -> Square:
        """Where its face square will be, so much later."""
        x, y, side = self.square
        speed = float(np.hypot(*self.velocity))
        way = self.velocity * min(seconds, FURTHEST * side / max(speed, 1e-9))
        return x + float(way[0]), y + float(way[1]), side

    def follow(self, found: Array, sought: Square, dt: float) -> None:
        """Take over keypoints (68, 2) that were found where the face was sought, dt seconds after the last."""
        square, _ = upright(found, sought)
        self.strayed = distance(square, sought)
        self.keypoints = found if self._smoother is None else self._smoother(found, dt)
        before = self.square
        self.square, self.angle = upright(self.keypoints, sought)
        velocity = (np.array(self.square[:2]) - before[:2]) / dt
        self.velocity += low_pass(SPEED_CUTOFF, dt) * (velocity - self.velocity)

    def restart(self) -> None:
        """Forget how it moved: the picture jumped."""
        self._smoother, self.velocity = (FaceSmoother() if self._smooth else None), np.zeros(2)

    def face(self, width: int, height: int) -> TrackedFace:
        """As it is in this frame, which has so many pixels."""
        box = box_from_square(self.square, self.angle, width, height)
        return TrackedFace(box, self.confidence, self.keypoints.astype(np.float32), self.number)


def plausible(found: Array, sought: Square, width: int, height: int) -> bool:
    """Whether keypoints (68, 2) can be those of the face that was sought there, in a frame of that size."""
    if not np.isfinite(found).all():
        return False
    x, y, side = face_square(found)
    if not (0 <= x < width and 0 <= y < height and SMALLEST <= side <= 2 * max(width, height)):
        return False
    x, y, side = square = upright(found, sought)[0]
    return distance(square, sought) < STRAYED and 1 / GROWN < side / sought[2] < GROWN


def distance(one: Square, other: Square) -> float:
    """Between the middles of two squares, in sides of the second."""
    return math.hypot(one[0] - other[0], one[1] - other[1]) / other[2]


def overlap(one: Square, other: Square) -> float:
    """How much of the smaller of two squares the larger one covers, 0 .. 1."""
    return shared(*(np.array([x - side / 2, y - side / 2, side, side]) for x, y, side in (one, other)))


def merged(tracks: list[Track]) -> list[Track]:
    """The tracks without those that have come onto the face of another.

    Of two, the one stays that is where it was expected; of two such, the older one. So where a face passes before
    another, the one in front keeps its number.
    """
    kept: list[Track] = []
    for track in sorted(tracks, key=lambda one: (one.strayed > SAME_POINTS / 2, one.number)):
        apart = [np.linalg.norm(track.keypoints - one.keypoints, axis=1).mean() / one.square[2] for one in kept]
        if min(apart, default=1.0) > SAME_POINTS:
            kept.append(track)
    return sorted(kept, key=lambda one: one.number)


def box_from_square(square: Square, angle: float, width: int, height: int) -> Box:
    """The box that the detector would most likely have drawn around an upright face square, within the image.

    angle: by which the image must be turned, clockwise, for the face to be upright, in degrees.
    """
    x, y, side = square
    box, turn = side / SIDE, math.radians(-angle)
    x -= box * (CENTRE_X * math.cos(turn) - CENTRE_Y * math.sin(turn))
    y -= box * (CENTRE_X * math.sin(turn) + CENTRE_Y * math.cos(turn))
    corner = (round(x - (box - 1) / 2), round(y - (box - 1) / 2))
    return into(width, height, *corner, round(box), round(box))
