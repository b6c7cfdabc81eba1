"""The 68 keypoints of an ordinary face, and a plain drawing of a person with it, to show styles on."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from fkp_app.geometry.keypoint_layout import FLIP_ORDER
from numpynet.typing import AnyArray, Array

Colour = tuple[int, int, int]
Fill = Callable[[AnyArray, Colour], None]
"""Fills a polygon (N, 2), in coordinates of `face_keypoints`, with a colour."""

FINER = 3
"""Draw this many times larger and then average, which smooths every edge."""


@dataclass(frozen=True)
class Person:
    """The colours of a drawn person. long: long hair."""

    skin: Colour
    hair: Colour
    shirt: Colour
    long: bool


PEOPLE = (
    Person((242, 204, 176), (92, 58, 40), (86, 128, 168), False),
    Person((150, 101, 72), (38, 28, 26), (206, 150, 78), True),
    Person((222, 176, 140), (30, 28, 32), (104, 150, 122), False),
    Person((247, 216, 194), (178, 108, 52), (150, 96, 132), True),
)


def face_keypoints() -> Array:
    """Keypoints (68, 2) float64 of an upright face. The eyes are 1 apart, (0, 0) lies between them, y points down."""
    points = np.zeros((68, 2))
    turn = np.pi / 16 * np.arange(9)
    points[:9] = np.column_stack([-1.2 * np.cos(turn) ** 0.62, 0.04 + 1.8 * np.sin(turn) ** 1.25])
    points[17:22] = [(-0.91, -0.26), (-0.77, -0.35), (-0.6, -0.38), (-0.43, -0.36), (-0.28, -0.31)]
    points[27:31, 1] = [0.02, 0.22, 0.42, 0.6]
    points[31:34] = [(-0.19, 0.71), (-0.1, 0.74), (0, 0.77)]
    points[36:42] = [(-0.7, 0.01), (-0.58, -0.06), (-0.42, -0.06), (-0.3, 0.02), (-0.42, 0.06), (-0.58, 0.06)]
    points[48:52] = [(-0.4, 1.1), (-0.26, 1.03), (-0.09, 0.99), (0, 1.01)]
    points[57:60] = [(0, 1.28), (-0.14, 1.27), (-0.27, 1.2)]
    points[60:63] = [(-0.34, 1.1), (-0.12, 1.08), (0, 1.09)]
    points[66:68] = [(0, 1.15), (-0.12, 1.14)]
    mirrored = points[FLIP_ORDER] * [-1, 1]
    return np.where(points.any(axis=1, keepdims=True), points, mirrored)


def draw_person(
    person: Person, size: tuple[int, int], zoom: float, middle: tuple[float, float]
) -> tuple[AnyArray, Array]:
    """An RGB picture (H, W, 3) of a person, and the face's keypoints (68, 2) float32 in it.

    size: width and height, in pixels. zoom: the distance between the eyes, in pixels. middle: the point (x, y) between
    them.
    """
    canvas = np.full((size[1] * FINER, size[0] * FINER, 3), (233, 236, 240), np.uint8)
    keypoints = face_keypoints()

    def fill(points: AnyArray, colour: Colour) -> None:
        placed = (np.asarray(points) * zoom + middle + 0.5) * FINER - 0.5
        cv2.fillPoly(canvas, [np.rint(placed * 16).astype(np.int32)], colour, cv2.LINE_AA, 4)

    dark, deep = _darker(person.skin, 0.86), _darker(person.skin, 0.7)
    if person.long:
        fill(np.concatenate([_oval(0, -0.35, 1.52, 1.5, 180, 360), [(1.62, 2.4), (-1.62, 2.4)]]), person.hair)
    fill(_rounded([(-2.6, 3.6), (-2.35, 2.65), (-0.9, 2.3), (0.9, 2.3), (2.35, 2.65), (2.6, 3.6)]), person.shirt)
    fill(np.array([(-0.62, 1.2), (0.62, 1.2), (0.66, 2.35), (0, 2.75), (-0.66, 2.35)]), dark)
    for side in (-1, 1):
        fill(_oval(side * 1.24, 0.22, 0.17, 0.34), dark)
    forehead = _oval(0, 0.04, 1.2, 1.62, 0, -180)
    fill(np.concatenate([keypoints[:17], forehead]), person.skin)
    fringe = [(1.27, 0.0), (1.1, -0.55), (0.55, -1.0), (-0.2, -0.92), (-0.95, -0.75), (-1.1, -0.5), (-1.27, 0.0)]
    fill(np.concatenate([_oval(0, -0.02, 1.33, 1.86, 180, 360), fringe]), person.hair)
    for side in (-1, 1):
        _draw_eye(fill, keypoints, side, person)
    fill(_rounded([(-0.2, 0.68), (-0.1, 0.79), (0, 0.81), (0.1, 0.79), (0.2, 0.68), (0, 0.72)]), deep)
    fill(_rounded(keypoints[48:60]), (188, 92, 88))
    fill(_rounded(keypoints[60:68]), (250, 246, 242))
    placed = keypoints * zoom + middle
    return cv2.resize(canvas, size, interpolation=cv2.INTER_AREA), placed.astype(np.float32)


def _draw_eye(fill: Fill, keypoints: Array, side: int, person: Person) -> None:
    """Draw white, iris, pupil and brow of the eye on the picture's left (side -1) or right (side 1)."""
    eye, brow = (keypoints[36:42], keypoints[17:22]) if side < 0 else (keypoints[42:48], keypoints[22:27])
    x, y = eye.mean(axis=0)
    fill(_rounded((eye - [x, y]) * [1.08, 1.5] + [x, y]), (70, 46, 40))
    fill(_rounded((eye - [x, y]) * [1.0, 1.2] + [x, y + 0.015]), (252, 252, 250))
    fill(_oval(x, y, 0.092, 0.092), (76, 92, 92))
    fill(_oval(x, y, 0.045, 0.045), (20, 20, 24))
    fill(_oval(x + 0.03, y - 0.03, 0.02, 0.02), (255, 255, 255))
    fill(_rounded(np.concatenate([brow - [0, 0.035], brow[::-1] + np.array([0, 0.05])])), person.hair)


def _darker(colour: Colour, share: float) -> Colour:
    red, green, blue = (round(share * value) for value in colour)
    return red, green, blue


def _oval(x: float, y: float, across: float, up: float, first: float = 0, last: float = 360) -> Array:
    """Points (72, 2) of an ellipse with half axes `across` and `up`, from angle `first` to `last`, in degrees.

    Angle 0 points right, 90 down.
    """
    angle = np.deg2rad(np.linspace(first, last, 72))
    return np.column_stack([x + across * np.cos(angle), y + up * np.sin(angle)])


def _rounded(points: AnyArray | list[tuple[float, float]], steps: int = 10) -> Array:
    """A closed smooth curve (Catmull-Rom spline) through the points, with `steps` points from each one to the next."""
    b = np.asarray(points, np.float64)
    a, c, d = np.roll(b, 1, axis=0), np.roll(b, -1, axis=0), np.roll(b, -2, axis=0)
    t = np.linspace(0, 1, steps, endpoint=False)[:, None, None]
    curve = b + t / 2 * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * b - a - 3 * c + d)))  # (steps, N, 2)
    return curve.transpose(1, 0, 2).reshape(-1, 2)
