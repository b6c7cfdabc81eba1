"""`python -m benchmarks hard-photos`: faces found and false ones in photos that are large, dark, turned or of things.

The photos are composed of two free ones (`benchmarks/quality/scenes.py`). Two ways are compared: the first search that
finds a face (of the upright picture, else with extended edges, else turned), as in a frame of a video, and the searches
of a photo.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.quality.scenes import ROWS, Scene
from fkp_app.backends.predictor import get_predictor
from fkp_app.faces.confidence import MIN_CONFIDENCE
from fkp_app.faces.detectors import DETECTORS, make_detector
from fkp_app.faces.keypoints import Face
from fkp_app.faces.search import find_faces
from fkp_app.pipeline.results import write_result
from fkp_app.tracking.searches import Search
from numpynet.typing import AnyArray

FIRST, ALL = "first search that finds one", "as fkp detect"
Find = Callable[[AnyArray], list[Face]]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--rows", nargs="+", metavar="WORD", help="only kinds of photos whose name has one of these")
    parser.add_argument("--detector", choices=DETECTORS, help="what proposes faces (default: as fkp detect)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there; - for stdout")


def run(args: argparse.Namespace) -> None:
    """Measure the rows, print each when it is measured, and store them."""
    predictor = get_predictor("numpy")
    detector = make_detector(args.detector)
    first = Search(detector, [], small=False, turned=True, turned_small=False)
    ways: dict[str, Find] = {
        FIRST: lambda image: first.faces(image, predictor, MIN_CONFIDENCE),
        ALL: partial(find_faces, detector=detector, predictor=predictor),
    }
    print(f"{'':48}" + "".join(f"{way:>36}" for way in ways))
    rows = {}
    for name, scenes in ROWS.items():
        if args.rows is None or any(word in name for word in args.rows):
            rows[name] = measure(scenes(), ways)
            print(line(name, rows[name]), flush=True)
    if args.json is not None:
        write_result(args.json, json.dumps(rows) + "\n")


def measure(scenes: list[Scene], ways: dict[str, Find]) -> dict[str, dict[str, Any]]:
    """For each way: the faces in all scenes, those found, the false ones, and the seconds for a scene."""
    rows = {}
    for way, find in ways.items():
        found = false = 0
        begin = time.perf_counter()
        for scene in scenes:
            right, wrong = scene.found([face.keypoints for face in find(scene.image)])
            found, false = found + right, false + wrong
        seconds = (time.perf_counter() - begin) / len(scenes)
        faces = sum(len(scene.faces) for scene in scenes)
        rows[way] = {"faces": faces, "found": found, "false": false, "seconds": seconds}
    return rows


def line(name: str, ways: dict[str, dict[str, Any]]) -> str:
    """A row of the table."""
    cells = [
        f"{row['found']:3} of {row['faces']:2}, {row['false']:2} false, {row['seconds']:5.2f} s"
        for row in ways.values()
    ]
    return f"{name:48}" + "".join(f"{cell:>36}" for cell in cells)
