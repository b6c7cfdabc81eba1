"""Clips of faces whose truth is known, made of photos that are free to use: a known motion, and a camera's faults.

No face video is free to use, and none has points that are true to a tenth of a pixel. Here a photo is moved, turned and
zoomed by formulas, and seen through a camera that adds noise, flicker and JPEG. The truth is the points that the
network puts on the clean photo, in the mean of many crops, moved by the same formulas. So only a constant error of the
network is hidden, not what this is for: jitter and lag.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from benchmarks.motions import MOTIONS, stretched, talking
from fkp_app.backends.predictor import Predictor
from fkp_app.commands.demo import sample_photo
from fkp_app.faces.keypoints import find_keypoints
from fkp_app.geometry.framing import Square, apply, face_square
from fkp_app.media.images import read_image
from numpynet.typing import AnyArray, Array

WIDTH, HEIGHT = 640, 480
RATE = 25.0
"""Frames a second."""
NOISE = 5.0
"""The sensor's, in grey levels, of each pixel and colour on its own."""
FLICKER = 0.02
"""By which share lamps change the light."""
QUALITY = 80
"""Of the camera's JPEG."""
LOOKS = 24
"""Crops of the clean photo whose mean is the truth."""

# Each photo's place in the picture: the point that comes to the middle, the zoom, and the face's square, by eye.
PLACES: dict[str, tuple[tuple[float, float], float, Square]] = {
    "hopper": ((262.0, 245.0), 0.8, (265.0, 222.0, 178.0)),
    "astronaut": ((226.0, 135.0), 1.5, (226.0, 122.0, 88.0)),
}


@dataclass(frozen=True)
class Clip:
    """scene: RGB (H, W, 3) without faults; faces (F, 68, 2): the truth there; middle: what the motion is about."""

    motion: str
    scene: AnyArray
    faces: Array
    middle: tuple[float, float]
    frames: int
    seed: int = 0

    def time(self, index: int) -> float:
        """Of a frame, in seconds."""
        return index / RATE

    def truth(self, index: int) -> Array:
        """Keypoints (F, 68, 2) in a frame."""
        faces = self.faces
        if self.motion == "talk":
            faces = np.stack([stretched(points, points, self.time(index)) for points in faces])
        return apply(self._view(index), faces)

    def clean(self, index: int) -> AnyArray:
        """A frame as a camera without faults would see it."""
        scene = self.scene
        if self.motion == "talk":
            scene = talking(scene, self.faces, self.time(index))
        return cv2.warpAffine(scene, self._view(index), (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)

    def images(self) -> Iterator[AnyArray]:
        """The frames, RGB (480, 640, 3) uint8, with the camera's faults; the same ones every time."""
        rng = np.random.default_rng(self.seed)
        for index in range(self.frames):
            yield camera(self.clean(index), rng)

    def _view(self, index: int) -> Array:
        """The map (2, 3) from scene to frame."""
        x, y, degrees, zoom = MOTIONS[self.motion](self.time(index))
        turn = math.radians(degrees)
        linear = zoom * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        return np.column_stack([linear, np.array(self.middle) + np.array([x, y]) - linear @ self.middle])


def camera(image: AnyArray, rng: np.random.Generator) -> AnyArray:
    """An RGB image with a camera's noise, a lamp's flicker and JPEG's artefacts."""
    light = 1 + FLICKER * rng.uniform(-1, 1)
    noisy = light * image + NOISE * rng.standard_normal(image.shape, np.float32)
    pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    _, coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return np.asarray(decoded)  # neither way swaps the colours, so that RGB stays RGB


def one_face(motion: str, predictor: Predictor, person: str = "hopper", frames: int = 100, seed: int = 0) -> Clip:
    """A clip of one person, whose face is about 140 pixels tall."""
    scene, square = _portrait(person)
    return Clip(motion, scene, true_points(scene, [square], predictor), square[:2], frames, seed)


def four_faces(motion: str, predictor: Predictor, frames: int = 100, seed: int = 0) -> Clip:
    """A clip of four portraits, two by two, whose faces are about 75 pixels tall."""
    scene, squares = np.zeros((HEIGHT, WIDTH, 3), np.uint8), []
    for i, person in enumerate(("hopper", "astronaut", "astronaut", "hopper")):
        portrait, (cx, cy, side) = _portrait(person)
        left, top = i % 2 * WIDTH // 2, i // 2 * HEIGHT // 2
        half = cv2.resize(portrait, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
        scene[top : top + HEIGHT // 2, left : left + WIDTH // 2] = half
        squares.append((cx / 2 + left, cy / 2 + top, side / 2))
    return Clip(motion, scene, true_points(scene, squares, predictor), (WIDTH / 2, HEIGHT / 2), frames, seed)


def true_points(image: AnyArray, squares: list[Square], predictor: Predictor) -> Array:
    """Keypoints (F, 68, 2) of faces about these squares: the mean of LOOKS crops, each framed a little otherwise."""
    rng, found = np.random.default_rng(0), []
    for square in squares:
        (points,) = find_keypoints(image, [square], predictor)
        cx, cy, side = face_square(points)
        near = [
            (cx + 0.05 * side * dx, cy + 0.05 * side * dy, side * math.exp(0.05 * grow))
            for dx, dy, grow in rng.standard_normal((LOOKS, 3))
        ]
        looks = find_keypoints(image, near, predictor, 0, angles=list(5 * rng.standard_normal(LOOKS)))
        found.append(looks.astype(np.float64).mean(axis=0))
    return np.stack(found)


def _portrait(person: str) -> tuple[AnyArray, Square]:
    """A person's picture (480, 640, 3), and the face's square in it."""
    look_at, zoom, (cx, cy, side) = PLACES[person]
    photo = _photo(person)
    corner = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2]) - zoom * np.array(look_at)
    matrix = np.column_stack([zoom * np.eye(2), corner])
    scene = cv2.warpAffine(photo, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return scene, (zoom * cx + corner[0], zoom * cy + corner[1], zoom * side)


def _photo(person: str) -> AnyArray:
    """The photo as its package ships it, RGB."""
    if person == "hopper":
        return read_image(sample_photo())
    from skimage import data

    return np.asarray(data.astronaut())
