"""Windows that a cascade passes, and boxes: grouped, compared, turned, cut off. All are (x, y, width, height)."""

import cv2
import numpy as np

from numpynet.typing import AnyArray, Array

Box = tuple[int, int, int, int]
"""x, y, width and height, in pixels of the image."""

ALIKE = 0.2
"""How far the edges of two windows of one face may differ, in sides (OpenCV's own figure)."""
OVERLAP = 0.5
"""Of two boxes that share so much of the smaller one, the lighter goes."""


def group(windows: Array) -> tuple[Array, Array]:
    """Windows (n, 4) that lie alike as one box each (m, 4), their mean, and which box each window is in (n).

    Windows are joined through others, as in OpenCV's groupRectangles.
    """
    edges = np.column_stack([windows[:, :2], windows[:, :2] + windows[:, 2:]])  # (n, 4)
    names = np.full(len(windows), -1)
    boxes: list[Array] = []
    for start in range(len(windows)):
        if names[start] >= 0:
            continue
        names[start] = len(boxes)
        members = [start]
        for i in members:  # which grows meanwhile
            reach = ALIKE * np.minimum(windows[:, 2], windows[i, 2])
            near = np.flatnonzero((names < 0) & (np.abs(edges - edges[i]).max(axis=1) <= reach))
            names[near] = len(boxes)
            members += near.tolist()
        boxes.append(windows[members].mean(axis=0))
    return np.array(boxes).reshape(-1, 4), names


def distinct(boxes: Array, weights: Array) -> list[int]:
    """Indices of boxes, by falling weight, without those that a heavier one covers."""
    kept: list[int] = []
    for i in np.lexsort((*boxes.T, -weights)):
        if all(shared(boxes[i], boxes[k]) <= OVERLAP for k in kept):
            kept.append(int(i))
    return kept


def shared(one: Array, other: Array) -> float:
    """How much of the smaller of two boxes (4) the other covers, 0 .. 1."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[:2] + one[2:], other[:2] + other[2:])
    area: float = np.prod(np.maximum(high - low, 0)) / min(one[2] * one[3], other[2] * other[3])
    return area


def turned(gray: AnyArray, angle: float, margin: int = 0) -> tuple[AnyArray, Array]:
    """The image turned clockwise about its middle, and the map (2, 3) from old to new.

    It is large enough to hold the old one and `margin` pixels more on each side, in which the last ones are repeated.
    """
    turn = np.deg2rad(angle)
    linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    if angle == 0 and margin == 0:
        return gray, np.column_stack([linear, [0.0, 0.0]])
    old = np.array([gray.shape[1], gray.shape[0]])
    new = np.ceil(np.abs(linear) @ old).astype(int) + 2 * margin
    matrix = np.column_stack([linear, (new - 1) / 2 - linear @ ((old - 1) / 2)])
    size = (int(new[0]), int(new[1]))
    return cv2.warpAffine(gray, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), matrix


def into(width: int, height: int, x: int, y: int, w: int, h: int) -> Box:
    """The part of a box that lies in the image, never empty; scaling and turning back may end beyond."""
    right, bottom = min(max(x + w, 1), width), min(max(y + h, 1), height)
    x, y = min(max(x, 0), right - 1), min(max(y, 0), bottom - 1)
    return x, y, right - x, bottom - y
