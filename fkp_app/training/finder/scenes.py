"""Pictures composed for the finder: faces of labelled frames, at every size and roll, before any background."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np

from fkp_app.geometry.face_grid import Spot
from fkp_app.geometry.framing import Framing, Square, apply, crop_matrix, to_gray, warp
from fkp_app.tables import Range, Share, Within
from fkp_app.training.augmentation import Augmentation, RandomChanges
from fkp_app.training.finder.backgrounds import pattern
from numpynet.typing import AnyArray, Array


@dataclass(frozen=True)
class Labelled:
    """A gray frame (H, W) uint8, its labelled face, and the places that may show further faces, without a label."""

    image: AnyArray
    face: Spot
    unclear: tuple[Square, ...] = ()


@dataclass(frozen=True)
class Scene:
    """A composed picture: image (1, size, size) float32 in 0 .. 1, its faces, and the places where nobody knows."""

    image: Array
    faces: list[Spot]
    unclear: list[Spot]


@dataclass(frozen=True)
class Scenes:
    """How pictures are composed. A picture is divided into 1, 2 or 4 tiles; each shows a frame or a background.

    faces: share of the tiles that show a frame. sides: the range of most faces' sides, in pixels; any_sides: that of
    the others, a share `wild` of them. tilted, turned: shares of faces rolled evenly within ±60 degrees and within the
    full circle; the others by a normal distribution with a standard deviation of `roll` degrees. squeeze: the largest
    change of the ratio of height to width, as a power of e. cut_out: share of frames of which only the surroundings of
    the face are shown, with soft edges.
    """

    faces: Share = 0.7
    sides: Annotated[Range, Within(1, 1000)] = (21.0, 54.0)
    any_sides: Annotated[Range, Within(1, 1000)] = (8.0, 250.0)
    wild: Share = 0.3
    roll: Annotated[float, Within(0, 180)] = 20.0
    tilted: Share = 0.2
    turned: Share = 0.25
    squeeze: Annotated[float, Within(0, 1)] = 0.12
    cut_out: Share = 0.4
    photos: Share = 0.6
    """Share of backgrounds that are photos; the others are drawn patterns or enlarged frames."""


class Composer:
    """Called with a generator of random numbers, it composes a Scene."""

    def __init__(
        self,
        frames: Sequence[Labelled],
        photos: Sequence[AnyArray],
        scenes: Scenes,
        augmentation: Augmentation,
        size: int = 128,
    ) -> None:
        self.frames, self.photos, self.scenes, self.size = frames, photos, scenes, size
        self.changes = augmentation.changes()

    def __call__(self, rng: np.random.Generator) -> Scene:
        picture: AnyArray = np.empty((self.size, self.size), np.uint8)
        faces: list[Spot] = []
        unclear: list[Spot] = []
        for left, top, right, bottom in _tiles(self.size, rng):
            part = picture[top:bottom, left:right]
            if rng.random() < self.scenes.faces:
                self._show_frame(part, (left, top), faces, unclear, rng)
            else:
                self._show_background(part, (left, top), unclear, rng)
        changed = RandomChanges(self.changes, rng)({"image": picture})
        return Scene(to_gray(changed["image"])[None], faces, unclear)

    def _show_background(
        self, part: AnyArray, corner: tuple[int, int], unclear: list[Spot], rng: np.random.Generator
    ) -> None:
        """Draw a background into `part`, a tile of the picture, and add the face that it may show to `unclear`."""
        picture, large = self._background(rng)
        part[...] = picture[: part.shape[0], : part.shape[1]]
        if large is not None:
            x, y, side = large.square
            unclear.append(Spot((x + corner[0], y + corner[1], side), large.angle))

    def _background(self, rng: np.random.Generator) -> tuple[AnyArray, Spot | None]:
        """A picture (size, size) without a face that the network should find, and the larger face in it, if any."""
        size, kind = self.size, rng.random()
        if self.photos and kind < self.scenes.photos:
            photo = self.photos[int(rng.integers(len(self.photos)))]
            height, width = photo.shape
            side = np.exp(rng.uniform(np.log(0.6 * size), np.log(max(0.6 * size, min(height, width)))))
            centre = [rng.uniform(min(side, extent) / 2, extent - min(side, extent) / 2) for extent in (width, height)]
            square = (centre[0], centre[1], side)
            matrix = crop_matrix(square, Framing("face", size, 1.0), _turn(rng), flip=rng.random() < 0.5)
            return warp(photo, matrix, size), None
        if kind < self.scenes.photos + 0.2:  # a frame so large that its face has another size
            frame = self.frames[int(rng.integers(len(self.frames)))]
            x, y, side = frame.face.square
            away = rng.uniform(-0.8, 0.8, 2) * side
            square = (x + away[0], y + away[1], side * size / rng.uniform(110, 400))
            angle = rng.uniform(-180, 180)
            matrix = crop_matrix(square, Framing("face", size, 1.0), angle)
            middle = apply(matrix, np.array([(x, y)]))[0]
            shown = Spot((float(middle[0]), float(middle[1]), side * size / square[2]), frame.face.angle - angle)
            return warp(frame.image, matrix, size), shown
        return pattern(size, rng), None

    def _show_frame(
        self,
        part: AnyArray,
        corner: tuple[int, int],
        faces: list[Spot],
        unclear: list[Spot],
        rng: np.random.Generator,
    ) -> None:
        """Draw a frame into `part`, a tile of the picture, and add its faces to the lists."""
        scenes, (height, width) = self.scenes, part.shape
        frame = self.frames[int(rng.integers(len(self.frames)))]
        low, high = scenes.any_sides if rng.random() < scenes.wild else scenes.sides
        zoom = np.exp(rng.uniform(np.log(low), np.log(high))) / frame.face.square[2]
        roll = self._roll(rng) - frame.face.angle  # what the frame is turned by
        # The face's middle lies in the tile, or a little outside of it.
        place = [rng.uniform(-0.1, 1.1) * extent for extent in (width, height)]
        turn = np.deg2rad(roll)
        linear = zoom * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        squeeze = np.exp(rng.uniform(-scenes.squeeze, scenes.squeeze) / 2)
        linear = linear @ np.diag([squeeze, 1 / squeeze])
        flipped = rng.random() < 0.5
        if flipped:
            linear[0] *= -1
        matrix = np.column_stack([linear, place - linear @ frame.face.square[:2]])
        self._show_background(part, corner, unclear, rng)
        soft = rng.random() < scenes.cut_out
        shown = _overlay(part, frame, matrix, zoom, rng.uniform(0.75, 1.2) if soft else None)
        # The angle by which the picture must be turned to make the face upright.
        angle = roll + frame.face.angle
        angle = -angle if flipped else angle
        face = Spot((place[0], place[1], zoom * frame.face.square[2]), angle)
        moved = Spot((face.square[0] + corner[0], face.square[1] + corner[1], face.square[2]), angle)
        seen = _seen(face.square, shown)
        if seen > 0.65:
            faces.append(moved)
        elif seen > 0.1:
            unclear.append(moved)
        for x, y, side in frame.unclear:
            ((cx, cy),) = apply(matrix, np.array([(x, y)]))
            if 0 <= cx < width and 0 <= cy < height:
                unclear.append(Spot((cx + corner[0], cy + corner[1], 1.5 * zoom * side), 0.0))

    def _roll(self, rng: np.random.Generator) -> float:
        kind = rng.random()
        if kind < self.scenes.turned:
            return float(rng.uniform(-180, 180))
        if kind < self.scenes.turned + self.scenes.tilted:
            return float(rng.uniform(-60, 60))
        return float(rng.normal(0, self.scenes.roll))


def _tiles(size: int, rng: np.random.Generator) -> list[tuple[int, int, int, int]]:
    """The tiles of a picture: left, top, right, bottom."""
    x, y = (round(size * rng.uniform(0.35, 0.65)) for _ in range(2))
    kind = rng.random()
    if kind < 0.3:
        return [(0, 0, size, size)]
    if kind < 0.4:
        return [(0, 0, x, size), (x, 0, size, size)]
    if kind < 0.5:
        return [(0, 0, size, y), (0, y, size, size)]
    return [(0, 0, x, y), (x, 0, size, y), (0, y, x, size), (x, y, size, size)]


def _turn(rng: np.random.Generator) -> float:
    """The angle of a background: most stand upright."""
    return float(rng.uniform(-180, 180) if rng.random() < 0.3 else rng.normal(0, 8))


def _overlay(part: AnyArray, frame: Labelled, matrix: Array, zoom: float, soft: float | None) -> AnyArray:
    """Draw the frame, mapped by `matrix`, over `part`; return how much of each pixel it covers, 0 .. 1.

    soft: show only an oval about the face, this many sides from its middle, with soft edges.
    """
    image, height, width = frame.image, *part.shape
    factor = 2 ** int(np.floor(np.log2(0.5 / zoom)) + 1) if zoom < 0.5 else 1
    if factor > 1:  # shrunk by area first, which avoids aliasing
        size = (max(1, image.shape[1] // factor), max(1, image.shape[0] // factor))
        ratio = np.array([image.shape[1] / size[0], image.shape[0] / size[1]])
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        back = np.column_stack([np.diag(ratio), ratio / 2 - 0.5])
        matrix = np.column_stack([matrix[:, :2] @ back[:, :2], apply(matrix, back[None, :, 2])[0]])
    else:
        ratio = np.ones(2)
    drawn = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR)
    cover: AnyArray = np.full(image.shape, 255, np.uint8)
    if soft is not None:
        cover[...] = 0
        x, y, side = frame.face.square
        centre = ((x + 0.5) / ratio[0] - 0.5, (y - 0.1 * side + 0.5) / ratio[1] - 0.5)
        axes = (0.85 * soft * side / ratio[0], soft * side / ratio[1])
        cv2.ellipse(cover, (centre, (2 * axes[0], 2 * axes[1]), -frame.face.angle), 255, -1)
        cover = cv2.GaussianBlur(cover, (0, 0), max(0.3, 0.06 * side / ratio[0]))
    shown = cv2.warpAffine(cover, matrix, (width, height), flags=cv2.INTER_LINEAR).astype(np.float32) / 255
    part[...] = np.round(shown * drawn + (1 - shown) * part)
    return shown


def _seen(square: Square, shown: AnyArray) -> float:
    """The share of a face's circle that is shown."""
    x, y, side = square
    radius, (height, width) = 0.45 * side, shown.shape
    steps = np.linspace(-radius, radius, 11)
    across, down = np.meshgrid(steps, steps)
    inside = np.hypot(across, down) <= radius
    columns, rows = np.round(x + across[inside]).astype(int), np.round(y + down[inside]).astype(int)
    within = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    return float(shown[rows[within], columns[within]].sum() / inside.sum())
