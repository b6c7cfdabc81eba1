"""`python -m benchmarks haar-confidence`: the constants of `confidence.HAAR`, and what thresholds on it do.

The constants are fitted to the training people; the faces found and the false faces are counted on the validation
people. Then, for each way in which a photo is searched (`fkp_app.faces.search`): what it proposes in frames of the
training people, half of them turned by up to 60 degrees, and what its doubt does. Run it again whenever the shipped
weights or the Haar step change. Only one face per frame is labelled, so a second real face counts as false.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.calibration.haar_calibration import is_near
from benchmarks.options import add_shared
from fkp_app.backends.predictor import Predictor, get_predictor
from fkp_app.data.dataset import FacialKeypointsDataset, load_split
from fkp_app.evaluation.metrics import nme
from fkp_app.evaluation.views import rotated_frame
from fkp_app.faces.confidence import HAAR, features
from fkp_app.faces.detector import FaceDetector
from fkp_app.faces.keypoints import distinct_faces, sights
from fkp_app.faces.search import EDGES, FAR_TILTED, SIDES, TILTED, UPRIGHT, proposed
from fkp_app.faces.views import View
from fkp_app.geometry.framing import face_square
from numpynet.typing import AnyArray, Array

THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
WAYS = {"upright": UPRIGHT, "edges": EDGES, "tilted": TILTED, "far tilted": FAR_TILTED, "sides": SIDES}
HEADS = f"{'':12}{'right':>8}{'false':>8}{'passed':>16}{'with doubt':>16}   (right, false)"
RIGHT = 35.0
"""A face is right if its points have less than this NME, in percent."""
RIDGE = 1e-3
"""Ridge penalty: keeps the fit finite if the features separate right from false faces without error."""


@dataclass(frozen=True)
class Judged:
    """The candidates of a frame, by decreasing weight.

    values: their features (F, 4); keypoints (F, 68, 2) after one refinement; right (F): which are the labelled face;
    errors (3, F): their NME after 0, 1 and 2 refinements.
    """

    values: Array
    keypoints: Array
    right: AnyArray
    errors: Array


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options; --every applies to the training people alone."""
    add_shared(parser, "--data", "--every")
    parser.add_argument("--weights", type=Path, help="a .safetensors file (default: the shipped weights)")


def run(args: argparse.Namespace) -> None:
    """Fit and print the constants; print what the fitted and the current constants find at each threshold."""
    predictor = get_predictor("numpy", args.weights)
    training = judge(load_split(args.data, "training"), predictor, args.every)
    validation = judge(load_split(args.data, "validation"), predictor)
    intercept, coefficients = fit(training)
    print(f"INTERCEPT = {intercept:.2f}\nCOEFFICIENTS = ({', '.join(f'{number:.2f}' for number in coefficients)})")
    print(f"# of {', '.join(HAAR.features)}; candidates of {len(training)} frames of the training people")
    print_thresholds("validation, as fitted now", validation, intercept, coefficients)
    print_thresholds("validation, as in the code", validation, HAAR.intercept, np.array(HAAR.coefficients))
    print_thresholds("training, as fitted now", training, intercept, coefficients)
    print_ways(load_split(args.data, "training"), predictor, args.every)
    errors = np.concatenate([frame.errors[:, frame.right][:, :1] for frame in validation], axis=1)
    print(f"validation, NME after 0, 1, 2 refinements: {', '.join(f'{each:.2f}' for each in errors.mean(axis=1))} %")


def judge(dataset: FacialKeypointsDataset, predictor: Predictor, every: int = 1) -> list[Judged]:
    """The detector's candidates in every `every`-th frame, with the points that the network puts on them."""
    detector = FaceDetector()
    frames = []
    for i in range(0, len(dataset), every):
        sample = dataset[i]
        candidates = detector.candidates(sample["image"])
        seen = sights(sample["image"], [one.square for one in candidates], [0.0] * len(candidates), predictor, 2)
        values = [features(*each) for each in zip(candidates, seen[0], seen[1], strict=True)]
        labelled = face_square(sample["keypoints"])
        right = [is_near(face_square(points), labelled) for points in seen[1]]
        truth = np.broadcast_to(sample["keypoints"], seen[1].shape)
        errors = np.stack([nme(points, truth) for points in seen])
        frames.append(Judged(np.array(values).reshape(-1, 4), seen[1], np.array(right, bool), errors))
    return frames


def fit(frames: list[Judged], steps: int = 50) -> tuple[float, Array]:
    """Intercept and coefficients (4) of the logistic regression of `right` on the features, by Newton's method.

    Of the candidates that became the same face, only the one with the largest weight takes part.
    """
    kept = [distinct_faces(frame.keypoints, -np.arange(len(frame.right), dtype=np.float64)) for frame in frames]
    values = np.concatenate([frame.values[chosen] for frame, chosen in zip(frames, kept, strict=True)])
    right = np.concatenate([frame.right[chosen] for frame, chosen in zip(frames, kept, strict=True)])
    middle, spread = values.mean(axis=0), values.std(axis=0)
    inputs = np.column_stack([np.ones(len(values)), (values - middle) / spread])
    penalty = RIDGE * len(values) * np.diag([0.0, *np.ones(values.shape[1])])
    weights = np.zeros(inputs.shape[1])
    for _ in range(steps):
        chance = 1 / (1 + np.exp(-inputs @ weights))
        slope = inputs.T @ (right - chance) - penalty @ weights
        curvature = (inputs.T * (chance * (1 - chance))) @ inputs + penalty
        weights = weights + np.linalg.solve(curvature, slope)
    return float(weights[0] - weights[1:] @ (middle / spread)), weights[1:] / spread


def print_thresholds(title: str, frames: list[Judged], intercept: float, coefficients: Array) -> None:
    """Print for each threshold the share of faces that it finds and the number of false faces that it lets pass."""
    best, false = [], []
    for frame in frames:
        sure = 1 / (1 + np.exp(-(intercept + frame.values @ coefficients)))
        kept = distinct_faces(frame.keypoints, sure)
        right = sure[kept][frame.right[kept]]
        best.append(right.max(initial=-1))
        false.append([*sure[kept][~frame.right[kept]], *right[1:]])
    print(f"{title}, {len(frames)} frames\nthreshold   found   frames with false false per frame")
    for level in THRESHOLDS:
        passed = np.array([sum(one >= level for one in frame) for frame in false])
        found = 100 * np.mean(np.array(best) >= level)
        print(f"{level:9.2f}  {found:6.2f} %   {100 * np.mean(passed > 0):13.2f} %   {passed.mean():13.4f}")


def print_ways(dataset: FacialKeypointsDataset, predictor: Predictor, every: int) -> None:
    """Print for each way to search: faces proposed right and falsely, and how many pass without and with its doubt."""
    detector, rng = FaceDetector(), np.random.default_rng(0)
    frames = []
    for i in range(0, len(dataset), every):
        sample = dataset[i]
        angle = float(rng.uniform(-60, 60)) if (i // every) % 2 else 0.0
        frames.append(rotated_frame(sample["image"], sample["keypoints"], angle))
    print(f"ways of the search, {len(frames)} frames of the training people, every other one turned\n{HEADS}")
    for name, ways in WAYS.items():
        odds, right = [], []
        for image, truth in frames:
            for face in proposed(image, [View(image)], [way._replace(doubt=0.0) for way in ways], detector, predictor):
                odds.append(np.log(face.confidence or 1e-12) - np.log1p(-min(face.confidence or 0.0, 1 - 1e-12)))
                right.append(nme(face.keypoints[None], truth[None])[0] < RIGHT)
        passed, is_right, doubt = np.array(odds) > 0, np.array(right, bool), ways[0].doubt
        kept = np.array(odds) > doubt
        counts = [int((each & kind).sum()) for each in (passed | True, passed, kept) for kind in (is_right, ~is_right)]
        print(f"{name:12}" + "".join(f"{each:8}" for each in counts))
