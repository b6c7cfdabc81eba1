"""`python -m benchmarks landmarks`: dlib's 68-point predictor and the shipped weights on the same labelled frames.

dlib (https://dlib.net) is the package `dlib-bin`; its trained predictor (Kazemi and Sullivan 2014, for non-commercial
use only) comes with `face_recognition_models`. Neither is a dependency: install them in an environment of their own.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from typing import Any, cast, get_args

import numpy as np

from benchmarks.calibration.haar_calibration import cascade_faces, is_near, print_relations, relation
from benchmarks.options import add_shared
from fkp_app.backends.predictor import get_predictor
from fkp_app.data.dataset import FacialKeypointsDataset, Split, load_split
from fkp_app.evaluation.protocols import Result, run_end_to_end
from fkp_app.evaluation.summary import detection_figures, summarise
from fkp_app.faces.detector import Box, FaceDetector, square_from_box
from fkp_app.faces.keypoints import Face
from fkp_app.faces.search import find_faces
from fkp_app.geometry.framing import Framing, Square, apply, crop_matrix, face_square, invert, to_input, warp
from fkp_app.pipeline.results import write_result
from numpynet.typing import AnyArray, Array

INSTALL = "pip install dlib-bin face_recognition_models 'setuptools<80', in an environment of its own"

# For the boxes of dlib's detector what CENTRE_X, CENTRE_Y and SIDE in fkp_app.faces.detector are for Haar boxes:
# medians over every sixth frame of the training split. --calibrate measures them.
CENTRE_X, CENTRE_Y, SIDE = 0.008, 0.113, 0.968

Place = Callable[[AnyArray, Square], Array]
"""Takes an image and a face square; returns the keypoints (68, 2) in pixels of the image."""


def load_dlib() -> tuple[Any, Any]:
    """dlib's detector and predictor. SystemExit with one line if they are not installed."""
    try:
        import dlib  # type: ignore[import-not-found]
        import face_recognition_models  # type: ignore[import-not-found]
    except ImportError as error:  # face_recognition_models needs pkg_resources, which setuptools 80 removed
        sys.exit(f"benchmarks landmarks: {error.name} is not installed: {INSTALL}")
    predictor = dlib.shape_predictor(face_recognition_models.pose_predictor_model_location())
    return dlib.get_frontal_face_detector(), predictor


def dlib_boxes(detector: Any, image: AnyArray) -> list[Box]:
    """The boxes that dlib's detector finds in the picture at twice its size; at its own size it misses faces under
    80 pixels."""
    return [(box.left(), box.top(), box.width(), box.height()) for box in detector(image, 1)]


def dlib_square(box: Box) -> Square:
    """The most likely face square for a box of dlib's detector."""
    x, y, width, height = box
    side = (width + height) / 2
    return x + (width - 1) / 2 + CENTRE_X * side, y + (height - 1) / 2 + CENTRE_Y * side, SIDE * side


def dlib_place(predictor: Any) -> Place:
    """dlib's points for a face square, by way of the box that dlib's detector would most likely have found."""
    import dlib

    def place(image: AnyArray, square: Square) -> Array:
        side = square[2] / SIDE
        left, top = square[0] - CENTRE_X * side - (side - 1) / 2, square[1] - CENTRE_Y * side - (side - 1) / 2
        box = dlib.rectangle(round(left), round(top), round(left + side - 1), round(top + side - 1))
        return np.array([(point.x, point.y) for point in predictor(image, box).parts()], np.float64)

    return place


def our_place(predictor: Any) -> Place:
    """The points of the shipped weights for a face square."""
    framing = Framing.from_dict(predictor.card.framing)

    def place(image: AnyArray, square: Square) -> Array:
        matrix = crop_matrix(square, framing)
        crops = to_input(warp(image, matrix, framing.size))[None]  # (1, 1, S, S)
        return apply(invert(matrix), predictor.keypoints(crops)[0].astype(np.float64))

    return place


def on_labelled(model: str, place: Place, dataset: FacialKeypointsDataset) -> tuple[Result, list[float]]:
    """Points found in the labelled face squares, and the seconds that each face took."""
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
    """Points found in whole frames, and the seconds that each frame took: the detector and all faces."""
    seconds = []

    def timed(image: AnyArray) -> list[Face]:
        begin = time.perf_counter()
        faces = find(image)
        seconds.append(time.perf_counter() - begin)
        return faces

    return run_end_to_end(model, timed, dataset, square), seconds


def measure(dataset: FacialKeypointsDataset, threads: int | None) -> list[tuple[Result, list[float]]]:
    """The rows of the table: results and seconds of dlib and of the shipped weights by each protocol."""
    detector, shape = load_dlib()
    haar, predictor = FaceDetector(), get_predictor("numpy", None, threads)
    theirs, ours = dlib_place(shape), our_place(predictor)

    def found(image: AnyArray, boxes: list[Box], square: Callable[[Box], Square]) -> list[Face]:
        return [Face(box, None, theirs(image, square(box))) for box in boxes]

    return [
        on_labelled("dlib", theirs, dataset),
        in_frames(
            "dlib, Haar",
            lambda image: found(image, cascade_faces(haar, image), square_from_box),
            dataset,
            square_from_box,
        ),
        in_frames(
            "dlib, its own", lambda image: found(image, dlib_boxes(detector, image), dlib_square), dataset, dlib_square
        ),
        on_labelled("fkp", ours, dataset),
        in_frames("fkp, Haar", lambda image: find_faces(image, haar, predictor), dataset, square_from_box),
    ]


def calibrate(dataset: FacialKeypointsDataset, every: int = 6) -> None:
    """Print how dlib's boxes lie relative to the labelled faces: CENTRE_X, CENTRE_Y and SIDE and their spread."""
    detector, _ = load_dlib()
    relations = []
    for i in range(0, len(dataset), every):
        sample = dataset[i]
        labelled = face_square(sample["keypoints"])
        near = [
            (x, y, width, height)
            for x, y, width, height in dlib_boxes(detector, sample["image"])
            if is_near(labelled, (x + (width - 1) / 2, y + (height - 1) / 2, width))
        ]
        relations += [relation(box, labelled) for box in near[:1]]  # at most one box per frame shows the labelled face
    print_relations(np.array(relations))


def figures(row: Result, seconds: list[float]) -> dict[str, Any]:
    """A row of the table and of the JSON; ms is the median time of a face or of a whole frame."""
    one = summarise(row)
    return {
        **{"model": one.model, "on": row.protocol, "faces": one.faces, "nme": one.nme},
        **{"nme_interval": one.nme_interval, "nme_median": one.nme_median, "failures": one.failures, "auc": one.auc},
        **{"ms": 1e3 * float(np.median(seconds)), "regions": one.regions},
        **({"detection": detection_figures(row)} if row.detections is not None else {}),
    }


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print the rows as a Markdown table."""
    print("| | on | faces | NME mean | 95 % | median | >10 % | AUC | ms | found | false per frame |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        low, high = row["nme_interval"]
        detection = row.get("detection")
        found = f"{detection['found']:.1f} % | {detection['false_per_frame']:.3f}" if detection else "- | -"
        print(
            f"| {row['model']} | {row['on']} | {row['faces']} | {row['nme']:.2f} % | {low:.2f}-{high:.2f} "
            f"| {row['nme_median']:.2f} % | {row['failures']:.1f} % | {row['auc']:.3f} | {row['ms']:.1f} | {found} |"
        )
    print("ms: median time; of a face, from its square to its points, or of a whole frame with the detector.")


def _machine() -> dict[str, Any]:
    """The machine; only processor, cores and Python if PyTorch, whose version is a part of it, is not installed."""
    try:
        from benchmarks.machine import describe
    except ModuleNotFoundError:
        return {"processor": platform.processor(), "cores": os.cpu_count(), "python": platform.python_version()}
    return describe()


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_shared(parser, "--data", "--json")
    parser.add_argument("--split", choices=get_args(Split), default="validation", help="default %(default)s")
    parser.add_argument("--threads", type=int, default=1, help="of the network (default %(default)s); dlib uses one")
    parser.add_argument("--calibrate", action="store_true", help="measure dlib's boxes on the training split instead")


def run(args: argparse.Namespace) -> None:
    """Measure, print and store the table; or the relations of dlib's boxes, with --calibrate."""
    if args.calibrate:
        calibrate(load_split(args.data, "training"))
        return
    dataset = load_split(args.data, cast(Split, args.split))
    rows = [figures(row, seconds) for row, seconds in measure(dataset, args.threads)]
    print_table(rows)
    if args.json is not None:
        content = {"machine": _machine(), "settings": {"split": args.split, "threads": args.threads}, "rows": rows}
        write_result(args.json, json.dumps(content, indent=1) + "\n")
