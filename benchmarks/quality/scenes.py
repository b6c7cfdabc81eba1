"""Photos of many kinds whose faces are known, composed of two that are free: large, small, dark, tilted, on their side.

The two are in the public domain: Grace Hopper (matplotlib) and Eileen Collins (scikit-image's `astronaut`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from fkp_app.commands.demo import sample_photo
from fkp_app.geometry.framing import apply
from fkp_app.media.images import read_image
from numpynet.typing import AnyArray, Array

EYES = {"hopper": ((226.0, 196.0), (308.0, 192.0)), "astronaut": ((206.0, 107.0), (245.0, 107.0))}
"""The right and the left eye in each photo, in its pixels."""
PEOPLE = tuple(EYES)
HEIGHT = 2.6
"""Height of a face, from the brows to the chin, in distances of its eyes; the middle lies LOWER below them."""
LOWER = 0.55
PAPER = (200, 205, 210)


@dataclass(frozen=True)
class Placed:
    """A face: its two eyes (2, 2), the right one first, in pixels of the scene."""

    eyes: Array

    @property
    def distance(self) -> float:
        """Between the eyes, in pixels."""
        return float(np.linalg.norm(self.eyes[1] - self.eyes[0]))


@dataclass(frozen=True)
class Scene:
    """A picture RGB (H, W, 3), and all faces in it."""

    image: AnyArray
    faces: list[Placed]

    def found(self, keypoints: Sequence[Array]) -> tuple[int, int]:
        """How many faces are found by points (68, 2), with both eyes in place, and how many answers are false.

        An eye is in place within 0.4 eye distances: points upside down are false.
        """
        left = [np.stack([points[36:42].mean(axis=0), points[42:48].mean(axis=0)]) for points in keypoints]
        right = 0
        for face in self.faces:
            near = [i for i, eyes in enumerate(left) if np.abs(eyes - face.eyes).max() < 0.4 * face.distance]
            if near:
                right += 1
                del left[near[0]]
        return right, len(left)

    def quarter(self, turns: int) -> "Scene":
        """The scene turned clockwise by 90 degrees so many times."""
        height = self.image.shape[0]
        if turns == 0:
            return self
        eyes = [Placed(np.column_stack([height - 1 - one.eyes[:, 1], one.eyes[:, 0]])) for one in self.faces]
        return Scene(np.ascontiguousarray(np.rot90(self.image, -1)), eyes).quarter(turns - 1)

    def darker(self, gain: float) -> "Scene":
        """The scene with its gray levels times `gain`."""
        return replace(self, image=(self.image * gain).astype(np.uint8))


def photo(person: str) -> AnyArray:
    """A free photo, RGB, by a key of EYES."""
    if person == "hopper":
        return read_image(sample_photo())
    from skimage.data import astronaut

    return np.asarray(astronaut())


def paste(
    canvas: AnyArray, person: str, middle: tuple[float, float], height: float, turn: float = 0.0, gain: float = 1.0
) -> Placed:
    """Put a face of this height, in pixels, into a canvas RGB (H, W, 3), about its middle; and what is around the face.

    turn: degrees, clockwise as seen. gain: of the gray levels.
    """
    eyes, image = np.array(EYES[person]), np.rint(photo(person) * gain).astype(np.uint8)
    zoom, angle = height / (HEIGHT * float(np.linalg.norm(eyes[1] - eyes[0]))), np.deg2rad(turn)
    linear = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    face = eyes.mean(axis=0) + np.array([0, LOWER * np.linalg.norm(eyes[1] - eyes[0])])
    matrix = np.column_stack([linear, np.array(middle) - linear @ face])
    reach = 0.95 * height
    low = np.maximum(0, np.array(middle) - reach).astype(int)
    high = np.minimum(canvas.shape[1::-1], np.array(middle) + reach).astype(int)
    sharp = cv2.GaussianBlur(image, (0, 0), 0.5 / zoom) if zoom < 0.7 else image  # so that shrinking does not alias
    shifted = np.column_stack([linear, matrix[:, 2] - low])
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    canvas[low[1] : high[1], low[0] : high[0]] = cv2.warpAffine(sharp, shifted, size, borderMode=cv2.BORDER_REPLICATE)
    return Placed(apply(matrix, eyes))


def rows_of_people(
    width: int, height: int, columns: int, rows: int, face: float, turns: Sequence[float] = (0.0,)
) -> Scene:
    """People in rows before a plain wall. face: height of each, in pixels. turns: degrees, in turn."""
    canvas = np.full((height, width, 3), PAPER, np.uint8)
    faces = []
    for i in range(columns * rows):
        middle = ((i % columns + 0.5) * width / columns, (i // columns + 0.5) * height / rows)
        faces.append(paste(canvas, PEOPLE[i % 2], middle, face, turns[i % len(turns)]))
    return Scene(canvas, faces)


def portrait(person: str) -> Scene:
    """A free photo as it is."""
    return Scene(photo(person), [Placed(np.array(EYES[person]))])


def tilted_beside_a_pattern(turn: float) -> Scene:
    """A large head, tilted by `turn` degrees, between a checkerboard and a person in the shade."""
    from skimage.data import checkerboard

    canvas = np.full((960, 1280, 3), (90, 100, 110), np.uint8)
    canvas[40:240, 40:240] = np.asarray(checkerboard())[..., None]
    faces = [paste(canvas, "astronaut", (560, 480), 300, turn), paste(canvas, "hopper", (1080, 520), 160, gain=0.35)]
    return Scene(canvas, faces)


def nobody(name: str, width: int, height: int) -> Scene:
    """A picture of things from scikit-image, by its name there, enlarged or shrunk to this size."""
    import skimage.data

    image = np.asarray(getattr(skimage.data, name)())
    image = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    return Scene(cv2.resize(np.ascontiguousarray(image[..., :3]), (width, height), interpolation=cv2.INTER_AREA), [])


THINGS = ("brick", "camera", "cat", "clock", "coffee", "grass", "gravel", "page", "rocket", "text")
"""Pictures without a face from the front that scikit-image ships."""
GROUP = (0.0, -12.0, 10.0)

ROWS: dict[str, Callable[[], list[Scene]]] = {
    "class photo, 4000 x 3000, 40 faces 110 px high": lambda: [rows_of_people(4000, 3000, 8, 5, 110)],
    "panorama, 12000 x 2000, 12 faces 200 px high": lambda: [rows_of_people(12000, 2000, 12, 1, 200)],
    "1920 x 1080, 32 faces 60 px high": lambda: [rows_of_people(1920, 1080, 8, 4, 60)],
    "on their side or upside down": lambda: [
        scene.quarter(turns) for scene in (*map(portrait, PEOPLE), _group()) for turns in (1, 2, 3)
    ],
    "gray levels x 0.15": lambda: [scene.darker(0.15) for scene in (*map(portrait, PEOPLE), _group())],
    "a tilted head, a pattern, a man in the shade": lambda: [
        tilted_beside_a_pattern(turn) for turn in (-50.0, -35.0, 35.0, 50.0)
    ],
    "tilted heads among upright ones": lambda: [
        rows_of_people(1280, 960, 4, 2, 140, (turn, 0.0, 0.0)) for turn in (-35.0, -25.0, 25.0, 35.0)
    ],
    "things": lambda: [nobody(name, 640, 480) for name in THINGS],
}
"""The kinds of pictures that photo programs often fail at."""


def _group() -> Scene:
    return rows_of_people(1200, 900, 3, 2, 150, GROUP)
