"""What a network is shown of a labelled frame when it is evaluated."""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from fkp_app.data.crops import course_rescale
from fkp_app.data.transforms import CenterCrop, Compose, Rescale
from fkp_app.geometry.framing import Framing, apply, crop_matrix, face_square, to_input, warp
from numpynet.typing import AnyArray, Array


class View(NamedTuple):
    """What a network is shown of a face: the crop (1, S, S), the map (2, 3) from frame to crop, the points (68, 2) that
    the (perhaps rotated) frame has by its labels."""

    crop: Array
    matrix: Array
    truth: Array


Viewer = Callable[[AnyArray, Array, Framing], View]


def face_view(image: AnyArray, keypoints: Array, framing: Framing, angle: float = 0.0) -> View:
    """The face, framed by its labels as the application frames it by a box; first rotated about its centre."""
    turn, truth = turned(keypoints, angle)
    matrix = crop_matrix(face_square(truth), framing)
    both = np.column_stack([matrix[:, :2] @ turn[:, :2], apply(matrix, turn[:, 2])])
    return View(to_input(warp(image, both, framing.size)), matrix, truth)


def course_view(image: AnyArray, keypoints: Array, framing: Framing) -> View:
    """The course project's window, as large as the network wants it: of a frame whose shorter side is 250, the 224 in
    the middle."""
    transform = Compose([Rescale(course_rescale(framing)), CenterCrop(framing.size)])
    corners = np.array([[0, 0], [1000, 0], [0, 1000]], np.float32)  # seen moved, they tell the map
    shown = transform({"image": image, "keypoints": corners})
    origin, right, down = shown["keypoints"].astype(np.float64)
    matrix = np.column_stack([(right - origin) / 1000, (down - origin) / 1000, origin])
    return View(to_input(shown["image"]), matrix, keypoints.astype(np.float64))


def rotated_frame(image: AnyArray, keypoints: Array, angle: float) -> tuple[AnyArray, Array]:
    """The whole frame and its points rotated by `angle` about the face's centre; beyond the edge its last pixels."""
    turn, truth = turned(keypoints, angle)
    size = (image.shape[1], image.shape[0])
    return cv2.warpAffine(image, turn, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), truth


def turned(keypoints: Array, angle: float) -> tuple[Array, Array]:
    """The map (2, 3) that rotates about the face's centre, clockwise as seen, and the points (68, 2) after it."""
    cx, cy, _ = face_square(keypoints)
    turn: Array = cv2.getRotationMatrix2D((cx, cy), -angle, 1.0).astype(np.float64)  # OpenCV's run counter-clockwise
    return turn, apply(turn, keypoints.astype(np.float64))
