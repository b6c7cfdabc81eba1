"""Which square of an image the network sees: the one geometry that training and detection share.

Pixel centres lie at whole coordinates, as in OpenCV. A face square is (cx, cy, side): the centre and the side of the
square that a face's keypoints fill.
"""

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal, Self

import cv2
import numpy as np

from fkp_app.errors import FkpError
from fkp_app.tables import Within
from numpynet.architectures import MOST_PIXELS
from numpynet.strict_json import is_number, shown
from numpynet.typing import AnyArray, Array

SCALES = (0.1, 20.0)
"""Between what a framing's scale lies. The shipped one is 1.3."""

Square = tuple[float, float, float]


@dataclass(frozen=True)
class Framing:
    """How a crop is cut.

    kind: "face", a square around the face; or "frame", the course project's way in training: the whole picture,
    its shorter side rescaled to size * 250 / 224, of which a square of `size` is cut. size: the crop's side in pixels.
    scale: the crop's side over the face square's; for "frame" what it amounts to, and what detection uses.
    """

    kind: Literal["face", "frame"]
    size: Annotated[int, Within(1, MOST_PIXELS)]
    scale: Annotated[float, Within(*SCALES)]

    def as_dict(self) -> dict[str, Any]:
        """For a weights card."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """From a weights card. FkpError where it says something else."""
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
    """The face square of keypoints (68, 2): the centre of their bounding box, and its longer side."""
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

    angle: degrees by which the picture is turned (clockwise as seen); scale: a crop so much larger, which shows the
    face smaller; shift: of the face, in shares of the crop's side; flip: mirrored left to right.
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
    """The crop (size, size[, C]) that `matrix` cuts from an image; beyond the edge its last pixels are repeated.

    A crop that shrinks the image by more than two is taken from a picture shrunk by area first, or it would alias.
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
        # A small pixel s covers the part's pixels ratio * s .. ratio * (s + 1); their centre is ratio (s + 1/2) - 1/2.
        back = np.column_stack([np.diag(ratio), ratio / 2 - 0.5 + low])
        matrix = np.column_stack([matrix[:, :2] @ back[:, :2], apply(matrix, back[None, :, 2])[0]])
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def apply(matrix: Array, points: Array) -> Array:
    """Points (..., 2) through an affine map (2, 3)."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def invert(matrix: Array) -> Array:
    """The affine map (2, 3) that undoes `matrix`."""
    inverse: Array = cv2.invertAffineTransform(matrix).astype(matrix.dtype, copy=False)
    return inverse


def to_gray(image: AnyArray) -> Array:
    """An RGB or grayscale uint8 image as grayscale float32 (H, W) in 0 .. 1."""
    gray = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return gray.astype(np.float32) / np.float32(255)


def to_input(crop: AnyArray) -> Array:
    """An RGB crop as the network's input (1, S, S) float32."""
    return to_gray(crop)[None]
