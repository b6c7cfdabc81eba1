"""The 68-point layout of the iBUG 300-W annotation (Sagonas et al. 2013): names, mirror images and the eye line.

"Right" and "left" are the person's own: the right eye is on the picture's left.
"""

import numpy as np

from numpynet.typing import Array

RANGES = {
    "jaw": range(0, 17),
    "right brow": range(17, 22),
    "left brow": range(22, 27),
    "nose": range(27, 36),
    "right eye": range(36, 42),
    "left eye": range(42, 48),
    "mouth": range(48, 68),
}

OUTER_EYES = (36, 45)
"""The outer corners of the right and the left eye. Their distance is the unit of NME."""

_PAIRS = [
    *((i, 16 - i) for i in range(8)),  # jaw; 8 is the chin
    *((17 + i, 26 - i) for i in range(5)),  # brows
    *((31, 35), (32, 34)),  # nostrils; 27 to 30 and 33 lie on the middle line
    *((36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)),  # eyes
    *((48, 54), (49, 53), (50, 52), (55, 59), (56, 58)),  # outer lips
    *((60, 64), (61, 63), (65, 67)),  # inner lips
]


def _flip_order() -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    order = np.arange(68)
    for one, other in _PAIRS:
        order[one], order[other] = other, one
    return order


FLIP_ORDER = _flip_order()
"""Point i of a mirrored face is the mirror image of point FLIP_ORDER[i] of the face."""


def interocular(keypoints: Array) -> Array:
    """The distance (...) of the outer eye corners of faces (..., 68, 2), in the unit of the keypoints."""
    return np.linalg.norm(_eye_line(keypoints), axis=-1)


def eye_angle(keypoints: Array) -> Array:
    """The angle (...) of the line through the outer eye corners of faces (..., 68, 2), in degrees: -180 .. 180.

    0 is level; positive is clockwise as seen, because y points down.
    """
    line = _eye_line(keypoints)
    angle: Array = np.degrees(np.arctan2(line[..., 1], line[..., 0]))
    return angle


def _eye_line(keypoints: Array) -> Array:
    """From the outer corner of the right eye to that of the left eye (..., 2)."""
    right, left = OUTER_EYES
    line: Array = keypoints[..., left, :] - keypoints[..., right, :]
    return line
