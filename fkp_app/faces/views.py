"""Parts and smaller copies of an image in which a search looks, and the way back to the image.

A search finds no face below a share of its picture (`detector.MIN_SHARE`). So small faces are searched for in tiles of
the image, and large ones, cheaply, in a small copy.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from fkp_app.faces.detector import Candidate
from fkp_app.faces.keypoints import Proposer
from fkp_app.faces.proposals import Proposal
from fkp_app.geometry.framing import Square
from numpynet.typing import AnyArray

TILE_SIDE = 640
"""Side of a tile, in pixels of the tile."""
OVERLAP = 192
"""Pixels that a tile shares with the next one: the largest faces that tiles are searched for fit into them."""
MOST_PIXELS = 5_000_000
"""An image with more pixels is shrunk to so many before it is cut into tiles. It bounds the time and the memory."""


@dataclass(frozen=True)
class View:
    """A picture of a part of an image. picture: RGB. left, top: of the part, in pixels of the image. shrink: pixels of
    the image per pixel of the picture."""

    picture: AnyArray
    left: int = 0
    top: int = 0
    shrink: float = 1.0

    def candidates(self, detector: Proposer, angle: float = 0.0, margin: float = 0.0) -> list[Candidate | Proposal]:
        """The detector's candidates in the picture, in coordinates of the image."""
        return [self._back(one) for one in detector.candidates(self.picture, angle, margin)]

    def without(self, squares: Iterable[Square]) -> "View":
        """The same view with these face squares of the image painted over, so that a search takes no time over them."""
        picture = self.picture.copy()
        for x, y, side in squares:
            low = (np.array([x - self.left, y - self.top]) - side / 2) / self.shrink
            left, top = np.maximum(0, np.rint(low)).astype(int)
            right, bottom = np.maximum(0, np.rint(low + side / self.shrink)).astype(int)
            part = picture[top:bottom, left:right]
            if part.size:
                part[:] = part.mean(axis=(0, 1))
        return replace(self, picture=picture)

    def _back(self, one: Candidate | Proposal) -> Candidate | Proposal:
        """The candidate in coordinates of the image. Pixel centres lie at whole numbers."""
        x, y, side = one.square
        left, top, width, height = (round(self.shrink * number) for number in one.box)
        x, y = ((number + 0.5) * self.shrink - 0.5 for number in (x, y))
        box = (left + self.left, top + self.top, max(1, width), max(1, height))
        return replace(one, box=box, square=(x + self.left, y + self.top, side * self.shrink))


def smaller(image: AnyArray, shrink: float) -> View:
    """The whole image (H, W[, C]), smaller by the factor `shrink`, which is rounded up to 1."""
    if shrink <= 1:
        return View(image)
    height, width = image.shape[:2]
    size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    return View(cv2.resize(image, size, interpolation=cv2.INTER_AREA), shrink=shrink)


def tiles(whole: View) -> Iterator[View]:
    """Overlapping tiles that cover the picture of a view of a whole image."""
    small, shrink = whole.picture, whole.shrink
    height, width = small.shape[:2]
    for top in _starts(height):
        for left in _starts(width):
            part = np.ascontiguousarray(small[top : top + TILE_SIDE, left : left + TILE_SIDE])
            yield View(part, round(left * shrink), round(top * shrink), shrink)


def tile_shrink(height: int, width: int) -> float:
    """Pixels of an image of this size per pixel of its tiles, at least 1."""
    return max(1.0, float(np.sqrt(height * width / MOST_PIXELS)))


def _starts(length: int) -> list[int]:
    """Where tiles begin along a side of this length: evenly, with at least OVERLAP in common."""
    number = max(1, int(np.ceil((length - OVERLAP) / (TILE_SIDE - OVERLAP))))
    return [round(start) for start in np.linspace(0, max(0, length - TILE_SIDE), number)]
