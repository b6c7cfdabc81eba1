"""Faces with their keypoints, in coordinates of the image."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fkp_app.backends import Predictor
from fkp_app.detector import Box, square_from_box
from fkp_app.framing import Framing, apply, crop_matrix, invert, to_input, warp
from numpynet.typing import AnyArray, Array


@dataclass(frozen=True)
class Face:
    """box: x, y, width, height of the detector's box; confidence: None until there is one; keypoints: (68, 2) float32.

    All in pixels of the image as displayed.
    """

    box: Box
    confidence: float | None
    keypoints: Array


class Detector(Protocol):
    """Anything that finds boxes, such as `detector.FaceDetector`."""

    def detect(self, image: AnyArray) -> list[Box]: ...


def find_faces(image: AnyArray, detector: Detector, predictor: Predictor) -> list[Face]:
    """Every face in an RGB image (H, W, 3), the largest first, all predicted in one batch."""
    boxes = detector.detect(image)
    return [Face(box, None, points) for box, points in zip(boxes, find_keypoints(image, boxes, predictor), strict=True)]


def find_keypoints(image: AnyArray, boxes: list[Box], predictor: Predictor) -> Array:
    """Keypoints (F, 68, 2) float32, in pixels of the image, of the faces in these boxes."""
    if not boxes:
        return np.empty((0, 68, 2), np.float32)
    framing = Framing.from_dict(predictor.card.framing)
    matrices = [crop_matrix(square_from_box(box), framing) for box in boxes]
    crops = np.stack([to_input(warp(image, matrix, framing.size)) for matrix in matrices])  # (F, 1, S, S)
    in_crops = predictor.keypoints(crops).astype(np.float64)
    points = [apply(invert(matrix), face) for matrix, face in zip(matrices, in_crops, strict=True)]
    return np.stack(points).astype(np.float32)
