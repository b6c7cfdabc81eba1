"""The square of an image that the network sees. Training and detection share this geometry.

Pixel centres lie at whole coordinates, as in OpenCV. A face square is (cx, cy, side), in pixels: the centre and side
of the square around a face's keypoints.
"""

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal, Self

import cv2
import numpy as np

from fkp_app.errors import FkpError
from fkp_app.geometry.keypoint_layout import eye_angle
from fkp_app.tables import Within
from numpynet.architectures import MOST_PIXELS
from numpynet.strict_json import is_number, shown
from numpynet.typing import AnyArray, Array

SCALES = (0.1, 20.0)
"""The least and the greatest scale of a framing. The shipped weights have 1.3."""
MOST_GROWTH = 3.0
"""If the keypoints' square grows or shrinks by more than this factor, `upright` keeps the previous square."""

Square = tuple[float, float, float]
"""cx, cy and side, in pixels of the image."""


@dataclass(frozen=True)
class Framing:
    """How a crop is cut.

    kind: "face" cuts a square around the face. "frame" is how the course project trains: it rescales the shorter side
    of the whole picture to size * 250 / 224 and cuts a square of `size` from it. size: the crop's side in pixels.
    scale: the crop's side over the face square's side; for "frame" the typical ratio, which detection uses.
    """

    kind: Literal["face", "frame"]
    size: Annotated[int, Within(1, MOST_PIXELS)]
    scale: Annotated[float, Within(*SCALES)]

    def as_dict(self) -> dict[str, Any]:
        """The fields, for a weights card."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """The framing on a weights card. FkpError if the fields describe none."""
        kind, size, scale = (fields.get(name) for name in ("kind", "size", "scale"))
        if not (isinstance(size, int) and is_number(size, 1, MOST_PIXELS)):
            reason = f"size must be a whole number from 1 to {MOST_PIXELS}"
        elif not isinstance(scale, int | float) or not is_number(scale, *SCALES):
            reason = f"scale must be a number from {SCALES[0]:g} to {SCALES[1]:g}"
        elif kind not in ("face", "frame"):
            raise FkpError(f"weights: framing {shown(fields)} is not one this program knows; update it")
        else:
            return cls(kind, size, float(scale))
        raise FkpError(f"weights: framing {shown(fields)} is damaged ({reason}); get the file again")


def face_square(keypoints: Array) -> Square:
    """The face square of keypoints (68, 2): the centre and the longer side of their bounding box."""
    low, high = keypoints.min(axis=0), keypoints.max(axis=0)
    centre = (low + high) / 2
    return float(centre[0]), float(centre[1]), float(max(*(high - low), 1e-6))


def crop_matrix(
    square: Square,
    framing: Framing,
    angle: float = 0.0,
    scale: float = 1.0,
    shift: tuple[float, float] = (0.0, 0.0),
    flip: bool = False,
) -> Array:
    """The affine map (2, 3) float64 from image to crop.

    angle: turn the picture by this many degrees, clockwise as seen. scale: enlarge the cut square by this factor, so
    that the face appears smaller. shift: move the face right and down by these shares of the crop's side. flip: mirror
    left to right, after the turn.
    """
    cx, cy, side = square
    zoom = framing.size / (side * framing.scale * scale)
    turn = np.deg2rad(angle)
    linear = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    if flip:
        linear[0] *= -1
    middle = (framing.size - 1) / 2 + framing.size * np.asarray(shift)
    return np.column_stack([linear, middle - linear @ [cx, cy]])


def warp(image: AnyArray, matrix: Array, size: int) -> AnyArray:
    """The crop (size, size[, C]) that `matrix` (2, 3) cuts from an image. Beyond the edge the last pixels repeat.

    If the crop shrinks the image by more than two, the image is first shrunk by area, which avoids aliasing.
    """
    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    factor = 2 ** int(np.floor(np.log2(0.5 / zoom)) + 1) if zoom < 0.5 else 1
    if factor > 1:
        corners = apply(invert(matrix), np.array([[0, 0], [size, 0], [0, size], [size, size]], np.float64))
        limit = np.array([image.shape[1], image.shape[0]])
        low = np.clip(np.floor(corners.min(axis=0)) - 2 * factor, 0, limit - 1).astype(int)
        high = np.clip(np.ceil(corners.max(axis=0)) + 2 * factor, low + 1, limit).astype(int)
        part = image[low[1] : high[1], low[0] : high[0]]
        new = (max(1, part.shape[1] // factor), max(1, part.shape[0] // factor))
        ratio = np.array([part.shape[1] / new[0], part.shape[0] / new[1]])
        image = cv2.resize(part, new, interpolation=cv2.INTER_AREA)
        # Pixel s of the small picture covers the part from ratio * s to ratio * (s + 1): centre ratio (s + 1/2) - 1/2.
        back = np.column_stack([np.diag(ratio), ratio / 2 - 0.5 + low])
        matrix = np.column_stack([matrix[:, :2] @ back[:, :2], apply(matrix, back[None, :, 2])[0]])
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def upright(keypoints: Array, before: Square) -> tuple[Square, float]:
    """The face square of keypoints (68, 2) after a turn that levels the eyes, and the angle of that turn in degrees.

    Returns `before` and 0 if the points are not finite or their square is more than MOST_GROWTH times larger or
    smaller than `before`: such points are no face.
    """
    angle = -float(eye_angle(keypoints))
    middle = keypoints.mean(axis=0)
    turn = crop_matrix((float(middle[0]), float(middle[1]), 1.0), Framing("face", 1, 1.0), angle)
    cx, cy, side = face_square(apply(turn, keypoints))
    if not 1 / MOST_GROWTH < side / before[2] < MOST_GROWTH:
        return before, 0.0
    x, y = apply(invert(turn), np.array([cx, cy]))
    return (float(x), float(y), side), angle


def apply(matrix: Array, points: Array) -> Array:
    """Map points (..., 2) by an affine map (2, 3)."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def invert(matrix: Array) -> Array:
    """The affine map (2, 3) that undoes `matrix`."""
    inverse: Array = cv2.invertAffineTransform(matrix).astype(matrix.dtype, copy=False)
    return inverse


def to_gray(image: AnyArray) -> Array:
    """An RGB (H, W, 3) or grayscale (H, W) uint8 image as grayscale float32 (H, W) in 0 .. 1."""
    gray = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return gray.astype(np.float32) / np.float32(255)


def to_input(crop: AnyArray) -> Array:
    """An RGB crop as the network's input (1, S, S) float32."""
    return to_gray(crop)[None]
