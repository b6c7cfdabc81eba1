"""Brings all pictures of a video to the size of the first, with square pixels."""

import cv2
import numpy as np

from fkp_app.media.video.codecs import MAX_SIDE
from numpynet.typing import AnyArray

WIDEST_PIXEL = 10.0
"""Largest ratio of a pixel's sides that is believed; no camera and no disc has such pixels."""


def is_shape(aspect: float, width: int, height: int) -> bool:
    """Whether pixels `aspect` times as wide as high are believed, and give no picture larger than MAX_SIDE."""
    return 1 / WIDEST_PIXEL <= aspect <= WIDEST_PIXEL and width * aspect <= MAX_SIDE and height <= MAX_SIDE


def square_pixels(image: AnyArray, aspect: float) -> AnyArray:
    """The image as a player shows it if its pixels are `aspect` times as wide as high."""
    if abs(aspect - 1) < 0.01:
        return image
    height, width = image.shape[:2]
    return cv2.resize(image, (max(1, round(width * aspect)), height), interpolation=cv2.INTER_AREA)


def letterboxed(image: AnyArray, width: int, height: int, aspect: float = 1.0) -> AnyArray:
    """The whole image, not distorted, centred in a black one (height, width, 3). aspect: its pixels' width / height."""
    shown = image.shape[1] * aspect
    scale = min(width / shown, height / image.shape[0])
    w, h = max(1, round(shown * scale)), max(1, round(image.shape[0] * scale))
    canvas = np.zeros((height, width, 3), np.uint8)
    left, top = (width - w) // 2, (height - h) // 2
    canvas[top : top + h, left : left + w] = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA)
    return canvas
