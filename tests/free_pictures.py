"""Photos in the public domain, from the packages that contain them: Grace Hopper (matplotlib) and Eileen Collins
(scikit-image's `astronaut`), both taken by the United States government.

`group_picture` puts them side by side: a picture of several faces whose places are known.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fkp_app.commands.demo import sample_photo
from fkp_app.media.images import read_image

Picture = NDArray[np.uint8]
Point = tuple[float, float]

PAPER = (236, 233, 226)
GROUP_SIZE = (1180, 640)  # width, height


@dataclass(frozen=True)
class Portrait:
    """A photo's place in the group picture.

    person: a key of PHOTOS; look_at: the point of the photo that comes to the centre of the tile; tile: left, top,
    width and height in the group picture; zoom of the photo; turn: degrees clockwise.
    """

    person: str
    look_at: Point
    tile: tuple[int, int, int, int]
    zoom: float
    turn: float = 0.0


@dataclass(frozen=True)
class KnownFace:
    """A face of the group picture: the point between its eyes and their distance in pixels; its turn in degrees."""

    eyes: Point
    distance: float
    turn: float


EYES = {"hopper": ((226.0, 196.0), (308.0, 192.0)), "astronaut": ((206.0, 107.0), (245.0, 107.0))}
"""The person's right and left eye in each photo, measured by hand to within a few pixels."""

GROUP = (
    Portrait("hopper", (256, 275), (20, 20, 470, 600), zoom=1.1),
    Portrait("astronaut", (226, 150), (510, 20, 320, 320), zoom=1.35),
    Portrait("hopper", (262, 245), (850, 20, 310, 320), zoom=0.85, turn=15.0),
    Portrait("astronaut", (236, 165), (510, 360, 240, 260), zoom=0.85),
    Portrait("hopper", (262, 262), (770, 360, 180, 260), zoom=0.5),
    Portrait("astronaut", (226, 140), (970, 360, 190, 260), zoom=1.1, turn=-10.0),
)


def hopper() -> Picture:
    """Grace Hopper, RGB (600, 512, 3)."""
    return read_image(sample_photo())


def astronaut() -> Picture:
    """Eileen Collins, RGB (512, 512, 3)."""
    from skimage import data

    return np.asarray(data.astronaut())


PHOTOS: dict[str, Callable[[], Picture]] = {"hopper": hopper, "astronaut": astronaut}


def group_picture() -> tuple[Picture, list[KnownFace]]:
    """Six portraits of different sizes, two of them turned: RGB (640, 1180, 3), and the place of each face."""
    width, height = GROUP_SIZE
    canvas = np.full((height, width, 3), PAPER, np.uint8)
    faces = []
    for portrait in GROUP:
        left, top, w, h = portrait.tile
        matrix = _placed(portrait)
        canvas[top : top + h, left : left + w] = cv2.warpAffine(
            PHOTOS[portrait.person](), matrix, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        right, left_eye = np.array(EYES[portrait.person]) @ matrix[:, :2].T + matrix[:, 2] + [left, top]
        middle = (right + left_eye) / 2
        slope = np.degrees(np.arctan2(*(left_eye - right)[::-1]))
        faces.append(
            KnownFace((float(middle[0]), float(middle[1])), float(np.hypot(*(left_eye - right))), float(slope))
        )
    return canvas, faces


def _placed(portrait: Portrait) -> NDArray[np.float64]:
    """The similarity transform (2, 3) from photo to tile."""
    turn = np.deg2rad(portrait.turn)
    linear = portrait.zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = (np.array(portrait.tile[2:]) - 1) / 2
    return np.column_stack([linear, middle - linear @ portrait.look_at])
