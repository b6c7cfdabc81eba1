"""Cartoon faces whose 68 keypoints are known exactly, and a data set of them in the published layout.

The layout of the points is repeated here, so that a mistake in fkp_app.geometry.keypoint_layout is found.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Points = NDArray[np.float64]
Colour = tuple[int, int, int]

TRAINING_PEOPLE = ("Ada_Circle", "Bruno_Square", "Zoé_Prism", "Dan_Oval", "Eva_Arc", "Finn_Spiral")
VALIDATION_PEOPLE = ("Gus_Cube", "Mia_Line")
REPORT_PEOPLE = ("Chloé_Rhombus", "Jan_Sphere")
"""Made-up names, chosen so that their hashes put them into this split; test_dataset.py checks it."""

FINER = 4
"""Pictures are drawn this many times larger and then averaged, which smooths every edge."""


@dataclass(frozen=True)
class Person:
    """The proportions and colours that stay the same in all frames of a person."""

    width: float
    eyes: float
    mouth: float
    skin: Colour
    iris: Colour


def draw_person(rng: np.random.Generator) -> Person:
    """A person with random proportions and colours."""
    shade = rng.uniform(0.45, 1.0)
    skin = _colour(shade * np.array([250, 205, 170]) + rng.uniform(-10, 5, 3))
    iris = _colour(rng.uniform(20, 110, 3))
    return Person(rng.uniform(0.85, 1.0), rng.uniform(0.9, 1.1), rng.uniform(0.8, 1.2), skin, iris)


def face_shape(person: Person | None = None, opened: float = 0.04) -> Points:
    """The 68 points (68, 2) of an upright face about (0, 0), y downwards, 1 wide. opened: the mouth's gap."""
    person = person or Person(1.0, 1.0, 1.0, (230, 190, 160), (60, 60, 60))
    turn = np.pi * np.arange(17) / 16
    jaw = np.column_stack([-0.5 * person.width * np.cos(turn), -0.12 + 0.62 * np.sin(turn) ** 0.9])
    along = np.arange(5) / 4
    brow = np.column_stack([-0.40 + 0.30 * along, -0.27 - 0.07 * np.sin(np.pi * (along + 0.1) / 1.2)])
    bridge = np.column_stack([np.zeros(4), np.linspace(-0.15, 0.08, 4)])
    nostrils = np.column_stack([np.linspace(-0.09, 0.09, 5), 0.13 + 0.03 * np.array([0, 0.6, 1, 0.6, 0])])
    eye = np.array([[-0.32, -0.12], [-0.26, -0.16], [-0.18, -0.16], [-0.12, -0.12], [-0.18, -0.09], [-0.26, -0.09]])
    eye[:, 0] *= person.eyes
    mirror = np.array([-1.0, 1.0])
    upper, lower = 0.26, 0.35
    outer = [[-0.2, 0.3], [-0.12, upper + 0.01], [-0.05, upper], [0, upper + 0.01]]
    outer += [[0.05, upper], [0.12, upper + 0.01], [0.2, 0.3]]
    outer += [[0.12, lower - 0.01], [0.05, lower], [0, lower], [-0.05, lower], [-0.12, lower - 0.01]]
    inner = [[-0.17, 0.3], [-0.06, 0.285], [0, 0.285], [0.06, 0.285], [0.17, 0.3], [0.06, 0.305], [0, 0.305]]
    mouth = np.array([*outer, *inner, [-0.06, 0.305]])
    mouth[[7, 8, 9, 10, 11, 17, 18, 19], 1] += opened  # points 55 to 59 and 65 to 67, the lower edges
    mouth[:, 0] *= person.mouth
    # From the picture's left to its right: a brow mirrored runs backwards, an eye mirrored begins at its inner corner.
    left_eye = (eye * mirror)[[3, 2, 1, 0, 5, 4]]
    return np.concatenate([jaw, brow, (brow * mirror)[::-1], bridge, nostrils, eye, left_eye, mouth])


def draw_face(
    rng: np.random.Generator, person: Person | None = None, size: tuple[int, int] | None = None, roll: float = 15.0
) -> tuple[NDArray[np.uint8], Points]:
    """A picture, uint8 RGB (H, W, 3), and the keypoints (68, 2) in its pixels, whose centres lie at whole coordinates.

    size: (width, height), random if None; roll: the face is turned by at most this many degrees either way.
    """
    person = person or draw_person(rng)
    width, height = size or (int(rng.integers(96, 180)), int(rng.integers(96, 180)))
    side = min(width, height) * rng.uniform(0.5, 0.68)
    angle = np.deg2rad(rng.uniform(-roll, roll))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    room = np.array([width, height]) / 2 - 0.62 * side
    middle = np.array([width - 1, height - 1]) / 2 + rng.uniform(-1, 1, 2) * np.maximum(room, 0)
    points = side * face_shape(person, rng.uniform(0, 0.1)) @ turn.T + middle
    image = Image.new("RGB", (width * FINER, height * FINER), _colour(rng.uniform(30, 220, 3)))
    _paint(image, (points + 0.5) * FINER - 0.5, side * FINER, turn, person)
    small = np.asarray(image.reduce(FINER)).astype(np.float64)
    noisy = small + rng.normal(0, 4, small.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8), points


def _colour(numbers: NDArray[np.float64]) -> Colour:
    red, green, blue = (int(number) for number in numbers)
    return red, green, blue


def _paint(image: Image.Image, points: Points, side: float, turn: Points, person: Person) -> None:
    """Draw the face with these points (68, 2), in pixels of the image."""
    pen = ImageDraw.Draw(image)
    thick = max(1, round(0.03 * side))

    def polygon(numbers: list[int], colour: Colour) -> None:
        pen.polygon([tuple(points[i]) for i in numbers], fill=colour)

    def line(numbers: list[int], colour: Colour, width: int = thick) -> None:
        pen.line([tuple(points[i]) for i in numbers], fill=colour, width=width, joint="curve")

    dark = (40, 25, 20)
    skull = np.linspace(0, -np.pi, 24)
    top = np.column_stack([0.5 * person.width * np.cos(skull), -0.12 + 0.42 * np.sin(skull)])
    origin = (points[0] + points[16]) / 2 - side * turn @ np.array([0, -0.12])
    pen.polygon([tuple(p) for p in points[:17]] + [tuple(p) for p in side * top @ turn.T + origin], fill=person.skin)
    shadow = (person.skin[0] * 3 // 5, person.skin[1] * 3 // 5, person.skin[2] * 3 // 5)
    line(list(range(17)), shadow)
    for brow in (range(17, 22), range(22, 27)):
        line(list(brow), dark, 2 * thick)
    line(list(range(27, 31)), shadow)
    line(list(range(31, 36)), shadow)
    for eye in (range(36, 42), range(42, 48)):
        polygon(list(eye), (250, 250, 250))
        x, y = points[list(eye)].mean(axis=0)
        pen.ellipse([x - 1.2 * thick, y - 1.2 * thick, x + 1.2 * thick, y + 1.2 * thick], fill=person.iris)
        line([*eye, eye[0]], dark, max(1, thick // 3))
    polygon(list(range(48, 60)), (190, 60, 70))
    polygon(list(range(60, 68)), (70, 10, 20))


def write_dataset(
    root: Path, people: int = 5, videos: int = 2, frames: int = 3, test_frames: int = 2, seed: int = 0
) -> Path:
    """Draw a data set into `root`, in the published layout with its oddities, and return `root`.

    There are training/ and test/, whose files have the same names, and their CSV files, whose first column has no name.
    Every third file is an RGBA PNG although called .jpg. Each folder has one frame that no CSV names. One person in
    four belongs to validation, one in five to report.
    """
    if not 2 <= people <= 8:
        raise ValueError(f"people must lie in 2 .. 8, got {people}")
    seen, reported = max(1, people // 4), people // 5
    names = TRAINING_PEOPLE[: people - seen - reported] + VALIDATION_PEOPLE[:seen] + REPORT_PEOPLE[:reported]
    rng = np.random.default_rng(seed)
    persons = {name: draw_person(rng) for name in names}
    for folder, count in (("training", frames), ("test", test_frames)):
        (root / folder).mkdir(parents=True)
        files = [f"{name}_{video}{frame}.jpg" for name in names for video in range(videos) for frame in range(count)]
        labels: list[Points] = []
        for i, file in enumerate([*files, f"{names[0]}_99.jpg"]):
            image, points = draw_face(rng, persons[file.rpartition("_")[0]])
            write_frame(root / folder / file, image, png=i % 3 == 0)
            labels.append(points)
        write_labels(root / f"{folder}_frames_keypoints.csv", files, labels[: len(files)])
    return root


def write_frame(path: Path, image: NDArray[np.uint8], png: bool) -> None:
    """Write a picture as in the data set: a JPEG or an RGBA PNG, whatever the suffix is."""
    picture = Image.fromarray(image)
    if png:
        picture.convert("RGBA").save(path, "PNG", compress_level=1)
    else:
        picture.save(path, "JPEG", quality=95)


def write_own_photos(root: Path, count: int = 200, seed: int = 0, side: int = 160) -> Path:
    """Draw `count` photos called IMG_0001.JPG and so on into `root`, with keypoints.csv beside them, and return `root`.

    The CSV is as a spreadsheet might export it: the columns are called file, x0, y0, ... x67, y67.
    """
    root.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    files = [f"IMG_{i:04d}.JPG" for i in range(1, count + 1)]
    labels = []
    for file in files:
        image, points = draw_face(rng, size=(side, side))
        write_frame(root / file, image, png=False)
        labels.append(points)
    write_own_labels(root / "keypoints.csv", files, labels)
    return root


def write_own_labels(path: Path, files: list[str], labels: list[Points], people: list[str] | None = None) -> None:
    """Write a label file of own photos, with a column `person` if people are given."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        names = [f"{axis}{i}" for i in range(68) for axis in "xy"]
        writer.writerow(["file", *names] if people is None else ["file", "person", *names])
        for i, (name, points) in enumerate(zip(files, labels, strict=True)):
            who = [] if people is None else [people[i]]
            writer.writerow([name, *who, *(round(float(v), 2) for v in points.ravel())])


def write_labels(path: Path, files: list[str], labels: list[Points]) -> None:
    """Write a label file: a first column without a name, then 0 .. 135, x and y in turn."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["", *range(136)])
        for name, points in zip(files, labels, strict=True):
            writer.writerow([name, *(round(float(v), 4) for v in points.ravel())])
