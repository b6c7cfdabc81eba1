"""`python -m benchmarks looks`: how the framing of a crop, mirroring, and float16 weights change the points.

A network's second look is worse than its first in an evaluation, since there the labels frame the first. Here the two
parts of a frame, its centre and its side, come in turn from the labels and from the points of the first look.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np

from benchmarks.options import add_shared
from fkp_app.backends.mean import mean_of
from fkp_app.backends.predictor import SHIPPED_WEIGHTS, Predictor, get_predictor, ready_to_run
from fkp_app.data.dataset import FacialKeypointsDataset, Split, load_split
from fkp_app.evaluation.metrics import nme
from fkp_app.faces.keypoints import sights
from fkp_app.geometry.framing import Square, eye_angle, face_square, upright
from fkp_app.geometry.keypoint_layout import FLIP_ORDER
from fkp_app.pipeline.results import write_result
from numpynet.checkpoint import halved, load_net
from numpynet.typing import AnyArray, Array

Frame = Callable[[Array, Array], tuple[Square, float]]
"""From labelled points (68, 2) and those of the first look: the square of a look and the angle that turns the image."""


def mixed(centre_by_label: bool, side_by_label: bool) -> Frame:
    """The frame whose centre and side come from the labels or from the first look; nothing is turned."""

    def frame(label: Array, first: Array) -> tuple[Square, float]:
        by_label, found = face_square(label), face_square(first)
        x, y, _ = by_label if centre_by_label else found
        return (x, y, (by_label if side_by_label else found)[2]), 0.0

    return frame


FRAMES: dict[str, Frame] = {
    "label's square": mixed(True, True),
    "predicted centre, label's side": mixed(False, True),
    "label's centre, predicted side": mixed(True, False),
    "predicted square": mixed(False, False),
    "predicted square, turned by prediction": lambda label, first: upright(first, face_square(label)),
    "predicted square, turned by label": lambda label, first: (face_square(first), -float(eye_angle(label))),
}


def mirrored(predictor: Predictor) -> Predictor:
    """The mean of the answers to a crop and to its mirror image, mirrored back."""
    units, last = predictor.card.units, predictor.card.input_size - 1

    def forward(crops: Array) -> Array:
        outputs = predictor.forward(crops)
        found = units.to_pixels(predictor.forward(np.ascontiguousarray(crops[..., ::-1])))[:, FLIP_ORDER]
        back: Array = units.to_units(np.stack([last - found[..., 0], found[..., 1]], axis=-1))
        return (outputs + back.reshape(outputs.shape)) / 2

    return replace(predictor, forward=forward)


def in_float16(predictor: Predictor, weights: Path) -> Predictor:
    """The network of a weights file as it would be if the file held float16."""
    net, _ = load_net(weights)
    net.load_state_dict(halved(net.state_dict()))
    return replace(predictor, forward=ready_to_run(net))


def measure(dataset: FacialKeypointsDataset, predictor: Predictor, half: Predictor | None) -> dict[str, Any]:
    """The NME in percent of a look by each frame, and mirrored; and the largest distance from `half` in first looks.

    dataset: untransformed frames. The distance is in pixels of the crop; it is there only if `half` is given.
    """
    both = mirrored(predictor)
    seen: dict[str, list[Array]] = {}
    distance = 0.0
    for i in range(len(dataset)):
        sample = dataset[i]
        image, label = sample["image"], sample["keypoints"].astype(np.float64)
        square = face_square(label)
        first = _look(image, square, 0.0, predictor)
        for name, frame in FRAMES.items():
            place = frame(label, first)
            seen.setdefault(name, []).append(_look(image, *place, predictor))
            seen.setdefault(f"{name}, mirrored", []).append(_look(image, *place, both))
        if half is not None:
            zoom = predictor.card.input_size / (square[2] * float(predictor.card.framing["scale"]))
            distance = max(distance, float(np.abs(_look(image, square, 0.0, half) - first).max()) * zoom)
    truth = dataset.keypoints.astype(np.float64)
    errors = {name: float(nme(np.stack(points), truth).mean()) for name, points in seen.items()}
    return {"nme": errors} | ({"float16_crop_pixels": distance} if half is not None else {})


def _look(image: AnyArray, square: Square, angle: float, predictor: Predictor) -> Array:
    """The points (68, 2) of one look."""
    points: Array = sights(image, [square], [angle], predictor, 0)[0][0]
    return points


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_shared(parser, "--data", "--every", "--threads", "--json")
    parser.add_argument("--split", choices=get_args(Split), default="validation", help="default %(default)s")
    parser.add_argument(
        "--weights", type=Path, action="append", help="repeat it for the mean of several networks (default: shipped)"
    )


def run(args: argparse.Namespace) -> None:
    """Print the table and store it."""
    dataset = load_split(args.data, cast(Split, args.split))
    dataset = dataset.subset(range(0, len(dataset), args.every))
    files = args.weights or [SHIPPED_WEIGHTS]
    members = {path: get_predictor("numpy", path, args.threads, own_process=True) for path in files}
    half = in_float16(members[files[0]], files[0]) if len(files) == 1 else None
    figures = measure(dataset, mean_of(members), half)
    print(f"NME in % of the look that is framed by ({args.split}, {len(dataset)} faces; and with its mirror image)")
    for name in FRAMES:
        print(f"{name:40}{figures['nme'][name]:8.3f}{figures['nme'][f'{name}, mirrored']:8.3f}")
    if half is not None:
        print(f"float16 moves points by at most {figures['float16_crop_pixels']:.3f} pixels of the crop")
    if args.json is not None:
        settings = {"split": args.split, "every": args.every, "weights": [path.name for path in files]}
        write_result(args.json, json.dumps({"settings": settings, **figures}, indent=1) + "\n")
