"""How far predicted keypoints are from the labelled ones."""

import numpy as np

from fkp_app.keypoint_layout import OUTER_EYES
from numpynet.typing import Array


def nme(predicted: Array, truth: Array) -> Array:
    """Normalised mean error of each face, in percent: (F,) for keypoints (F, 68, 2) in any one unit of length.

    The mean distance between the predicted and the true points, over the true distance of the outer eye corners
    (points 36 and 45): the "inter-ocular" NME of the 300-W challenge (Sagonas et al. 2013). ValueError where the
    shapes differ.
    """
    if predicted.shape != truth.shape or truth.ndim != 3:
        raise ValueError(f"nme: both must have shape (F, 68, 2), got {predicted.shape} and {truth.shape}")
    right, left = OUTER_EYES
    interocular = np.linalg.norm(truth[:, right] - truth[:, left], axis=1)  # (F,)
    errors = np.linalg.norm(predicted - truth, axis=2)  # (F, 68)
    return 100 * errors.mean(axis=1) / interocular
