"""Networks run on a labelled split, under several protocols: where they put the points, and where these belong.

Protocols: "crop", the labelled face framed as the application frames a face it has found, which is the headline;
"second look", the same, framed anew and turned upright by the points that the network has put there, as the application
does; "course crop", the course project's window in the middle of the rescaled frame; "rotated", the first two with the
frame rotated about the face; "end to end", the whole frame through the application's detector. `summary` makes figures
of it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from fkp_app.backends.predictor import Predictor
from fkp_app.data.dataset import FacialKeypointsDataset
from fkp_app.evaluation.metrics import nme
from fkp_app.evaluation.scores import Scores, mean_face, score
from fkp_app.evaluation.views import Viewer, course_view, face_view, rotated_frame
from fkp_app.faces.detector import Box, square_from_box
from fkp_app.faces.keypoints import Detector, Face, find_faces, find_keypoints
from fkp_app.geometry.framing import Framing, Square, apply, face_square, invert
from fkp_app.geometry.units import Units
from numpynet.checkpoint import WeightsCard
from numpynet.typing import AnyArray, Array

BATCH = 32
ANGLES = (-45, -30, -15, 0, 15, 30, 45)
"""Degrees, clockwise as seen, by which the "rotated" protocol turns the frames."""

MEAN_FACE = "mean face"
"""What stands as the model's name in the baseline's rows."""

RIGHT_FACE = 0.4
"""A box is the right face where its face square and the labelled one overlap so far (intersection over union)."""

Item = TypeVar("Item")


def no_progress(items: Sequence[Item], label: str) -> Iterable[Item]:
    """The items; what stands in its place may show how far they are."""
    return items


Progress = Callable[[Sequence[Item], str], Iterable[Item]]


@dataclass(frozen=True)
class Detections:
    """What the detector made of every frame: `found`, whether the right face; `false`, all its other boxes."""

    found: list[bool]
    false: list[list[Box]]


@dataclass(frozen=True)
class Result:
    """A model's points under a protocol: a row of the table.

    frames: which of the split's frames (F of them; end to end only those whose face was found). predicted, truth:
    (F, 68, 2) in pixels of the frame (of the rotated one where it was rotated). people: (F).
    """

    model: str
    protocol: str
    frames: list[int]
    people: list[str]
    predicted: Array
    truth: Array
    scores: Scores | None = None
    detections: Detections | None = None

    @property
    def errors(self) -> Array:
        """NME (F,) in percent."""
        return nme(self.predicted, self.truth)


def run_crops(
    model: str,
    protocol: str,
    predictor: Predictor,
    dataset: FacialKeypointsDataset,
    view: Viewer,
    progress: Progress = no_progress,
) -> Result:
    """All faces of an untransformed data set as `view` shows them."""
    framing, units = Framing.from_dict(predictor.card.framing), Units.of(predictor.card)
    starts = range(0, len(dataset), BATCH)
    outputs, targets, predicted, truths = [], [], [], []
    for start in progress(starts, f"{model}: {protocol}"):
        samples = [dataset[i] for i in range(start, min(start + BATCH, len(dataset)))]
        views = [view(sample["image"], sample["keypoints"], framing) for sample in samples]
        outputs.append(predictor(np.stack([shown.crop for shown in views])))
        for face, shown in zip(units.to_pixels(outputs[-1]), views, strict=True):
            predicted.append(apply(invert(shown.matrix), face.astype(np.float64)))
            truths.append(shown.truth)
            targets.append(units.to_units(apply(shown.matrix, shown.truth)).astype(np.float32).reshape(-1))
    scores = score(np.concatenate(outputs), np.stack(targets), predictor.card)
    frames = list(range(len(dataset)))
    return Result(model, protocol, frames, dataset.people, np.stack(predicted), np.stack(truths), scores)


def run_second_look(
    model: str,
    protocol: str,
    predictor: Predictor,
    dataset: FacialKeypointsDataset,
    angle: float = 0.0,
    progress: Progress = no_progress,
) -> Result:
    """All faces of an untransformed data set, rotated by `angle` and framed by their labels, looked at twice."""
    predicted, truths = [], []
    for i in progress(range(len(dataset)), f"{model}: {protocol}"):
        sample = dataset[i]
        image, truth = rotated_frame(sample["image"], sample["keypoints"], angle)
        points = find_keypoints(image, [face_square(truth)], predictor, refinements=1)
        predicted.append(points[0].astype(np.float64))
        truths.append(truth)
    return Result(model, protocol, list(range(len(dataset))), dataset.people, np.stack(predicted), np.stack(truths))


def run_end_to_end(
    model: str,
    find: Callable[[AnyArray], list[Face]],
    dataset: FacialKeypointsDataset,
    square: Callable[[Box], Square] = square_from_box,
    progress: Progress = no_progress,
) -> Result:
    """All frames of an untransformed data set, as `find` treats them; square: where a box of its expects the face.

    Of the boxes that overlap the labelled face enough (see RIGHT_FACE) the nearest to it is the right one; every other
    box is false, a second one on the same face as well, and even if the frame does hold a second face.
    """
    frames, predicted, found, false = [], [], [], []
    for i in progress(range(len(dataset)), f"{model}: end to end"):
        sample = dataset[i]
        faces = find(sample["image"])
        labelled = face_square(sample["keypoints"])
        overlaps = [overlap(square(face.box), labelled) for face in faces]
        right = int(np.argmax(overlaps)) if max(overlaps, default=0.0) >= RIGHT_FACE else None
        found.append(right is not None)
        false.append([face.box for j, face in enumerate(faces) if j != right])
        if right is not None:
            frames.append(i)
            predicted.append(faces[right].keypoints.astype(np.float64))
    truth = dataset.keypoints[frames].astype(np.float64)
    people = [dataset.people[i] for i in frames]
    points = np.array(predicted).reshape(-1, 68, 2)  # with no face found, (0, 68, 2) all the same
    return Result(model, "end to end", frames, people, points, truth, detections=Detections(found, false))


def overlap(one: Square, other: Square) -> float:
    """Intersection over union of two face squares."""
    sides = [
        min(one[k] + one[2] / 2, other[k] + other[2] / 2) - max(one[k] - one[2] / 2, other[k] - other[2] / 2)
        for k in (0, 1)
    ]
    shared = max(0.0, sides[0]) * max(0.0, sides[1])
    return shared / (one[2] ** 2 + other[2] ** 2 - shared)


def run_all(
    predictors: dict[str, Predictor],
    data_dir: Path,
    dataset: FacialKeypointsDataset,
    detector: Detector,
    rotated: bool = False,
    progress: Progress = no_progress,
) -> list[Result]:
    """Every row of the table: each model, by name, under each protocol, then the mean face of the training split.

    dataset: the frames, untransformed. rotated: with rows of rotated frames. FkpError where the data cannot be used.
    """
    views: dict[str, Viewer] = {"crop": face_view, "course crop": course_view}
    rows = []
    for name, predictor in predictors.items():
        rows += [run_crops(name, protocol, predictor, dataset, view, progress) for protocol, view in views.items()]
        rows.append(run_second_look(name, "second look", predictor, dataset, progress=progress))
        find = partial(find_faces, detector=detector, predictor=predictor)
        rows.append(run_end_to_end(name, find, dataset, progress=progress))
        for angle in ANGLES if rotated else ():
            title, view = f"rotated {angle:+d}°", partial(face_view, angle=angle)
            rows.append(run_crops(name, title, predictor, dataset, view, progress))
            rows.append(run_second_look(name, f"{title}, second look", predictor, dataset, angle, progress))
    card = next(iter(predictors.values())).card
    for protocol, kind in (("crop", "face"), ("course crop", "frame")):
        baseline = mean_predictor(data_dir, replace(card, framing=card.framing | {"kind": kind}))
        rows.append(run_crops(MEAN_FACE, protocol, baseline, dataset, views[protocol]))
    return rows


def mean_predictor(data_dir: Path, card: WeightsCard) -> Predictor:
    """A "network" that answers every crop with the mean face of the training split in such crops."""
    mean = mean_face(data_dir, card)
    return Predictor("numpy", card, lambda crops: np.broadcast_to(mean, (len(crops), len(mean))))
