"""Boxes, points and numbers drawn on a copy of an image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from fkp_app.faces.keypoints import Face
from numpynet.typing import AnyArray, Array

Draw = Callable[[AnyArray, Sequence[Face]], AnyArray]
"""A function that draws faces on a copy of an RGB image."""


@dataclass(frozen=True)
class Look:
    """A named way to draw faces."""

    name: str
    draw: Draw


BOX_COLOUR = (255, 64, 64)
POINT_COLOUR = (64, 255, 96)
EDGE_COLOUR = (0, 0, 0)
SHIFT = 4  # OpenCV draws at coordinates of 1 / 2^SHIFT pixel
SMOOTHING = 0.63  # pixels by which LINE_AA enlarges a filled polygon
FONT = cv2.FONT_HERSHEY_SIMPLEX
FONT_HEIGHT = 22  # in pixels, at scale 1
CIRCLE = np.column_stack([trig(np.linspace(0, 2 * np.pi, 24, endpoint=False)) for trig in (np.cos, np.sin)])

READABLE, LONGEST = 600, 4096
"""Width of the largest face at which numbers are readable, and limit of the picture's longer side, in pixels."""
LEFT_NUMBERS = (48, 64)
"""Points whose number stands to their left: at each corner of the mouth two points nearly coincide."""


def draw_faces(image: AnyArray, faces: Sequence[Face], numbers: bool = False) -> AnyArray:
    """A copy of an RGB image with the box and the 68 points of each face; marks grow with the face.

    numbers: also draw each point's number, which is readable on a face at least 600 pixels wide.
    """
    canvas = np.ascontiguousarray(image).copy()
    for face in faces:
        draw_marks(canvas, face, numbers=numbers)
    return canvas


def draw_marks(canvas: AnyArray, face: Face, boxes: bool = True, points: bool = True, numbers: bool = False) -> None:
    """Draw the requested marks of one face onto `canvas`."""
    if boxes:
        draw_box(canvas, face)
    if points:
        draw_points(canvas, face.keypoints, radius=max(0.8, face.box[2] / 110))
    if numbers:
        draw_numbers(canvas, face.keypoints, size=max(7.0, face.box[2] / 45))


def draw_numbered(image: AnyArray, faces: Sequence[Face]) -> AnyArray:
    """A copy of an RGB image with boxes, points and numbers, enlarged by a whole factor until numbers are readable."""
    longest, widest = max(image.shape[:2]), max((face.box[2] for face in faces), default=READABLE)
    zoom = max(1, min(-(-READABLE // widest), LONGEST // longest))
    large = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC) if zoom > 1 else image
    # Pixel centres lie at whole numbers, so x becomes zoom (x + 1/2) - 1/2.
    moved = [
        replace(face, box=tuple(zoom * side for side in face.box), keypoints=zoom * (face.keypoints + 0.5) - 0.5)
        for face in faces
    ]
    return draw_faces(large, moved, numbers=True)


def draw_box(canvas: AnyArray, face: Face) -> None:
    """Draw the detector's box and, in its upper left corner, the confidence onto `canvas`."""
    x, y, w, h = face.box
    thickness = max(1, round(w / 100))
    cv2.rectangle(canvas, (x, y), (x + w - 1, y + h - 1), BOX_COLOUR, thickness, cv2.LINE_AA)
    if face.confidence is not None:
        size = max(8.0, w / 16)
        _letters(canvas, f"{face.confidence:.2f}", (round(x + size / 2), round(y + 3 * size / 2)), size)


def draw_points(canvas: AnyArray, keypoints: Array, radius: float) -> None:
    """Draw points (68, 2) onto `canvas`: bright, and with a dark rim if large enough, to be visible on any skin."""
    for point in keypoints:
        if radius >= 1.5:
            _dot(canvas, point, radius + max(0.5, radius / 3), EDGE_COLOUR)
        _dot(canvas, point, radius, POINT_COLOUR)


def draw_numbers(canvas: AnyArray, keypoints: Array, size: float) -> None:
    """Draw each point's number, 0 to 67, beside it onto `canvas`, about `size` pixels high."""
    for number, (x, y) in enumerate(keypoints):
        aside = size / 4
        if number in LEFT_NUMBERS:
            aside = -aside - cv2.getTextSize(str(number), FONT, size / FONT_HEIGHT, 1)[0][0]
        _letters(canvas, str(number), (round(float(x) + aside), round(float(y) - size / 4)), size)


def _letters(canvas: AnyArray, text: str, at: tuple[int, int], size: float) -> None:
    """Draw white letters with a dark rim, about `size` pixels high. at: their lower left corner."""
    for colour, width in ((EDGE_COLOUR, 3), ((255, 255, 255), 1)):
        cv2.putText(canvas, text, at, FONT, size / FONT_HEIGHT, colour, width, cv2.LINE_AA)


def _dot(canvas: AnyArray, point: Array, radius: float, colour: tuple[int, int, int]) -> None:
    if not np.abs(point).max() < 1e6:  # the fixed-point coordinates would overflow, far outside any image
        return
    # Draw a polygon: OpenCV draws a circle of a few pixels as a diamond.
    corners = (point + max(0.1, radius - SMOOTHING) * CIRCLE) * (1 << SHIFT)
    cv2.fillConvexPoly(canvas, np.rint(corners).astype(np.int32), colour, cv2.LINE_AA, SHIFT)
