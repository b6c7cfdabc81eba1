"""The crops of a labelled frame that a network sees in an evaluation."""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from fkp_app.data.crops import course_rescale
from fkp_app.data.transforms import CenterCrop, Compose, Rescale
from fkp_app.geometry.framing import Framing, apply, crop_matrix, face_square, to_input, warp
from numpynet.typing import AnyArray, Array


class View(NamedTuple):
    """A face as a network sees it.

    crop: (1, S, S). matrix: the map (2, 3) from the frame to the crop. truth: the labelled points (68, 2), in pixels of
    the frame. If the frame was rotated, both refer to the rotated frame.
    """

    crop: Array
    matrix: Array
    truth: Array


Viewer = Callable[[AnyArray, Array, Framing], View]
"""From a frame, its labelled points (68, 2) and the framing to the view."""


def face_view(image: AnyArray, keypoints: Array, framing: Framing, angle: float = 0.0) -> View:
    """The labelled face, framed as the application frames a found face. angle: first rotate it about its centre."""
    turn, truth = rotate_keypoints(keypoints, angle)
    matrix = crop_matrix(face_square(truth), framing)
    both = np.column_stack([matrix[:, :2] @ turn[:, :2], apply(matrix, turn[:, 2])])
    return View(to_input(warp(image, both, framing.size)), matrix, truth)


def course_view(image: AnyArray, keypoints: Array, framing: Framing) -> View:
    """The course project's window: of a frame whose shorter side is 250 pixels, the 224 x 224 in the middle.

    Both sizes are scaled to the crop size of the network.
    """
    transform = Compose([Rescale(course_rescale(framing)), CenterCrop(framing.size)])
    corners = np.array([[0, 0], [1000, 0], [0, 1000]], np.float32)  # their new places determine the map
    shown = transform({"image": image, "keypoints": corners})
    origin, right, down = shown["keypoints"].astype(np.float64)
    matrix = np.column_stack([(right - origin) / 1000, (down - origin) / 1000, origin])
    return View(to_input(shown["image"]), matrix, keypoints.astype(np.float64))


def rotated_frame(image: AnyArray, keypoints: Array, angle: float) -> tuple[AnyArray, Array]:
    """The whole frame and its points, rotated about the face by `angle` degrees. The frame's last pixels repeat."""
    turn, truth = rotate_keypoints(keypoints, angle)
    size = (image.shape[1], image.shape[0])
    return cv2.warpAffine(image, turn, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), truth


def rotate_keypoints(keypoints: Array, angle: float) -> tuple[Array, Array]:
    """The map (2, 3) that rotates about the face's centre, clockwise as seen, and the points (68, 2) rotated by it."""
    cx, cy, _ = face_square(keypoints)
    turn: Array = cv2.getRotationMatrix2D((cx, cy), -angle, 1.0).astype(np.float64)  # OpenCV turns counter-clockwise
    return turn, apply(turn, keypoints.astype(np.float64))
