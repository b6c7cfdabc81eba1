"""`python -m benchmarks photos`: the time for a photo, and the faces found in it, by its size and its number of faces.

The time runs from the picture in memory to its faces and their points. The photos are composed of free ones
(`benchmarks/quality/scenes.py`). "first search" is the time of the upright search alone.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np

from benchmarks.machine import describe, print_description, write_results
from benchmarks.options import add_shared, at_least
from benchmarks.quality.scenes import GROUP, PAPER, Scene, nobody, paste, rows_of_people
from fkp_app.backends.predictor import get_predictor
from fkp_app.faces.confidence import MIN_CONFIDENCE
from fkp_app.faces.detectors import DEFAULT_DETECTOR, DETECTORS, make_detector
from fkp_app.faces.search import find_faces
from fkp_app.tracking.searches import Search

SIZES = ((640, 480), (1280, 960), (4000, 3000))
"""Width and height, in pixels."""


def scenes(width: int, height: int) -> dict[str, Scene]:
    """Pictures of this size, by what they show."""
    canvas = np.full((height, width, 3), PAPER, np.uint8)
    one = paste(canvas, "hopper", (0.5 * width, 0.5 * height), 0.45 * height)
    return {
        "no face: coffee": nobody("coffee", width, height),
        "no face: page": nobody("page", width, height),
        "one face": Scene(canvas, [one]),
        "ten faces": rows_of_people(width, height, 5, 2, 0.16 * height, GROUP),
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--repeats", type=at_least(1), default=5, help="runs of each (default %(default)s)")
    parser.add_argument("--detector", choices=DETECTORS, default=DEFAULT_DETECTOR, help="default: %(default)s")
    add_shared(parser, "--threads", "--json")


def run(args: argparse.Namespace) -> None:
    """Measure all sizes; print and store them."""
    machine = describe()
    print_description(machine)
    predictor = get_predictor("numpy", threads=args.threads, own_process=True)
    detector = make_detector(args.detector, own_process=True)
    if args.threads is not None:
        cv2.setNumThreads(args.threads)
    upright = Search(detector, [], small=False, turned=False)
    results: dict[str, dict[str, Any]] = {}
    print(f"{'':34}{'faces':>6}{'found':>7}{'false':>7}{'first search':>15}{'whole':>10}")
    for width, height in SIZES:
        for name, scene in scenes(width, height).items():
            faces = find_faces(scene.image, detector, predictor)
            found, false = scene.found([face.keypoints for face in faces])
            row = {
                "faces": len(scene.faces),
                "found": found,
                "false": false,
                "first_ms": median_ms(partial(upright.faces, scene.image, predictor, MIN_CONFIDENCE), args.repeats),
                "ms": median_ms(partial(find_faces, scene.image, detector, predictor), args.repeats),
            }
            title = f"{width} x {height}, {name}"
            results[title] = row
            print(
                f"{title:34}{row['faces']:6}{found:7}{false:7}{row['first_ms']:12.0f} ms{row['ms']:7.0f} ms", flush=True
            )
    if args.json is not None:
        write_results(
            args.json, machine, {"detector": args.detector, "repeats": args.repeats, "threads": args.threads}, results
        )


def median_ms(work: Callable[[], object], repeats: int) -> float:
    """The median time of `work`, in milliseconds."""
    taken = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return 1e3 * float(np.median(taken))
