"""`python -m benchmarks haar-calibration`: how the Haar cascade's boxes lie relative to the labelled faces.

Prints CENTRE_X, CENTRE_Y and SIDE of `fkp_app.faces.detector`, and how far single faces stray from them: the
jitter of the training crops should cover that.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.options import add_shared
from fkp_app.data.dataset import load_split
from fkp_app.faces.detector import Box, FaceDetector, square_from_box
from fkp_app.geometry.framing import Square, face_square
from numpynet.typing import AnyArray

SURE = 3.5
"""Least weight of a candidate that `cascade_faces` takes for a face, if the second cascade agrees."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_shared(parser, "--data", "--every")


def run(args: argparse.Namespace) -> None:
    """Measure the frames of the training split."""
    measure(args.data, args.every)


def measure(data: Path, every: int = 1) -> None:
    """Print the median relation of boxes to face squares, its spread, and the share of faces that were found."""
    dataset, detector = load_split(data, "training"), FaceDetector()
    frames = range(0, len(dataset), every)
    relations: list[tuple[float, float, float]] = []
    false, course_crops = 0, []
    for i in frames:
        sample = dataset[i]
        labelled = face_square(sample["keypoints"])
        course_crops.append(min(sample["image"].shape[:2]) * 224 / 250 / labelled[2])
        boxes = cascade_faces(detector, sample["image"])
        hits = [box for box in boxes if is_near(square_from_box(box), labelled)]
        relations += [relation(box, labelled) for box in hits[:1]]
        false += len(boxes) - len(hits[:1])
    found, rate = 100 * len(relations) / len(frames), false / len(frames)
    print(f"{len(frames)} frames: {found:.1f} % found, {rate:.3f} false faces per frame")
    print(f"course project's crop over face square: median {np.median(course_crops):.3f}")
    print_relations(np.array(relations))


def cascade_faces(detector: FaceDetector, image: AnyArray) -> list[Box]:
    """Boxes of the faces in an RGB image by the cascades alone, without the network, the largest first."""
    boxes = [
        candidate.box for candidate in detector.candidates(image) if candidate.weight >= SURE and candidate.seconded
    ]
    return sorted(boxes, key=lambda box: (-box[2] * box[3], box))


def relation(box: Box, labelled: Square) -> tuple[float, float, float]:
    """From the box's centre to the face square's, right and down, and the square's side; all in widths of the box."""
    x, y, width, height = box
    cx, cy, side = labelled
    return (cx - x - (width - 1) / 2) / width, (cy - y - (height - 1) / 2) / width, side / width


def is_near(square: Square, other: Square) -> bool:
    """Whether a face square lies about where another one lies, and is about as large.

    The centres differ by less than 0.4 of the other's side in x and y, the sides by a factor between 0.4 and 1.6. This
    is looser than what `fkp evaluate` counts as the right face (`protocols.RIGHT_FACE_IOU`): a fit of constants must
    not leave out the very boxes that lie badly.
    """
    strayed = max(abs(square[0] - other[0]), abs(square[1] - other[1]))
    return strayed < 0.4 * other[2] and 0.4 < square[2] / other[2] < 1.6


def print_relations(relations: AnyArray) -> None:
    """Print medians and spread of `relation`s (n, 3)."""
    middle = np.median(relations, axis=0)
    for name, column in zip(("CENTRE_X", "CENTRE_Y", "SIDE"), relations.T, strict=True):
        _line(name, column, "box sides")
    strayed = (relations[:, :2] - middle[:2]) / relations[:, 2:]
    _line("face right of the crop's middle", strayed[:, 0], "face squares")
    _line("face below the crop's middle", strayed[:, 1], "face squares")
    _line("crop larger than it should be", middle[2] / relations[:, 2], "times")


def _line(name: str, column: AnyArray, unit: str) -> None:
    low, middle, high = np.percentile(column, [5, 50, 95])
    print(f"{name:32s} median {middle:+.3f}   5 % {low:+.3f}   95 % {high:+.3f}   {unit}")
