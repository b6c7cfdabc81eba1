"""`python -m benchmarks changed-frames`: faces found in labelled frames that were turned, or pasted four to a picture.

In frames only one face is labelled, so a second real face counts as false.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from benchmarks.options import add_shared
from fkp_app.backends.predictor import BACKENDS
from fkp_app.data.dataset import FacialKeypointsDataset, load_split
from fkp_app.data.labelled_photos import LabelledFace, LabelledPhoto
from fkp_app.evaluation.photos import PhotoResult, compared, photo_figures, photo_table
from fkp_app.evaluation.views import rotated_frame
from fkp_app.faces.detectors import DEFAULT_DETECTOR, DETECTORS
from fkp_app.faces.finder import QUALITIES, load_finder
from numpynet.typing import AnyArray, Array

MOST_TURN = 60.0
"""Frames are turned by up to so many degrees, either way."""
CELL = 400
"""Longer side, in pixels, of a frame that is pasted beside others."""
PAPER = 200
"""Gray level of what no frame covers."""


class Picture(NamedTuple):
    """An RGB image and the points (68, 2) of its labelled faces."""

    image: AnyArray
    faces: list[Array]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_shared(parser, "--data", "--every", "--threads")
    parser.add_argument("--split", default="validation", help="the people (default: %(default)s)")
    parser.add_argument("--backend", choices=BACKENDS, default="numpy", help="default: %(default)s")
    parser.add_argument("--detector", choices=DETECTORS, default=DEFAULT_DETECTOR, help="default: %(default)s")
    parser.add_argument("--quality", choices=QUALITIES, default=QUALITIES[0], help="default: %(default)s")


def run(args: argparse.Namespace) -> None:
    """Print what is found in the frames as they are, in turned ones, and in pictures of four."""
    dataset = load_split(args.data, args.split)
    dataset = dataset.subset(range(0, len(dataset), args.every))
    find = load_finder(args.backend, threads=args.threads, detector=args.detector, quality=args.quality)
    print(f"{args.split}, backend {args.backend}, detector {args.detector}, quality {args.quality}\n")
    kinds: dict[str, Callable[[FacialKeypointsDataset], Iterator[Picture]]] = {
        "as they are": as_they_are,
        f"turned by up to {MOST_TURN:.0f} degrees": turned,
        "four in a picture": four,
    }
    figures = {}
    for name, pictures in kinds.items():
        results = list[PhotoResult]()
        for image, faces in pictures(dataset):
            labelled = [LabelledFace(None, points) for points in faces]
            results.append(compared(LabelledPhoto(str(len(results)), Path(), labelled), find(image)))
        figures[name] = photo_figures(results)
    print(photo_table(figures))


def as_they_are(dataset: FacialKeypointsDataset) -> Iterator[Picture]:
    """The frames."""
    for i in range(len(dataset)):
        sample = dataset[i]
        yield Picture(sample["image"], [sample["keypoints"].astype(np.float64)])


def turned(dataset: FacialKeypointsDataset) -> Iterator[Picture]:
    """Each frame rotated about its face by any angle. The frame's last pixels repeat beyond its edges."""
    rng = np.random.default_rng(0)
    for image, (points,) in as_they_are(dataset):
        rotated, truth = rotated_frame(image, points, rng.uniform(-MOST_TURN, MOST_TURN))
        yield Picture(rotated, [truth])


def four(dataset: FacialKeypointsDataset) -> Iterator[Picture]:
    """Every frame once, two by two on gray paper, in an order in which neighbours are of different people."""
    pictures = list(as_they_are(dataset))
    quarter = len(pictures) // 4
    for first in range(quarter):
        canvas, faces = np.full((2 * CELL, 2 * CELL, 3), PAPER, np.uint8), []
        for place in range(4):
            image, (points,) = pictures[first + place * quarter]
            height, width = image.shape[:2]
            zoom = CELL / max(height, width)
            small = cv2.resize(image, (round(width * zoom), round(height * zoom)), interpolation=cv2.INTER_AREA)
            top, left = CELL * (place // 2), CELL * (place % 2)
            canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
            ratio = np.array([small.shape[1] / width, small.shape[0] / height])
            faces.append((points + 0.5) * ratio - 0.5 + (left, top))  # pixel centres lie at whole numbers
        yield Picture(canvas, faces)
