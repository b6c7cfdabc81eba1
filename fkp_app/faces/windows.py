"""The windows of a picture that pass a cascade: a coarse search of the whole picture, then a fine one where it matters.

A search moves the cascade's window over the picture, and does so for many sizes of the window. Nearly all of its time
goes to places without a face, while around a face many neighbouring windows pass. So the coarse search tries a quarter
of the places and fewer sizes, with a cascade that passes more easily, as its last stages are left out. Only around the
windows that pass, the fine search tries every window, with the whole cascade. It alone decides what is a candidate.
"""

from collections.abc import Iterator

import cv2
import numpy as np

from fkp_app.geometry.boxes import group, turn_image, turned_size
from numpynet.typing import AnyArray, Array

# The settings of the coarse search were chosen by the training people, many of them in one large picture: so searched,
# 1564 of 1580 are found, and 1568 by a fine search of the whole picture.
LEFT_OUT = 5
"""Number of the cascade's last stages that the coarse search leaves out."""
COARSE_FACTOR, FINE_FACTOR = 1.15, 1.1
"""Ratio of one size of the window to the next smaller one."""
AROUND = 0.35
"""The fine search reaches this far beyond the windows of the coarse one, in sides of a window."""
SMALLER, LARGER = 0.75, 1.35
"""The fine search tries windows from this share of the smallest coarse one to this share of the largest."""
AT_ONCE = 20_000
"""Pictures of at most so many pixels are searched finely at once: there, two searches save hardly any time."""

WINDOW = 20
"""Side of the cascade's own window, in pixels."""
MOST = 2 * WINDOW - 1
"""Largest window of the coarse search. Below twice WINDOW, OpenCV tries only every second pixel of every second row."""


def coarse_windows(
    cascade: cv2.CascadeClassifier, gray: AnyArray, least: int, angle: float = 0.0, margin: int = 0
) -> Array:
    """Where to search finely: windows (n, 4), in pixels of `turn_image(gray, angle, margin)`.

    Each copy of the picture is half as large as the one before. In each, windows between WINDOW and MOST are tried.

    gray: (H, W) uint8. least: side of the smallest window, in its pixels.
    """
    height, width = gray.shape
    middle = turned_size(width, height, angle, margin) / 2
    found = [np.empty((0, 4))]
    shrink = least / WINDOW
    while True:
        size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
        small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
        # At most half of a window can lie outside: more would show no face.
        small, _ = turn_image(small, angle, min(round(margin / shrink), MOST // 2))
        if min(small.shape) < WINDOW:
            return np.concatenate(found)
        windows = cascade.detectMultiScale(small, COARSE_FACTOR, 0, maxSize=(MOST, MOST))
        boxes = np.reshape(windows, (-1, 4)).astype(np.float64)
        boxes[:, :2] -= np.array(small.shape[::-1]) / 2  # both pictures are turned about their middles
        boxes *= shrink
        boxes[:, :2] += middle
        found.append(boxes)
        shrink *= 2


def fine_windows(
    cascade: cv2.CascadeClassifier, gray: AnyArray, least: int, near: Array | None
) -> Iterator[tuple[Array, Array]]:
    """The windows (m, 4) that pass around each group of the windows near (n, 4), and what the last stage gave each (m).

    gray: (H, W) uint8. least: side of the smallest window, in pixels. near: None means the whole picture.
    """
    if near is None:
        yield _passing(cascade, gray, least, max(gray.shape))
        return
    _, numbers = group(near)
    for number in range(numbers.max(initial=-1) + 1):
        corners, sides = near[numbers == number, :2], near[numbers == number, 2]
        reach = AROUND * sides.mean()
        left, top = np.maximum(0, np.floor(corners.min(axis=0) - reach)).astype(int)
        right, bottom = np.ceil((corners + sides[:, None]).max(axis=0) + reach).astype(int)
        sizes = max(least, int(SMALLER * sides.min())), int(np.ceil(LARGER * sides.max()))
        windows, passed = _passing(cascade, gray[top:bottom, left:right], *sizes)
        windows[:, :2] += left, top
        yield windows, passed


def _passing(cascade: cv2.CascadeClassifier, gray: AnyArray, least: int, most: int) -> tuple[Array, Array]:
    """All windows (m, 4) with sides from least to most that pass, and what the last stage gave each (m)."""
    windows, _, passed = cascade.detectMultiScale3(
        gray, FINE_FACTOR, 0, minSize=(least, least), maxSize=(most, most), outputRejectLevels=True
    )
    boxes, margins = np.reshape(windows, (-1, 4)).astype(np.float64), np.ravel(passed).astype(np.float64)
    order = np.lexsort(boxes.T)  # OpenCV's threads finish in any order, and sums must not depend on it
    return boxes[order], margins[order]
