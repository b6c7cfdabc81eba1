"""Candidates for faces, found by the Haar cascades that OpenCV ships (Viola and Jones 2001; Lienhart and Maydt 2002).

A cascade passes many windows around a face and few around anything else. OpenCV sets a threshold on their number
(minNeighbors), which trades missed faces for false ones. Here every group of windows becomes a candidate with a
weight, and `search.find_faces` decides later, when the network has seen the candidates too.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from fkp_app.errors import FkpError
from fkp_app.faces.windows import AT_ONCE, LEFT_OUT, coarse_windows, fine_windows
from fkp_app.geometry.boxes import Box, clip_box, covered, group, keep_heaviest, turn_image, turned_size
from fkp_app.geometry.framing import Square, apply, invert
from numpynet.typing import AnyArray, Array

# `python -m benchmarks haar-search --data DIR` measures what each of these choices costs and finds.
CASCADE = "haarcascade_frontalface_alt2.xml"
SECOND_CASCADE = "haarcascade_frontalface_default.xml"
LONGEST_SIDE = 1280
"""Longer side, in pixels, to which larger images are shrunk before the search. It bounds the time of a search."""
MIN_SHARE = 0.05
"""Smallest face, as a share of the image's shorter side."""
MIN_SIZE = 30
"""Lower limit of the smallest face, in pixels of the searched image."""
PASS_MARK = 53.7556
"""The threshold of the cascade's last stage (its stageThreshold)."""
PASSED = 0.1
"""Weight of a window that barely passes the last stage."""
HOPELESS = 1.0
"""Candidates whose log(weight) + log(1 + seconded) is below this are dropped at once."""
SAME_BOX = 0.5
"""If two boxes share more than this part of the smaller one, the lighter one is dropped."""

# The labels' face square relative to the Haar box: offset of the centre (right, down) and side, in sides of the box.
# Medians over the training split; `python -m benchmarks haar-calibration --data DIR` measures them.
CENTRE_X, CENTRE_Y, SIDE = 0.000, 0.170, 0.903


@dataclass(frozen=True)
class Candidate:
    """A place that may show a face.

    box: in pixels of the image. square: the face square that such a box suggests. angle: degrees by which the image was
    turned, clockwise as seen, when the box was found. weight: sum of the margins by which the windows passed. seconded:
    number of windows of the second cascade that passed at this place.
    """

    box: Box
    square: Square
    angle: float
    weight: float
    seconded: int


class FaceDetector:
    """The loaded cascades. FkpError if this OpenCV lacks them. Use one detector per thread."""

    def __init__(self) -> None:
        self._first, self._second = load_cascade(CASCADE), load_cascade(SECOND_CASCADE)

    @cached_property
    def _coarse(self) -> cv2.CascadeClassifier:
        return load_cascade(CASCADE, LEFT_OUT)

    def candidates(self, image: AnyArray, angle: float = 0.0, margin: float = 0.0) -> list[Candidate]:
        """Every candidate in an RGB image (H, W, 3), the heaviest first, in coordinates of the image.

        angle: turn the image by this many degrees, clockwise as seen, before the search. margin: first extend it on
        each side by this share of its shorter side, repeating the last pixels.
        """
        height, width = image.shape[:2]
        shrink = max(1.0, max(height, width) / LONGEST_SIDE)
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        if shrink > 1:
            size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
            gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
        least, border = _least(*gray.shape), round(margin * min(gray.shape))
        if min(turned_size(gray.shape[1], gray.shape[0], angle, border)) < least:
            return []
        near = coarse_windows(self._coarse, gray, least, angle, border) if gray.size > AT_ONCE else None
        if near is not None and not len(near):
            return []
        gray, turn = turn_image(gray, angle, border)
        boxes, weights = _weighed(fine_windows(self._first, gray, least, near))
        by_weight = np.lexsort((*boxes.T, -weights))
        found: list[Candidate] = []
        back = invert(turn)
        for i in keep_heaviest(by_weight, lambda i, kept: covered(boxes[i], boxes[kept]) > SAME_BOX):
            seconded = _seconded(self._second, gray, boxes[i])
            if np.log(weights[i]) + np.log1p(seconded) < HOPELESS:
                continue
            x, y, side = square_from_box(boxes[i])
            (x, y), middle = apply(back, np.array([(x, y), boxes[i, :2] + (boxes[i, 2:] - 1) / 2]))
            corner = middle - (boxes[i, 2:] - 1) / 2
            left, top, w, h = (round(float(number) * shrink) for number in (*corner, *boxes[i, 2:]))
            box = clip_box((left, top, w, h), width, height)
            # Pixel centres are whole numbers: the centre of pixel x of the shrunk image is (x + 1/2) shrink - 1/2 here.
            square = ((x + 0.5) * shrink - 0.5, (y + 0.5) * shrink - 0.5, side * shrink)
            found.append(Candidate(box, square, angle, float(weights[i]), seconded))
        return found

    def least(self, height: int, width: int) -> float:
        """Side of the smallest box, in pixels of an image of this size, that is found in it."""
        shrink = max(1.0, max(height, width) / LONGEST_SIDE)
        return shrink * _least(round(height / shrink), round(width / shrink))


def load_cascade(name: str, left_out: int = 0) -> cv2.CascadeClassifier:
    """Load one of OpenCV's cascades by its file name, without its last `left_out` stages. FkpError if it is missing."""
    data = getattr(getattr(cv2, "data", None), "haarcascades", None)
    if data is None or not hasattr(cv2, "CascadeClassifier"):
        raise FkpError("this OpenCV has no Haar cascades: pip install 'opencv-python>=4.13,<5'")
    path = Path(data) / name
    cascade = cv2.CascadeClassifier()
    if not (_read_without(cascade, path, left_out) if left_out else cascade.load(str(path))):
        raise FkpError(f"{path}: cannot be loaded as a cascade; install opencv-python again")
    return cascade


def square_from_box(box: Box | Array) -> Square:
    """The most likely face square (see `framing`) of a face with this Haar box."""
    x, y, width, height = (float(number) for number in box)
    side = (width + height) / 2
    return x + (width - 1) / 2 + CENTRE_X * side, y + (height - 1) / 2 + CENTRE_Y * side, SIDE * side


def box_from_square(square: Square, angle: float, width: int, height: int) -> Box:
    """The inverse of `square_from_box`: the most likely Haar box of this face square, clipped to the image.

    angle: degrees by which the image must be turned, clockwise as seen, to make the face upright. width, height: of the
    image, in pixels.
    """
    x, y, side = square
    box, turn = side / SIDE, math.radians(-angle)
    x -= box * (CENTRE_X * math.cos(turn) - CENTRE_Y * math.sin(turn))
    y -= box * (CENTRE_X * math.sin(turn) + CENTRE_Y * math.cos(turn))
    left, top = round(x - (box - 1) / 2), round(y - (box - 1) / 2)
    return clip_box((left, top, round(box), round(box)), width, height)


def _least(height: int, width: int) -> int:
    """Side of the smallest window in a searched picture of this size, in its pixels."""
    return max(MIN_SIZE, round(MIN_SHARE * min(height, width)))


def _read_without(cascade: cv2.CascadeClassifier, path: Path, left_out: int) -> bool:
    """Load a cascade without its last stages. Each stage is an element that begins with its number of classifiers."""
    before, end, after = path.read_text("utf-8").partition("</stages>")
    for _ in range(left_out):
        before = before[: before.rindex("<_>", 0, before.rindex("<maxWeakCount>"))]
    mode = cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY | cv2.FILE_STORAGE_FORMAT_XML
    storage = cv2.FileStorage(before + end + after, mode)
    return bool(cascade.read(storage.getFirstTopLevelNode()))


def _weighed(parts: Iterable[tuple[Array, Array]]) -> tuple[Array, Array]:
    """The boxes (n, 4) of all groups of windows, and their weights (n): the sums of what the last stage gave."""
    boxes: list[Array] = [np.empty((0, 4))]
    weights: list[AnyArray] = [np.empty(0)]
    for windows, passed in parts:
        found, numbers = group(windows)
        boxes.append(found)
        weights.append(np.bincount(numbers, passed - PASS_MARK + PASSED, minlength=len(found)))
    return np.concatenate(boxes), np.concatenate(weights)


def _seconded(cascade: cv2.CascadeClassifier, gray: AnyArray, box: Array) -> int:
    """The number of windows of a cascade that pass near a box (4) and have about its size."""
    x, y, side = (int(number) for number in box[:3])
    margin = round(0.3 * side)
    left, top = max(0, x - margin), max(0, y - margin)
    part = gray[top : y + side + margin, left : x + side + margin]
    zoom = 48 / side  # the face becomes 48 pixels wide, twice the cascade's window
    interpolation = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    part = cv2.resize(part, None, fx=zoom, fy=zoom, interpolation=interpolation)
    windows = np.reshape(cascade.detectMultiScale(part, 1.1, 0, minSize=(36, 36), maxSize=(66, 66)), (-1, 4))
    strayed = windows[:, :2] + windows[:, 2:] / 2 - (np.array([x - left, y - top]) + side / 2) * zoom
    return int((np.abs(strayed).max(axis=1, initial=0) < 12).sum())
