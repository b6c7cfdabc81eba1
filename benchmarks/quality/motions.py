"""How heads move in the clips and how a face talks, as formulas, so that the true place of each point is known."""

import math
from collections.abc import Callable

import cv2
import numpy as np

from fkp_app.geometry.framing import face_square
from numpynet.typing import AnyArray, Array

Pose = tuple[float, float, float, float]
"""Shift right and down in pixels, turn clockwise in degrees, zoom."""


def _step(time: float, begin: float, length: float) -> float:
    """From 0 to 1 as a hand or a head moves, at rest before and after (minimum jerk, Flash and Hogan 1985)."""
    u = min(max((time - begin) / length, 0.0), 1.0)
    return u**3 * (10 - 15 * u + 6 * u * u)


def _wave(time: float, period: float) -> float:
    """A sine of this period in seconds."""
    return math.sin(2 * math.pi * time / period)


def _mix(time: float) -> Pose:
    """Quick moves with rests between them."""
    away, back, near = _step(time, 0.6, 0.5), _step(time, 1.7, 0.6), _step(time, 2.8, 0.6)
    return 110 * (away - back), 30 * (away - near), 18 * (back - near), 1 + 0.25 * (back + near) / 2


MOTIONS: dict[str, Callable[[float], Pose]] = {
    "still": lambda time: (0, 0, 0, 1),
    "pan": lambda time: (100 * _wave(time, 2.4), 30 * _wave(time, 1.7), 0, 1),
    "turn": lambda time: (0, 0, 25 * _wave(time, 2.0), 1),
    "zoom": lambda time: (0, 0, 0, math.exp(0.35 * _wave(time, 2.4))),
    "mix": _mix,
    "talk": lambda time: (0, 0, 0, 1),
}
"""The head's pose by time in seconds. In "talk" the head rests; the mouth and the brows move (see `stretched`)."""


def stretched(points: Array, face: Array, time: float) -> Array:
    """Where the skin at points (n, 2) of a talking face (68, 2) is: the lower lip and chin drop, the brows rise."""
    return _solve(points, lambda at: _pull(at, face, time))


def _pull(points: Array, face: Array, time: float) -> Array:
    """By how much (n, 2) the skin that is now at points (n, 2) has moved."""
    side = face_square(face)[2]
    speaks = 0.5 - 0.5 * math.cos(2 * math.pi * 2.5 * time) if time % 2 < 1.2 else 0.0  # syllables, and pauses
    raised = -0.03 * _step(time, 1.4, 0.2)
    pulls = [(face[57], 0.06 * speaks), (face[19], raised), (face[24], raised)]
    moved = np.zeros_like(points)
    for centre, share in pulls:
        far = ((points - centre) ** 2).sum(axis=-1) / (0.16 * side) ** 2
        moved[..., 1] += share * side * np.exp(-far / 2)
    return moved


def _solve(points: Array, pull: Callable[[Array], Array]) -> Array:
    """The points q with q - pull(q) = points, by fixed-point iteration."""
    solved = points
    for _ in range(20):
        solved = points + pull(solved)
    return solved


def talking(scene: AnyArray, faces: Array, time: float) -> AnyArray:
    """The picture (H, W, 3) with the skin of its faces (F, 68, 2) moved as `stretched` says."""
    rows, columns = np.mgrid[: scene.shape[0], : scene.shape[1]]
    places = np.stack([columns, rows], axis=-1).astype(np.float64)  # (H, W, 2)
    come_from = (places - sum(_pull(places, face, time) for face in faces)).astype(np.float32)
    x, y = np.ascontiguousarray(come_from[..., 0]), np.ascontiguousarray(come_from[..., 1])
    return cv2.remap(scene, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
