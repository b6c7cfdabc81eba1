"""`python -m benchmarks haar-search`: the faces found and the false faces for each setting of the Haar step.

All windows that pass a cascade are kept, so one search shows the effect of every threshold: on the number of windows in
a group (OpenCV's minNeighbors), on the weight of the best window, and on the sum of the weights, which
`fkp_app.faces.detector` uses. Choose settings by the validation and training people; the report people are for final
figures alone.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from benchmarks.calibration.haar_calibration import is_near
from benchmarks.options import add_shared
from fkp_app.data.dataset import FacialKeypointsDataset, load_split
from fkp_app.faces.detector import MIN_SHARE, PASSED, load_cascade, square_from_box
from fkp_app.geometry.boxes import group
from fkp_app.geometry.framing import Square, face_square
from fkp_app.pipeline.results import write_result
from numpynet.typing import AnyArray

CASCADES = ("default", "alt", "alt2", "alt_tree")
SCALE_FACTORS = (1.05, 1.1, 1.2)
MIN_NEIGHBORS = (0, 1, 2, 3, 5, 8)
SIZES = (24, 30, 36)
"""Sides of the smallest window, in pixels."""
FOUND = (0.995, 0.99, 0.98)
"""Shares of faces: for each, the highest threshold on the weights at which this share is still found is a row."""

Frame = tuple[AnyArray, Square]
"""A frame in grayscale, and where its face is."""


class Group(NamedTuple):
    """A group of overlapping windows: their number, the largest and the sum of their weights, if it is the face."""

    size: int
    best: float
    sum: float
    right: bool


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_shared(parser, "--data", "--every")
    parser.add_argument("--split", choices=("validation", "training"), default="validation")
    parser.add_argument("--cascades", nargs="+", choices=CASCADES, default=CASCADES, help="default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there; - for stdout")


def run(args: argparse.Namespace) -> None:
    """Measure all settings; print and store them."""
    cv2.setNumThreads(1)
    rows = measure(frames(load_split(args.data, args.split), args.every), args.cascades)
    if args.json is not None:
        write_result(args.json, json.dumps(rows) + "\n")


def frames(dataset: FacialKeypointsDataset, every: int) -> list[Frame]:
    """Every `every`-th frame of the data set."""
    samples = (dataset[i] for i in range(0, len(dataset), every))
    return [(cv2.cvtColor(one["image"], cv2.COLOR_RGB2GRAY), face_square(one["keypoints"])) for one in samples]


def measure(faces: list[Frame], cascades: Iterable[str]) -> list[dict[str, Any]]:
    """A row for each cascade, scaleFactor, smallest window and threshold; each is printed as soon as it is measured."""
    rows = []
    for name in cascades:
        cascade = load_cascade(f"haarcascade_frontalface_{name}.xml")
        for factor in SCALE_FACTORS:
            for size in SIZES:
                search = {"cascade": name, "scale_factor": factor, "min_size": size}
                for row in thresholds(*searched(cascade, factor, size, faces)):
                    rows.append(search | row)
                    print(_line(rows[-1]), flush=True)
    return rows


def searched(
    cascade: cv2.CascadeClassifier, factor: float, size: int, faces: list[Frame]
) -> tuple[list[list[Group]], float]:
    """The groups of windows in each frame, and the milliseconds of processor time per frame."""
    found, seconds = [], 0.0
    for gray, _ in faces:
        least = max(size, round(MIN_SHARE * min(gray.shape)))
        begin = time.thread_time()
        all_windows, _, all_passed = cascade.detectMultiScale3(
            gray, factor, 0, minSize=(least, least), outputRejectLevels=True
        )
        seconds += time.thread_time() - begin
        found.append((np.reshape(all_windows, (-1, 4)).astype(np.float64), np.ravel(all_passed).astype(np.float64)))
    # The smallest weight of a passing window: close to the threshold of the cascade's last stage.
    mark = min((passed.min() for _, passed in found if len(passed)), default=0.0)
    groups = []
    for (windows, passed), (_, square) in zip(found, faces, strict=True):
        boxes, names = group(windows)
        best = [passed[names == i].max() for i in range(len(boxes))]
        right = [is_near(square_from_box(box), square) for box in boxes]
        sums = np.bincount(names, passed - mark + PASSED, minlength=len(boxes))
        groups.append(list(map(Group, np.bincount(names, minlength=len(boxes)), best, sums, right)))
    return groups, 1000 * seconds / len(faces)


def thresholds(groups: list[list[Group]], ms: float) -> list[dict[str, Any]]:
    """Rows for each of MIN_NEIGHBORS, and for the thresholds on weights at which each share in FOUND is still found."""
    kinds: list[tuple[str, Callable[[Group], float]]] = [
        ("minNeighbors", lambda one: one.size - 1),  # OpenCV requires more than minNeighbors windows
        ("best weight", lambda one: one.best),
        ("sum of weights", lambda one: one.sum),
    ]
    rows = []
    for kind, of in kinds:
        best = np.array([max((of(one) for one in frame if one.right), default=-np.inf) for frame in groups])
        levels = MIN_NEIGHBORS if of is kinds[0][1] else np.quantile(best, 1 - np.array(FOUND), method="lower")
        for level in levels:
            false = np.array([sum(of(one) >= level and not one.right for one in frame) for frame in groups])
            rows.append(
                {
                    "threshold": kind,
                    "level": float(level),
                    "found": float(np.mean(best >= level)),
                    "false_a_frame": float(false.mean()),
                    "frames_with_false": float(np.mean(false > 0)),
                    "ms": ms,
                }
            )
    return rows


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['cascade']:8s} {row['scale_factor']:4.2f} {row['min_size']:3d} px   {row['threshold']:14s} "
        f"{row['level']:7.2f}   found {100 * row['found']:6.2f} %   false {row['false_a_frame']:.4f} per frame, in "
        f"{100 * row['frames_with_false']:5.2f} % of frames   {row['ms']:5.1f} ms"
    )
