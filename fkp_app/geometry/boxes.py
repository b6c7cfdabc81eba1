"""Boxes (x, y, width, height): grouped, compared, thinned out and clipped; and the image turned for a search."""

from collections.abc import Callable, Iterable

import cv2
import numpy as np

from fkp_app.geometry.framing import Square
from numpynet.typing import AnyArray, Array

Box = tuple[int, int, int, int]
"""x, y, width and height, in pixels of the image."""

GROUP_REACH = 0.2
"""Two windows belong together if no edge differs by more than this share of the smaller side (OpenCV's own figure)."""


def group(windows: Array) -> tuple[Array, Array]:
    """Group windows (n, 4) that lie alike. Returns each group's mean box (m, 4) and each window's group number (n).

    A chain of neighbours is one group, as in OpenCV's groupRectangles.
    """
    edges = np.column_stack([windows[:, :2], windows[:, :2] + windows[:, 2:]])  # (n, 4)
    numbers = np.full(len(windows), -1)
    boxes: list[Array] = []
    for start in range(len(windows)):
        if numbers[start] >= 0:
            continue
        numbers[start] = len(boxes)
        members = [start]
        for i in members:  # the list grows during the loop
            reach = GROUP_REACH * np.minimum(windows[:, 2], windows[i, 2])
            near = np.flatnonzero((numbers < 0) & (np.abs(edges - edges[i]).max(axis=1) <= reach))
            numbers[near] = len(boxes)
            members += near.tolist()
        boxes.append(windows[members].mean(axis=0))
    return np.array(boxes).reshape(-1, 4), numbers


def keep_heaviest(heaviest_first: Iterable[int], same: Callable[[int, int], bool]) -> list[int]:
    """Greedy non-maximum suppression: the indices without those that are the same as one already kept.

    heaviest_first: indices in the order of preference. same(i, kept): whether item i shows the same thing as item
    `kept`.
    """
    kept: list[int] = []
    for i in heaviest_first:
        if not any(same(i, k) for k in kept):
            kept.append(int(i))
    return kept


def iou(one: Array, other: Array) -> float:
    """Intersection over union of two boxes (4): 0 (apart) to 1 (equal)."""
    shared = _intersection(one, other)
    return shared / float(one[2] * one[3] + other[2] * other[3] - shared)


def covered(one: Array, other: Array) -> float:
    """Intersection over the smaller of two boxes (4): 0 (apart) to 1 (one contains the other)."""
    return _intersection(one, other) / float(min(one[2] * one[3], other[2] * other[3]))


def box_of(square: Square) -> Array:
    """The square as a box (4) float64, for `iou` and `covered`."""
    x, y, side = square
    return np.array([x - side / 2, y - side / 2, side, side])


def clip_box(box: Box, width: int, height: int) -> Box:
    """The part of a box that lies in an image of this size. A box outside it becomes one pixel at the edge."""
    x, y, w, h = box
    right, bottom = min(max(x + w, 1), width), min(max(y + h, 1), height)
    x, y = min(max(x, 0), right - 1), min(max(y, 0), bottom - 1)
    return x, y, right - x, bottom - y


def turn_image(gray: AnyArray, angle: float, margin: int = 0) -> tuple[AnyArray, Array]:
    """The image turned clockwise by `angle` degrees about its middle, and the map (2, 3) from old pixels to new ones.

    The result holds the whole image and `margin` more pixels on each side, which repeat the last ones.
    """
    turn = np.deg2rad(angle)
    linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    if angle == 0 and margin == 0:
        return gray, np.column_stack([linear, [0.0, 0.0]])
    old = np.array([gray.shape[1], gray.shape[0]])
    new = turned_size(gray.shape[1], gray.shape[0], angle, margin)
    matrix = np.column_stack([linear, (new - 1) / 2 - linear @ ((old - 1) / 2)])
    size = (int(new[0]), int(new[1]))
    return cv2.warpAffine(gray, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), matrix


def turned_size(width: int, height: int, angle: float, margin: int = 0) -> AnyArray:
    """Width and height (2) of what `turn_image` makes of an image of this size."""
    turn = np.deg2rad(angle)
    across, down = abs(np.cos(turn)), abs(np.sin(turn))
    size = np.array([across * width + down * height, down * width + across * height])
    return np.ceil(size).astype(int) + 2 * margin


def _intersection(one: Array, other: Array) -> float:
    """The area that two boxes (4) have in common."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[:2] + one[2:], other[:2] + other[2:])
    return float(np.prod(np.maximum(high - low, 0)))
