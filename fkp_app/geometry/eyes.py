"""The line through the outer eye corners: its length is the unit of errors, its angle the roll of a head."""

import numpy as np

from fkp_app.geometry.keypoint_layout import OUTER_EYES
from numpynet.typing import Array


def interocular(keypoints: Array) -> Array:
    """The distance between the outer eye corners (F,) of faces (F, 68, 2), in the unit of the keypoints."""
    right, left = OUTER_EYES
    return np.linalg.norm(keypoints[:, right] - keypoints[:, left], axis=1)


def roll(keypoints: Array) -> Array:
    """The angle (F,) between the line through the outer eye corners and the horizontal: 0 .. 180 degrees."""
    right, left = OUTER_EYES
    line = keypoints[:, left] - keypoints[:, right]  # (F, 2)
    return np.abs(np.degrees(np.arctan2(line[:, 1], line[:, 0])))
