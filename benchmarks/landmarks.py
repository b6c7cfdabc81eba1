"""`python -m benchmarks landmarks`: dlib's 68-point predictor and the shipped weights on the same labelled frames.

dlib (https://dlib.net) comes as `dlib-bin`, its trained predictor (Kazemi and Sullivan 2014, for non-commercial use
only) with `face_recognition_models`. Neither is a dependency: put them into an environment of their own.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np

from benchmarks.haar_calibration import report
from fkp_app.backends.predictor import get_predictor
from fkp_app.data.dataset import FacialKeypointsDataset, Split, load_split
from fkp_app.evaluation.protocols import Result, run_end_to_end
from fkp_app.evaluation.summary import detection_figures, summarise
from fkp_app.faces.detector import Box, FaceDetector, square_from_box
from fkp_app.faces.keypoints import Face, find_faces
from fkp_app.geometry.framing import Framing, Square, apply, crop_matrix, face_square, invert, to_input, warp
from fkp_app.pipeline.results import write_result
from numpynet.typing import AnyArray, Array

INSTALL = "pip install dlib-bin face_recognition_models 'setuptools<80', in an environment of its own"

# As CENTRE_X, CENTRE_Y and SIDE in fkp_app.faces.detector, for the box of dlib's detector: medians over every sixth frame of
# the training split, which --calibrate measures anew.
CENTRE_X, CENTRE_Y, SIDE = 0.008, 0.113, 0.968

Place = Callable[[AnyArray, Square], Array]
"""From an image and a face square to the keypoints (68, 2) in the image."""


def load_dlib() -> tuple[Any, Any]:
    """dlib's detector and predictor. SystemExit, in one line, where they are not installed."""
    try:
        import dlib  # type: ignore[import-not-found]
        import face_recognition_models  # type: ignore[import-not-found]
    except ImportError as error:  # face_recognition_models needs pkg_resources, which setuptools had until 80
        sys.exit(f"benchmarks landmarks: {error.name} is not installed: {INSTALL}")
    predictor = dlib.shape_predictor(face_recognition_models.pose_predictor_model_location())
    return dlib.get_frontal_face_detector(), predictor


def dlib_boxes(detector: Any, image: AnyArray) -> list[Box]:
    """What dlib's detector finds in a picture enlarged once, without which it misses faces under 80 pixels."""
    return [(box.left(), box.top(), box.width(), box.height()) for box in detector(image, 1)]


def dlib_square(box: Box) -> Square:
    """The face square that a face with this box of dlib's would most likely have."""
    x, y, width, height = box
    side = (width + height) / 2
    return x + (width - 1) / 2 + CENTRE_X * side, y + (height - 1) / 2 + CENTRE_Y * side, SIDE * side


def dlib_place(predictor: Any) -> Place:
    """dlib's points for a face square: in the box that its own detector would most likely have drawn."""
    import dlib

    def place(image: AnyArray, square: Square) -> Array:
        side = square[2] / SIDE
        left, top = square[0] - CENTRE_X * side - (side - 1) / 2, square[1] - CENTRE_Y * side - (side - 1) / 2
        box = dlib.rectangle(round(left), round(top), round(left + side - 1), round(top + side - 1))
        return np.array([(point.x, point.y) for point in predictor(image, box).parts()], np.float64)

    return place


def our_place(predictor: Any) -> Place:
    """Our points for a face square."""
    framing = Framing.from_dict(predictor.card.framing)

    def place(image: AnyArray, square: Square) -> Array:
        matrix = crop_matrix(square, framing)
        crops = to_input(warp(image, matrix, framing.size))[None]  # (1, 1, S, S)
        return apply(invert(matrix), predictor.keypoints(crops)[0].astype(np.float64))

    return place


def on_labelled(model: str, place: Place, dataset: FacialKeypointsDataset) -> tuple[Result, list[float]]:
    """Points in the labelled squares, and the seconds that each face took."""
    predicted, seconds = [], []
    for i in range(len(dataset)):
        sample = dataset[i]
        begin = time.perf_counter()
        predicted.append(place(sample["image"], face_square(sample["keypoints"])))
        seconds.append(time.perf_counter() - begin)
    frames, truth = list(range(len(dataset))), dataset.keypoints.astype(np.float64)
    return Result(model, "labelled face", frames, dataset.people, np.stack(predicted), truth), seconds


def in_frames(
    model: str, find: Callable[[AnyArray], list[Face]], dataset: FacialKeypointsDataset, square: Callable[[Box], Square]
) -> tuple[Result, list[float]]:
    """Points in whole frames, and the seconds that each frame took, detector and all its faces."""
    seconds = []

    def timed(image: AnyArray) -> list[Face]:
        begin = time.perf_counter()
        faces = find(image)
        seconds.append(time.perf_counter() - begin)
        return faces

    return run_end_to_end(model, timed, dataset, square), seconds


def measure(dataset: FacialKeypointsDataset, threads: int | None) -> list[tuple[Result, list[float]]]:
    """All rows, each with its times."""
    detector, shape = load_dlib()
    haar, predictor = FaceDetector(), get_predictor("numpy", None, threads)
    theirs, ours = dlib_place(shape), our_place(predictor)

    def found(image: AnyArray, boxes: list[Box], square: Callable[[Box], Square]) -> list[Face]:
        return [Face(box, None, theirs(image, square(box))) for box in boxes]

    return [
        on_labelled("dlib", theirs, dataset),
        in_frames(
            "dlib, Haar", lambda image: found(image, haar.detect(image), square_from_box), dataset, square_from_box
        ),
        in_frames(
            "dlib, its own", lambda image: found(image, dlib_boxes(detector, image), dlib_square), dataset, dlib_square
        ),
        on_labelled("fkp", ours, dataset),
        in_frames("fkp, Haar", lambda image: find_faces(image, haar, predictor), dataset, square_from_box),
    ]


def calibrate(dataset: FacialKeypointsDataset, every: int = 6) -> None:
    """Print how dlib's boxes lie to the labelled faces."""
    detector, _ = load_dlib()
    relations = []
    for i in range(0, len(dataset), every):
        sample = dataset[i]
        cx, cy, side = face_square(sample["keypoints"])
        around = [
            ((cx - x - (w - 1) / 2) / w, (cy - y - (h - 1) / 2) / w, side / w)
            for x, y, w, h in dlib_boxes(detector, sample["image"])
        ]
        relations += [(dx, dy, r) for dx, dy, r in around if max(abs(dx), abs(dy)) < 0.4 and 0.4 < r < 1.6][:1]
    report(np.array(relations))


def figures(row: Result, seconds: list[float]) -> dict[str, Any]:
    """What a row of the table and of the JSON says; ms is the median, of a face or of a whole frame."""
    one = summarise(row)
    return {
        **{"model": one.model, "on": row.protocol, "faces": one.faces, "nme": one.nme},
        **{"nme_interval": one.nme_interval, "nme_median": one.nme_median, "failures": one.failures, "auc": one.auc},
        **{"ms": 1e3 * float(np.median(seconds)), "regions": one.regions},
        **({"detection": detection_figures(row)} if row.detections is not None else {}),
    }


def print_table(rows: list[dict[str, Any]]) -> None:
    """The rows, in Markdown."""
    print("| | on | faces | NME mean | 95 % | median | >10 % | AUC | ms | found | false a frame |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        low, high = row["nme_interval"]
        detection = row.get("detection")
        found = f"{detection['found']:.1f} % | {detection['false_per_frame']:.3f}" if detection else "- | -"
        print(
            f"| {row['model']} | {row['on']} | {row['faces']} | {row['nme']:.2f} % | {low:.2f}-{high:.2f} "
            f"| {row['nme_median']:.2f} % | {row['failures']:.1f} % | {row['auc']:.3f} | {row['ms']:.1f} | {found} |"
        )
    print("ms: median, of a face from its square to its points, or end to end of a frame, the detector included.")


def _machine() -> dict[str, Any]:
    try:
        from benchmarks.machine import describe
    except ModuleNotFoundError:  # an environment with dlib may lack PyTorch, which that asks for its version
        return {"processor": platform.processor(), "cores": os.cpu_count(), "python": platform.python_version()}
    return describe()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks landmarks", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--split", choices=get_args(Split), default="validation")
    parser.add_argument("--threads", type=int, default=1, help="for our network; dlib uses one")
    parser.add_argument("--calibrate", action="store_true", help="measure dlib's boxes on the training split instead")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    if args.calibrate:
        calibrate(load_split(args.data, "training"))
        return 0
    dataset = load_split(args.data, cast(Split, args.split))
    rows = [figures(row, seconds) for row, seconds in measure(dataset, args.threads)]
    print_table(rows)
    if args.json is not None:
        content = {"machine": _machine(), "settings": {"split": args.split, "threads": args.threads}, "rows": rows}
        write_result(args.json, json.dumps(content, indent=1) + "\n")
    return 0
