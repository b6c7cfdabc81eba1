"""The shape of a video's pictures: every one as the first, with square pixels."""

import cv2
import numpy as np

from fkp_app.media.video.codecs import MAX_SIDE
from numpynet.typing import AnyArray

WIDEST_PIXEL = 10.0
"""No camera and no disc has pixels so many times as wide as high, or as high as wide."""


def is_shape(aspect: float, width: int, height: int) -> bool:
    """Whether pixels so many times as wide as high are believed, and make no picture larger than what is read."""
    return 1 / WIDEST_PIXEL <= aspect <= WIDEST_PIXEL and width * aspect <= MAX_SIDE and height <= MAX_SIDE


def square_pixels(image: AnyArray, aspect: float) -> AnyArray:
    """The image as a player shows it, where a pixel is `aspect` times as wide as high."""
    if abs(aspect - 1) < 0.01:
        return image
    height, width = image.shape[:2]
    return cv2.resize(image, (max(1, round(width * aspect)), height), interpolation=cv2.INTER_AREA)


def letterboxed(image: AnyArray, width: int, height: int, aspect: float = 1.0) -> AnyArray:
    """The whole image, not distorted, in the middle of a black one of another size; aspect: as above, of its pixels."""
    shown = image.shape[1] * aspect
    scale = min(width / shown, height / image.shape[0])
    w, h = max(1, round(shown * scale)), max(1, round(image.shape[0] * scale))
    canvas = np.zeros((height, width, 3), np.uint8)
    left, top = (width - w) // 2, (height - h) // 2
    canvas[top : top + h, left : left + w] = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA)
    return canvas
