"""Overlays that a face wears: pictures with alpha, hung on its keypoints."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from fkp_app.keypoint_layout import RANGES
from fkp_app.keypoints import Face
from numpynet.typing import AnyArray, Array

ASSETS = Path(__file__).parent / "assets"


@dataclass(frozen=True)
class Style:
    """An overlay and where it hangs: the wearer's right and left eye, in pixels of the picture."""

    picture: str
    right_eye: tuple[float, float]
    left_eye: tuple[float, float]


STYLES = {"sunglasses": Style("sunglasses.png", right_eye=(168.0, 112.0), left_eye=(432.0, 112.0))}


def wear(image: AnyArray, faces: Sequence[Face], style: Style) -> AnyArray:
    """A copy of an RGB image on which every face wears the overlay.

    Small faces come first, so that near ones cover far ones. The overlay is turned with the line of the eyes, scaled by
    their distance, and cut off at the image's edge.
    """
    result = np.ascontiguousarray(image).copy()
    for face in sorted(faces, key=lambda face: face.box[2] * face.box[3]):
        overlay(result, load_overlay(style.picture), eye_transform(face.keypoints, style))
    return result


def eye_transform(keypoints: Array, style: Style) -> Array:
    """The similarity (2, 3) float64 that takes the overlay's eyes to the face's (the means of points 36-41, 42-47)."""
    right = keypoints[RANGES["right eye"]].mean(axis=0).astype(np.float64)
    left = keypoints[RANGES["left eye"]].mean(axis=0).astype(np.float64)
    # As complex numbers a turn with a zoom is one factor: left - right = factor (their left - their right).
    there = complex(*(left - right))
    here = complex(style.left_eye[0] - style.right_eye[0], style.left_eye[1] - style.right_eye[1])
    factor = there / here
    linear = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return np.column_stack([linear, right - linear @ np.array(style.right_eye)])


def overlay(image: AnyArray, picture: Array, matrix: Array) -> None:
    """Blend an RGBA picture with premultiplied alpha, float32 in 0 .. 1, into an RGB image through an affine map.

    Only the part of the image under the picture is touched; where alpha is 0 pixels stay bit for bit.
    """
    height, width = image.shape[:2]
    h, w = picture.shape[:2]
    corners = np.array([[-1, -1], [w, -1], [-1, h], [w, h]]) @ matrix[:, :2].T + matrix[:, 2]
    if not np.isfinite(corners).all():
        return
    left, top = np.clip(np.floor(corners.min(axis=0)), 0, [width, height]).astype(np.int64)
    right, bottom = np.clip(np.ceil(corners.max(axis=0)) + 1, 0, [width, height]).astype(np.int64)
    if left >= right or top >= bottom:
        return
    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if zoom < 0.5:  # shrunk by area first, or thin lines of the picture would be lost between pixels
        small = (max(1, round(w * 2 * zoom)), max(1, round(h * 2 * zoom)))
        picture = cv2.resize(picture, small, interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)
        ratio = np.array([w / small[0], h / small[1]])
        middle = matrix[:, :2] @ ((ratio - 1) / 2) + matrix[:, 2]
        matrix = np.column_stack([matrix[:, :2] * ratio, middle])
    moved = matrix - np.array([[0, 0, left], [0, 0, top]])
    size = (int(right - left), int(bottom - top))
    layer = cv2.warpAffine(picture, moved, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    below = image[top:bottom, left:right]
    alpha = layer[:, :, 3:]
    blended = np.rint(255 * layer[:, :, :3] + (1 - alpha) * below)
    below[...] = np.where(alpha > 0, np.clip(blended, 0, 255), below).astype(np.uint8)


@cache
def load_overlay(name: str) -> Array:
    """A picture of the assets as RGBA float32 (H, W, 4) in 0 .. 1, colours multiplied by alpha."""
    with Image.open(ASSETS / name) as picture:
        rgba = np.asarray(picture.convert("RGBA"), np.float32) / 255
    rgba[:, :, :3] *= rgba[:, :, 3:]
    rgba.setflags(write=False)
    return rgba
