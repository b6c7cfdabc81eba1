"""Shapes and light for docs/draw_styles.py: drawings measured in millimetres of a face.

A drawing is made FINER times as large and then averaged, which smooths its edges. (0, 0) lies halfway between the eyes,
which are EYES apart.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[np.float64]
Points = list[tuple[float, float]]

SCALE = 4.6  # pixels of the finished picture per millimetre
FINER = 3
EYES = 63.0  # millimetres between the pupils
LIGHT = np.array([-0.35, -0.62, 0.70])  # direction to the light: upper left, in front of the face


class Drawing:
    """Colours (H, W, 3) and alpha (H, W), painted part by part; x and y: each pixel's place, in millimetres."""

    def __init__(self, left: float, top: float, right: float, bottom: float) -> None:
        self.left, self.top = left, top
        self.size = (round((right - left) * SCALE), round((bottom - top) * SCALE))
        across, down = (np.arange(n * FINER) for n in self.size)
        self.x, self.y = np.meshgrid(*((a + 0.5) / FINER / SCALE + b for a, b in ((across, left), (down, top))))
        self.colour = np.zeros((*self.x.shape, 3))
        self.alpha = np.zeros(self.x.shape)
        self.tint = np.ones((*self.x.shape, 3))

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The pixel of the finished picture at a place of the face, in millimetres."""
        return (x - self.left) * SCALE - 0.5, (y - self.top) * SCALE - 0.5

    def shape(self, points: Points | Plane, smooth: bool = True) -> Plane:
        """Each pixel's depth inside a closed curve through the points, in millimetres; negative outside."""
        curve = rounded(points) if smooth else np.asarray(points, np.float64)
        mask = np.zeros(self.x.shape, np.uint8)
        placed = ((curve - [self.left, self.top]) * SCALE * FINER - 0.5) * 16
        cv2.fillPoly(mask, [np.rint(placed).astype(np.int32)], 1, cv2.LINE_8, 4)
        inside, outside = (cv2.distanceTransform(m, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for m in (mask, 1 - mask))
        return (inside.astype(np.float64) - outside) / (SCALE * FINER)

    def paint(self, depth: Plane, colour: Plane | Points | tuple[float, ...], alpha: Plane | float = 1.0) -> None:
        """Paint a colour, 0 .. 255, over the drawing, at the pixels whose `depth` is above 0."""
        over = np.clip(depth * SCALE * FINER + 0.5, 0, 1) * alpha
        total = over + self.alpha * (1 - over)
        share = np.where(total > 0, over / np.maximum(total, 1e-9), 0)[..., None]
        self.colour = share * np.asarray(colour, np.float64) + (1 - share) * self.colour
        self.alpha = total

    def stain(self, depth: Plane, colour: Plane | tuple[float, ...]) -> None:
        """Multiply the tint, through which the face is seen, by a colour, 0 .. 255, where `depth` is above 0."""
        inside = np.clip(depth * SCALE * FINER + 0.5, 0, 1)[..., None]
        self.tint = self.tint * (1 - inside * (1 - np.asarray(colour, np.float64) / 255))

    def save(self, path: Path, tinted: bool = False, colours: int = 64) -> None:
        """Write the picture, and the tint beside it. colours: levels per channel; fewer make a smaller file."""
        alpha = self.alpha[..., None]
        small = cv2.resize(
            np.concatenate([self.colour * alpha, 255 * alpha], axis=2), self.size, None, 0, 0, cv2.INTER_AREA
        )
        straight = small[..., :3] / np.maximum(small[..., 3:] / 255, 1e-6)
        straight[small[..., 3] < 0.5] = 0
        step = 255 / (colours - 1)
        rgba = np.concatenate([np.rint(straight / step) * step, np.rint(small[..., 3:] / 3) * 3], axis=2)
        Image.fromarray(np.clip(rgba, 0, 255).astype(np.uint8), "RGBA").save(path, optimize=True)
        if tinted:
            tint = cv2.resize(255 * self.tint, self.size, interpolation=cv2.INTER_AREA)
            Image.fromarray(np.rint(tint).astype(np.uint8)).save(path.with_stem(f"{path.stem}-tint"), optimize=True)


def rounded(points: Points | Plane, steps: int = 24) -> Plane:
    """A closed Catmull-Rom curve through the points."""
    b = np.asarray(points, np.float64)
    a, c, d = np.roll(b, 1, axis=0), np.roll(b, -1, axis=0), np.roll(b, -2, axis=0)
    t = np.linspace(0, 1, steps, endpoint=False)[:, None, None]
    curve = b + t / 2 * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * b - a - 3 * c + d)))
    return curve.transpose(1, 0, 2).reshape(-1, 2)


def union(*depths: Plane) -> Plane:
    """The depth inside any of the shapes."""
    return np.maximum.reduce(depths)


def pair(drawing: Drawing, points: Points) -> Plane:
    """A shape and its mirror image on the other side of the face."""
    return union(drawing.shape(points), drawing.shape([(-x, y) for x, y in points]))


def oval(x: float, y: float, across: float, down: float, count: int = 48) -> Plane:
    """Points of an ellipse."""
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.column_stack([x + across * np.cos(turn), y + down * np.sin(turn)])


def stroke(points: Points, widths: list[float], steps: int = 40) -> Plane:
    """The outline of an open curve through the points; widths: its width at each point."""
    p = np.asarray(points, np.float64)
    along = np.linspace(0, len(p) - 1, steps * (len(p) - 1) + 1)
    ends = np.concatenate([[2 * p[0] - p[1]], p, [2 * p[-1] - p[-2]]])
    i = np.minimum(along.astype(int), len(p) - 2)
    t = (along - i)[:, None]
    a, b, c, d = (ends[i + k] for k in range(4))
    line = b + t / 2 * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * b - a - 3 * c + d)))
    way = np.gradient(line, axis=0)
    side = way[:, ::-1] * [-1, 1] / np.maximum(np.hypot(*way.T), 1e-9)[:, None]
    half = np.interp(along, np.arange(len(p)), widths)[:, None] / 2
    return np.concatenate([line + half * side, (line - half * side)[::-1]])


def lit(depth: Plane, colour: tuple[float, ...] | Plane, bevel: float, gloss: float = 90, shine: float = 24) -> Plane:
    """The shaded colour (H, W, 3) of a body whose edges are rounded over `bevel` millimetres."""
    height = bevel * np.sqrt(1 - (1 - np.clip(depth / bevel, 0, 1)) ** 2)
    height = cv2.GaussianBlur(height, (0, 0), 0.2 * SCALE * FINER).astype(np.float64)
    down, across = np.gradient(height * SCALE * FINER)
    normal = np.stack([-across, -down, np.ones_like(down)], axis=2)
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    light = LIGHT / np.linalg.norm(LIGHT)
    halfway = light + np.array([0, 0, 1])
    bright = (normal @ light)[..., None]
    spark = np.clip(normal @ (halfway / np.linalg.norm(halfway)), 0, 1) ** shine
    return np.clip(np.asarray(colour) * (0.45 + 0.75 * np.clip(bright, 0, 1)) + gloss * spark[..., None], 0, 255)
