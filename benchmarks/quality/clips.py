"""Clips of faces whose true points are known: free photos with a known motion and a camera's faults.

No face video is free to use, and none has points that are exact to a tenth of a pixel. Here formulas move, turn and
zoom a photo, and a simulated camera adds noise, flicker and JPEG artefacts. The true points are those that the network
finds on the clean photo, averaged over many crops, and moved by the same formulas. So a constant error of the network
goes unseen, but not the shake and the lag that the clips are for.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from benchmarks.quality.motions import MOTIONS, stretched, talking
from fkp_app.backends.predictor import Predictor
from fkp_app.commands.demo import sample_photo
from fkp_app.faces.keypoints import find_keypoints
from fkp_app.geometry.framing import Square, apply, face_square
from fkp_app.media.images import read_image
from numpynet.typing import AnyArray, Array

WIDTH, HEIGHT = 640, 480
RATE = 25.0
"""Frames per second."""
NOISE = 5.0
"""Standard deviation of the sensor's noise in grey levels, independent for each pixel and colour."""
FLICKER = 0.02
"""Largest relative change of the light from frame to frame, as lamps cause it."""
QUALITY = 80
"""Quality of the camera's JPEG."""
LOOKS = 24
"""Number of crops of the clean photo over which the true points are averaged."""

# For each photo: the point that comes to the middle of the frame, the zoom, and the face's square, measured by eye.
PLACES: dict[str, tuple[tuple[float, float], float, Square]] = {
    "hopper": ((262.0, 245.0), 0.8, (265.0, 222.0, 178.0)),
    "astronaut": ((226.0, 135.0), 1.5, (226.0, 122.0, 88.0)),
}


@dataclass(frozen=True)
class Clip:
    """A scene in motion, seen by a camera.

    motion: a key of MOTIONS; scene: RGB (H, W, 3) without faults; faces: the true points (F, 68, 2) in the scene;
    middle: the centre of turn and zoom; seed: of the camera's faults.
    """

    motion: str
    scene: AnyArray
    faces: Array
    middle: tuple[float, float]
    frames: int
    seed: int = 0

    def time(self, index: int) -> float:
        """The time of a frame, in seconds."""
        return index / RATE

    def truth(self, index: int) -> Array:
        """The true points (F, 68, 2) in a frame."""
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
    """The RGB image with a lamp's flicker, a sensor's noise and JPEG's artefacts."""
    light = 1 + FLICKER * rng.uniform(-1, 1)
    noisy = light * image + NOISE * rng.standard_normal(image.shape, np.float32)
    pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    _, coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return np.asarray(decoded)  # imencode and imdecode both take RGB for BGR, so the colours come out right


def one_face(motion: str, predictor: Predictor, person: str = "hopper", frames: int = 100, seed: int = 0) -> Clip:
    """A clip of one person with a face about 140 pixels tall."""
    scene, square = _portrait(person)
    return Clip(motion, scene, true_points(scene, [square], predictor), square[:2], frames, seed)


def four_faces(motion: str, predictor: Predictor, frames: int = 100, seed: int = 0) -> Clip:
    """A clip of four portraits, two by two, with faces about 75 pixels tall."""
    scene, squares = np.zeros((HEIGHT, WIDTH, 3), np.uint8), []
    for i, person in enumerate(("hopper", "astronaut", "astronaut", "hopper")):
        portrait, (cx, cy, side) = _portrait(person)
        left, top = i % 2 * WIDTH // 2, i // 2 * HEIGHT // 2
        half = cv2.resize(portrait, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
        scene[top : top + HEIGHT // 2, left : left + WIDTH // 2] = half
        squares.append((cx / 2 + left, cy / 2 + top, side / 2))
    return Clip(motion, scene, true_points(scene, squares, predictor), (WIDTH / 2, HEIGHT / 2), frames, seed)


def true_points(image: AnyArray, squares: list[Square], predictor: Predictor) -> Array:
    """Keypoints (F, 68, 2) of the faces in these squares: means over LOOKS crops, each moved and turned a bit."""
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
    """A person's photo, placed in a frame (480, 640, 3), and the face's square in it."""
    look_at, zoom, (cx, cy, side) = PLACES[person]
    photo = _photo(person)
    corner = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2]) - zoom * np.array(look_at)
    matrix = np.column_stack([zoom * np.eye(2), corner])
    scene = cv2.warpAffine(photo, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return scene, (zoom * cx + corner[0], zoom * cy + corner[1], zoom * side)


def _photo(person: str) -> AnyArray:
    """The photo as its package contains it, RGB."""
    if person == "hopper":
        return read_image(sample_photo())
    from skimage import data

    return np.asarray(data.astronaut())
