"""Boxes, points and numbers drawn on a copy of an image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from fkp_app.faces.keypoints import Face
from numpynet.typing import AnyArray, Array

Draw = Callable[[AnyArray, Sequence[Face]], AnyArray]
"""Draws faces on a copy of an RGB image."""


@dataclass(frozen=True)
class Look:
    """One way to draw faces, and its name."""

    name: str
    draw: Draw


BOX_COLOUR = (255, 64, 64)
POINT_COLOUR = (64, 255, 96)
EDGE_COLOUR = (0, 0, 0)
SHIFT = 4  # OpenCV draws at coordinates of 1 / 2^SHIFT pixel
SMOOTHING = 0.63  # by so many pixels LINE_AA grows a filled polygon
FONT = cv2.FONT_HERSHEY_SIMPLEX
FONT_HEIGHT = 22  # in pixels, at scale 1
CIRCLE = np.column_stack([trig(np.linspace(0, 2 * np.pi, 24, endpoint=False)) for trig in (np.cos, np.sin)])

READABLE, LONGEST = 600, 4096
"""How wide the largest face is made for numbers to be read, and how long the picture may get for it, in pixels."""
LEFT_NUMBERS = (48, 64)
"""Whose numbers stand to the left, since at the mouth's corners two points nearly coincide."""


def draw_faces(image: AnyArray, faces: Sequence[Face], numbers: bool = False) -> AnyArray:
    """A copy of an RGB image with each face's box and 68 points; marks grow with the face.

    numbers: with each point's number, which can be read where a face is some 600 pixels wide.
    """
    canvas = np.ascontiguousarray(image).copy()
    for face in faces:
        draw_marks(canvas, face, numbers=numbers)
    return canvas


def draw_marks(canvas: AnyArray, face: Face, boxes: bool = True, points: bool = True, numbers: bool = False) -> None:
    """What is wished for of a face, onto `canvas`."""
    if boxes:
        draw_box(canvas, face)
    if points:
        draw_points(canvas, face.keypoints, radius=max(0.8, face.box[2] / 110))
    if numbers:
        draw_numbers(canvas, face.keypoints, size=max(7.0, face.box[2] / 45))


def draw_numbered(image: AnyArray, faces: Sequence[Face]) -> AnyArray:
    """An RGB image with boxes, points and their numbers, so many times enlarged that these can be read."""
    longest, widest = max(image.shape[:2]), max((face.box[2] for face in faces), default=READABLE)
    zoom = max(1, min(-(-READABLE // widest), LONGEST // longest))
    large = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC) if zoom > 1 else image
    # The middle of a pixel lies at a whole number, so what was at x is at zoom (x + 1/2) - 1/2.
    moved = [
        replace(face, box=tuple(zoom * side for side in face.box), keypoints=zoom * (face.keypoints + 0.5) - 0.5)
        for face in faces
    ]
    return draw_faces(large, moved, numbers=True)


def draw_box(canvas: AnyArray, face: Face) -> None:
    """The detector's box and, in its upper left corner, how sure the face is, onto `canvas`."""
    x, y, w, h = face.box
    thickness = max(1, round(w / 100))
    cv2.rectangle(canvas, (x, y), (x + w - 1, y + h - 1), BOX_COLOUR, thickness, cv2.LINE_AA)
    if face.confidence is not None:
        size = max(8.0, w / 16)
        _letters(canvas, f"{face.confidence:.2f}", (round(x + size / 2), round(y + 3 * size / 2)), size)


def draw_points(canvas: AnyArray, keypoints: Array, radius: float) -> None:
    """Points (68, 2), onto `canvas`: bright, with a dark rim where there is room, to be seen on any skin."""
    for point in keypoints:
        if radius >= 1.5:
            _dot(canvas, point, radius + max(0.5, radius / 3), EDGE_COLOUR)
        _dot(canvas, point, radius, POINT_COLOUR)


def draw_numbers(canvas: AnyArray, keypoints: Array, size: float) -> None:
    """Each point's number, 0 to 67, beside it, in letters about `size` pixels high, onto `canvas`."""
    for number, (x, y) in enumerate(keypoints):
        aside = size / 4
        if number in LEFT_NUMBERS:
            aside = -aside - cv2.getTextSize(str(number), FONT, size / FONT_HEIGHT, 1)[0][0]
        _letters(canvas, str(number), (round(float(x) + aside), round(float(y) - size / 4)), size)


def _letters(canvas: AnyArray, text: str, at: tuple[int, int], size: float) -> None:
    """White letters with a dark rim, about `size` pixels high, that begin at their lower left corner `at`."""
    for colour, width in ((EDGE_COLOUR, 3), ((255, 255, 255), 1)):
        cv2.putText(canvas, text, at, FONT, size / FONT_HEIGHT, colour, width, cv2.LINE_AA)


def _dot(canvas: AnyArray, point: Array, radius: float, colour: tuple[int, int, int]) -> None:
    if not np.abs(point).max() < 1e6:  # beyond what the fixed-point coordinates can hold, and far outside any image
        return
    # A polygon of our own: OpenCV draws a circle of a few pixels as a diamond.
    corners = (point + max(0.1, radius - SMOOTHING) * CIRCLE) * (1 << SHIFT)
    cv2.fillConvexPoly(canvas, np.rint(corners).astype(np.int32), colour, cv2.LINE_AA, SHIFT)
