"""Faces in an image, by the Haar cascade that OpenCV ships (Viola and Jones 2001)."""

from pathlib import Path

import cv2

from fkp_app.errors import FkpError
from fkp_app.framing import Square
from numpynet.typing import AnyArray

Box = tuple[int, int, int, int]
"""x, y, width and height, in pixels of the image."""

CASCADE = "haarcascade_frontalface_default.xml"
SCALE_FACTOR = 1.1
MIN_NEIGHBORS = 5
LONGEST_SIDE = 1280
"""Larger images are shrunk to this before the search, which bounds its time."""
MIN_SHARE = 0.05
"""A face's least size, as a share of the image's shorter side."""
MIN_SIZE = 24
"""... and never below the cascade's own window, in pixels of the searched image."""

# The face square of the labels relative to the Haar box: offset of the centre and length, in units of the box's side.
# Medians over the training split; `python -m benchmarks haar-calibration --data DIR` measures them.
CENTRE_X, CENTRE_Y, SIDE = 0.009, 0.165, 0.876


class FaceDetector:
    """The cascade, loaded. FkpError where this OpenCV lacks it. Use one detector a thread."""

    def __init__(self) -> None:
        data = getattr(getattr(cv2, "data", None), "haarcascades", None)
        if data is None or not hasattr(cv2, "CascadeClassifier"):
            raise FkpError("this OpenCV has no Haar cascades: pip install 'opencv-python>=4.10,<5'")
        path = Path(data) / CASCADE
        self._cascade = cv2.CascadeClassifier(str(path))
        if self._cascade.empty():
            raise FkpError(f"{path}: cannot be loaded as a cascade; install opencv-python again")

    def detect(self, image: AnyArray) -> list[Box]:
        """Boxes of the faces in an RGB image, the largest first; none where there is none."""
        height, width = image.shape[:2]
        shrink = max(1.0, max(height, width) / LONGEST_SIDE)
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        if shrink > 1:
            size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
            gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
        least = max(MIN_SIZE, round(MIN_SHARE * min(gray.shape)))
        if min(gray.shape) < least:
            return []
        found = self._cascade.detectMultiScale(gray, SCALE_FACTOR, MIN_NEIGHBORS, minSize=(least, least))
        boxes = [_into(width, height, *(round(float(number) * shrink) for number in box)) for box in found]
        return sorted(boxes, key=lambda box: (-box[2] * box[3], box))


def square_from_box(box: Box) -> Square:
    """The face square (see framing) that the labels of a face with this Haar box would most likely have."""
    x, y, width, height = box
    side = (width + height) / 2
    return x + (width - 1) / 2 + CENTRE_X * side, y + (height - 1) / 2 + CENTRE_Y * side, SIDE * side


def _into(width: int, height: int, x: int, y: int, w: int, h: int) -> Box:
    """The part of a box that lies in the image; scaling back may round a pixel beyond."""
    x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
    return x, y, min(w, width - x), min(h, height - y)
