"""Pictures with alpha, blended into images. Premultiplied colours, lens tint and shadow are prepared once per style.

An overlay is two arrays: `light` is added, and `cover` is the share of each colour of the image that is removed:

    result = light + (1 - cover) image

For a plain picture, light is the premultiplied colour and cover is alpha, the same for all three colours. A tint T
makes 1 - cover = (1 - alpha) T, and a shadow S multiplies that by (1 - S).
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from numpynet.typing import AnyArray, Array

LEVELS = 8
"""Largest number of layers, each half the size of the last."""
STRIP = 1 << 20
"""Number of pixels blended at a time. It bounds the memory that a very large face takes."""
SMALLEST = 0.25
"""An overlay with a smaller area than this, in pixels of the image, is not drawn."""


@dataclass(frozen=True, eq=False)
class Layer:
    """light, cover: (H, W, 3) float32 in 0 .. 1. to_picture: the map (3, 3) from its pixels to the picture's pixels."""

    light: Array
    cover: Array
    to_picture: Array


@dataclass(frozen=True)
class Shadow:
    """A soft shadow below a style, in units of the distance between the eyes.

    offset: to the picture's right, and downwards. blur: standard deviation of its edge. strength: 0 .. 1.
    """

    offset: tuple[float, float] = (0.0, 0.0)
    blur: float = 0.0
    strength: float = 0.0

    def reach(self, eye_distance: float) -> int:
        """The largest distance by which it extends beyond the picture, in the unit of `eye_distance`, rounded up."""
        return math.ceil((3 * self.blur + max(map(abs, self.offset))) * eye_distance) if self.strength > 0 else 0


def make_layers(rgba: AnyArray, tint: AnyArray | None, shadow: Shadow, eye_distance: float) -> tuple[Layer, ...]:
    """The layer of a picture uint8 RGBA (H, W, 4), then the same at half the size, at a quarter, and so on.

    tint: uint8 RGB (H, W, 3) that multiplies the image below; white changes nothing. eye_distance: the unit of the
    shadow, in pixels of the picture.
    """
    colours = rgba.astype(np.float32) / 255
    alpha = colours[:, :, 3:]
    light: Array = colours[:, :, :3] * alpha
    left: Array = (1 - alpha) * (np.ones(3, np.float32) if tint is None else tint.astype(np.float32) / 255)  # (H, W, 3)
    pad = shadow.reach(eye_distance)
    if shadow.strength > 0:
        sigma, moved = shadow.blur * eye_distance, np.array(shadow.offset) * eye_distance
        light, left = _padded(light, pad, 0), _padded(left, pad, 1)
        dark = cv2.warpAffine(1 - left.mean(axis=2), np.column_stack([np.eye(2), moved]), left.shape[1::-1])
        if sigma > 0:
            dark = cv2.GaussianBlur(dark, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
        left *= 1 - np.float32(shadow.strength) * dark[:, :, None]
    at = np.array([[1.0, 0, -pad], [0, 1, -pad], [0, 0, 1]])
    layers = [Layer(light, 1 - left, at)]
    while len(layers) < LEVELS and min(layers[-1].light.shape[:2]) > 1:
        layers.append(_half(layers[-1]))
    return tuple(layers)


def _padded(picture: Array, pad: int, value: float) -> Array:
    return cv2.copyMakeBorder(picture, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=(value,) * 3).astype(np.float32)


def _half(layer: Layer) -> Layer:
    """The layer at half the size. Pixel s is the mean of the pixels 2 s and 2 s + 1 in each direction."""
    height, width = layer.light.shape[:2]
    size = ((width + 1) // 2, (height + 1) // 2)

    def shrunk(picture: Array) -> Array:
        even = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_CONSTANT)
        return cv2.resize(even, size, interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)

    twice = np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1]])
    return Layer(shrunk(layer.light), shrunk(layer.cover), layer.to_picture @ twice)


def blend(image: AnyArray, layers: tuple[Layer, ...], matrix: Array, strength: float = 1.0) -> None:
    """Blend a picture into an RGB image (H, W, 3) uint8, in place. matrix: the map (3, 3) from picture to image.

    strength: 1 is full, 0 is invisible. The picture is cut off at the image's edge. Pixels that it does not cover stay
    unchanged to the bit.
    """
    height, width = image.shape[:2]
    corners = outline(layers[0], matrix)
    area = abs(float(cv2.contourArea(corners.astype(np.float32)))) if np.isfinite(corners).all() else 0.0
    if not SMALLEST < area < np.inf:
        return
    left, top = np.clip(np.floor(corners.min(axis=0)), 0, [width, height]).astype(np.int64)
    right, bottom = np.clip(np.ceil(corners.max(axis=0)) + 1, 0, [width, height]).astype(np.int64)
    if left >= right or top >= bottom:
        return
    # Start from a layer shrunk by area, or thin lines of the picture would be lost between pixels.
    zoom = np.sqrt(area / np.prod(layers[0].light.shape[:2]))
    layer = layers[int(np.clip(np.floor(-np.log2(zoom)), 0, len(layers) - 1))]
    rows = max(1, int(STRIP // (right - left)))
    for row in range(int(top), int(bottom), rows):
        below = image[row : min(row + rows, int(bottom)), left:right]
        light, cover = (_warped(part, layer, matrix, (left, row), below) for part in (layer.light, layer.cover))
        blended = 255 * strength * light + (1 - strength * cover) * below
        below[...] = np.clip(np.rint(blended), 0, 255).astype(np.uint8)


def outline(layer: Layer, matrix: Array) -> Array:
    """The layer's corners (4, 2) in the image, each a pixel beyond its edge. NaN for a corner behind the viewer."""
    height, width = layer.light.shape[:2]
    corners = np.array([[-1, -1, 1], [width, -1, 1], [width, height, 1], [-1, height, 1]], np.float64)
    placed = corners @ (matrix @ layer.to_picture).T
    depth = placed[:, 2:]
    return np.where(depth > 0, placed[:, :2] / np.where(depth > 0, depth, 1), np.nan)


def _warped(part: Array, layer: Layer, matrix: Array, corner: tuple[int, int], below: AnyArray) -> Array:
    """A layer's light or cover, mapped onto `below`, the part of the image that begins at `corner` (x, y)."""
    there = np.array([[1, 0, -corner[0]], [0, 1, -corner[1]], [0, 0, 1]]) @ matrix @ layer.to_picture
    size = (below.shape[1], below.shape[0])
    if (there[2] == [0, 0, 1]).all():
        warped = cv2.warpAffine(part, there[:2], size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    else:
        warped = cv2.warpPerspective(part, there, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return warped.astype(np.float32, copy=False)
