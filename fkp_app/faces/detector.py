"""Faces in an image, by the Haar cascades that OpenCV ships (Viola and Jones 2001; Lienhart and Maydt 2002).

A cascade passes many windows around a face and few around anything else, so what OpenCV calls minNeighbors, a
threshold on their number, decides between missed and false faces. Here every group of windows is kept, with how well
it did: `FaceDetector.candidates` gives them all to `keypoints.find_faces`, which judges them together with what the
network makes of them; `FaceDetector.detect` judges by the cascades alone.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fkp_app.errors import FkpError
from fkp_app.geometry.boxes import Box, distinct, group, into, turned
from fkp_app.geometry.framing import Square, apply, invert
from numpynet.typing import AnyArray, Array

# `python -m benchmarks haar-search --data DIR` shows what each of these choices costs and brings.
CASCADE = "haarcascade_frontalface_alt2.xml"
SECOND_CASCADE = "haarcascade_frontalface_default.xml"
SCALE_FACTOR = 1.1
LONGEST_SIDE = 1280
"""Larger images are shrunk to this before the search, which bounds its time."""
MIN_SHARE = 0.05
"""A face's least size, as a share of the image's shorter side."""
MIN_SIZE = 30
"""... and never below this, in pixels of the searched image."""
PASS_MARK = 53.7556
"""What a window must reach in the cascade's last stage (its stageThreshold)."""
PASSED = 0.1
"""What a window counts that has just reached it."""
HOPELESS = 1.0
"""Candidates whose log weight and log(1 + seconded) together are below this are dropped at once."""
SURE = 3.5
"""The weight from which `detect` takes a candidate for a face."""

# The face square of the labels relative to the Haar box: offset of the centre and length, in units of the box's side.
# Medians over the training split; `python -m benchmarks haar-calibration --data DIR` measures them.
CENTRE_X, CENTRE_Y, SIDE = 0.000, 0.170, 0.903


@dataclass(frozen=True)
class Candidate:
    """What may be a face. box: in the image; square: where its face square would be; angle: degrees by which the image
    was turned, clockwise as seen, when it was found. weight: by how much the windows passed, in all; seconded: how many
    windows of the second cascade passed at the same place."""

    box: Box
    square: Square
    angle: float
    weight: float
    seconded: int


class FaceDetector:
    """The cascades, loaded. FkpError where this OpenCV lacks them. Use one detector a thread."""

    def __init__(self) -> None:
        self._first, self._second = load_cascade(CASCADE), load_cascade(SECOND_CASCADE)

    def detect(self, image: AnyArray) -> list[Box]:
        """Boxes of the faces in an RGB image, the largest first; none where there is none."""
        boxes = [candidate.box for candidate in self.candidates(image) if candidate.weight >= SURE]
        return sorted(boxes, key=lambda box: (-box[2] * box[3], box))

    def candidates(self, image: AnyArray, angle: float = 0.0, margin: float = 0.0) -> list[Candidate]:
        """All that may be a face in an RGB image turned by `angle`, the one with the most weight first.

        margin: by which share of its shorter side the image is first continued on each side, its last pixels repeated.
        """
        height, width = image.shape[:2]
        shrink = max(1.0, max(height, width) / LONGEST_SIDE)
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        if shrink > 1:
            size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
            gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
        least = max(MIN_SIZE, round(MIN_SHARE * min(gray.shape)))
        gray, turn = turned(gray, angle, round(margin * min(gray.shape)))
        if min(gray.shape) < least:
            return []
        windows, _, passed = self._first.detectMultiScale3(
            gray, SCALE_FACTOR, 0, minSize=(least, least), outputRejectLevels=True
        )
        if not len(windows):
            return []
        boxes, names = group(np.asarray(windows, np.float64))
        weights: Array = np.bincount(names, np.ravel(passed) - PASS_MARK + PASSED).astype(np.float64)
        found: list[Candidate] = []
        back = invert(turn)
        for i in distinct(boxes, weights):
            seconded = _second(self._second, gray, boxes[i])
            if np.log(weights[i]) + np.log1p(seconded) < HOPELESS:
                continue
            x, y, side = square_from_box(boxes[i])
            (x, y), middle = apply(back, np.array([(x, y), boxes[i, :2] + (boxes[i, 2:] - 1) / 2]))
            corner = middle - (boxes[i, 2:] - 1) / 2
            box = into(width, height, *(round(float(number) * shrink) for number in (*corner, *boxes[i, 2:])))
            # Pixel centres are whole numbers: pixel x of the shrunk image covers those around (x + 1/2) shrink - 1/2.
            square = ((x + 0.5) * shrink - 0.5, (y + 0.5) * shrink - 0.5, side * shrink)
            found.append(Candidate(box, square, angle, float(weights[i]), seconded))
        return found


def load_cascade(name: str) -> cv2.CascadeClassifier:
    """One of OpenCV's cascades. FkpError where it is not there."""
    data = getattr(getattr(cv2, "data", None), "haarcascades", None)
    if data is None or not hasattr(cv2, "CascadeClassifier"):
        raise FkpError("this OpenCV has no Haar cascades: pip install 'opencv-python>=4.13,<5'")
    path = Path(data) / name
    cascade = cv2.CascadeClassifier(str(path))
    if cascade.empty():
        raise FkpError(f"{path}: cannot be loaded as a cascade; install opencv-python again")
    return cascade


def square_from_box(box: Box | Array) -> Square:
    """The face square (see framing) that the labels of a face with this Haar box would most likely have."""
    x, y, width, height = (float(number) for number in box)
    side = (width + height) / 2
    return x + (width - 1) / 2 + CENTRE_X * side, y + (height - 1) / 2 + CENTRE_Y * side, SIDE * side


def _second(cascade: cv2.CascadeClassifier, gray: AnyArray, box: Array) -> int:
    """How many windows of a cascade pass about where a box is, and about its size."""
    x, y, side = (int(number) for number in box[:3])
    margin = round(0.3 * side)
    left, top = max(0, x - margin), max(0, y - margin)
    part = gray[top : y + side + margin, left : x + side + margin]
    zoom = 48 / side  # two sizes of the cascade's window
    how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    part = cv2.resize(part, None, fx=zoom, fy=zoom, interpolation=how)
    windows = np.reshape(cascade.detectMultiScale(part, 1.1, 0, minSize=(36, 36), maxSize=(66, 66)), (-1, 4))
    strayed = windows[:, :2] + windows[:, 2:] / 2 - (np.array([x - left, y - top]) + side / 2) * zoom
    return int((np.abs(strayed).max(axis=1, initial=0) < 12).sum())
