"""`python -m benchmarks net-confidence`: the constants of `confidence.NET`, and what thresholds on it do.

The constants are fitted to frames of the training people and to pictures composed of them, of photos without faces and
of drawn patterns; the faces found and the false faces are counted on the validation people. Run it again whenever the
weights of the finder or those of the keypoints change. In frames only one face is labelled, so a second real face
counts as false.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.calibration.haar_confidence import Judged, fit, print_thresholds
from benchmarks.options import add_shared
from fkp_app.backends.predictor import Predictor, get_predictor
from fkp_app.data.dataset import FacialKeypointsDataset, load_split
from fkp_app.faces.confidence import NET, features
from fkp_app.faces.keypoints import sights
from fkp_app.faces.proposals import NetDetector
from fkp_app.geometry.face_grid import Spot
from fkp_app.geometry.framing import face_square, upright
from fkp_app.training.finder.backgrounds import shipped_photos
from fkp_app.training.finder.frames import labelled_frames
from fkp_app.training.finder.recipe import SHIPPED_RECIPE, load_finder_recipe
from fkp_app.training.finder.scenes import Composer, Labelled, Scenes
from numpynet.typing import AnyArray, Array

SIZE = 448
"""Side of the composed pictures."""
SIDES = (26.0, 200.0)
"""Sides of the faces in them."""
SMALLEST = 24.0
"""Smaller faces count neither as right nor as false."""

Picture = tuple[AnyArray, Sequence[Spot], Sequence[Spot]]
"""An RGB image, its faces, and the places where nobody knows."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options; --every applies to the training people alone."""
    add_shared(parser, "--data", "--every")
    parser.add_argument("--finder", type=Path, help="a finder's .safetensors file (default: the shipped weights)")
    parser.add_argument("--weights", type=Path, help="the keypoints' .safetensors file (default: the shipped weights)")
    parser.add_argument("--scenes", type=int, default=400, help="number of composed pictures (default: %(default)s)")


def run(args: argparse.Namespace) -> None:
    """Fit and print the constants; print what the fitted and the current constants find at each threshold."""
    detector, predictor = NetDetector(args.finder), get_predictor("numpy", args.weights)
    training, validation = (load_split(args.data, split) for split in ("training", "validation"))
    training = training.subset(range(0, len(training), args.every))
    sets = {
        "training": [*natural(training), *composed(training, args.scenes, 1)],
        "validation, frames": natural(validation),
        "validation, composed": composed(validation, args.scenes // 2, 2),
    }
    print("composed pictures have several faces: there, found counts pictures, and false all faces but the surest")
    judged = {name: judge(pictures, detector, predictor) for name, pictures in sets.items()}
    intercept, coefficients = fit(judged["training"])
    print(f"NET = Fit({NET.features}, {intercept:.2f}, ({', '.join(f'{number:.2f}' for number in coefficients)}))")
    for name, pictures in judged.items():
        print_thresholds(f"{name}, as fitted now", pictures, intercept, coefficients)
        print_thresholds(f"{name}, as in the code", pictures, NET.intercept, np.array(NET.coefficients))


def natural(dataset: FacialKeypointsDataset) -> Iterator[Picture]:
    """The frames as they are."""
    for i in range(len(dataset)):
        sample = dataset[i]
        points = sample["keypoints"].astype(np.float64)
        yield sample["image"], [Spot(*upright(points, face_square(points)))], []


def composed(dataset: FacialKeypointsDataset, count: int, seed: int) -> Iterator[Picture]:
    """Pictures composed of the frames, with faces of many sizes."""
    recipe, rng = load_finder_recipe(SHIPPED_RECIPE), np.random.default_rng(seed)
    frames: list[Labelled] = list(labelled_frames(dataset))
    composer = Composer(frames, shipped_photos(), Scenes(sides=SIDES, any_sides=SIDES), recipe.augmentation, SIZE)
    for _ in range(count):
        scene = composer(rng)
        large = [face for face in scene.faces if face.square[2] >= SMALLEST]
        others = [face for face in scene.faces if face.square[2] < SMALLEST]
        gray = np.round(255 * scene.image[0]).astype(np.uint8)
        yield cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB), large, [*others, *scene.unclear]


def judge(pictures: Iterable[Picture], detector: NetDetector, predictor: Predictor) -> list[Judged]:
    """The detector's proposals in each picture, with the points that the network puts on them."""
    frames = []
    for image, faces, unclear in pictures:
        proposals = detector.candidates(image)
        squares, angles = [one.square for one in proposals], [one.angle for one in proposals]
        first, second = sights(image, squares, angles, predictor, 1)
        values, right, kept = [], [], []
        for i, proposal in enumerate(proposals):
            is_right = any(_shows(second[i], face) for face in faces)
            if is_right or not any(_near(second[i], face) for face in unclear):
                values.append(features(proposal, first[i], second[i]))
                right.append(is_right)
                kept.append(i)
        errors = np.zeros((3, len(kept)))
        frames.append(Judged(np.array(values).reshape(-1, 4), second[kept], np.array(right, bool), errors))
    return frames


def _shows(points: Array, face: Spot) -> bool:
    """Whether the points are on this face, the right way up."""
    (x, y, side), angle = upright(points, face_square(points))
    near = np.hypot(x - face.square[0], y - face.square[1]) < 0.3 * face.square[2]
    turned = abs((angle - face.angle + 180) % 360 - 180)
    return bool(near and 0.6 < side / face.square[2] < 1.6 and turned < 30)


def _near(points: Array, face: Spot) -> bool:
    x, y, side = face_square(points)
    return bool(np.hypot(x - face.square[0], y - face.square[1]) < 0.8 * max(side, face.square[2]))
