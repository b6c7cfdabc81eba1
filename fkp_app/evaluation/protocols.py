"""Networks run on a labelled split under several protocols: the predicted and the labelled points of each face.

Protocols:
- "crop", the headline: the labelled face, framed as the application frames a face that it found;
- "second look": the same, then framed again and turned upright by the points of the first look, as in the application;
- "course crop": the course project's window in the middle of the rescaled frame;
- "rotated": the first two, with the frame rotated about the face;
- "end to end": the whole frame, through the application's detector.

With `--quality best` the mean of several networks sees the crops, and has the last word in the other protocols.

`summary` turns the results into figures.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from fkp_app.backends.predictor import Predictor
from fkp_app.data.crops import evaluation_transform
from fkp_app.data.dataset import FacialKeypointsDataset, load_split
from fkp_app.data.transforms import collate
from fkp_app.evaluation.metrics import nme
from fkp_app.evaluation.scores import Scores, score
from fkp_app.evaluation.views import Viewer, course_view, face_view, rotated_frame
from fkp_app.faces.detector import square_from_box
from fkp_app.faces.finder import finders
from fkp_app.faces.keypoints import Detector, Face, find_keypoints, last_look
from fkp_app.geometry.boxes import Box, box_of, iou
from fkp_app.geometry.crop_card import CropCard
from fkp_app.geometry.framing import Framing, Square, apply, face_square, invert
from numpynet.data import DataLoader
from numpynet.typing import AnyArray, Array

BATCH = 32
"""Faces per batch."""
ANGLES = (-45, -30, -15, 0, 15, 30, 45)
"""Degrees, clockwise as seen, by which the "rotated" protocol turns the frames."""

VIEWS: dict[str, Viewer] = {"crop": face_view, "course crop": course_view}

MEAN_FACE = "mean face"
"""The model's name in the rows of the baseline."""

RIGHT_FACE_IOU = 0.4
"""A box can be the right face if its face square and the labelled one have at least this intersection over union."""

Item = TypeVar("Item")


def no_progress(items: Sequence[Item], label: str) -> Iterable[Item]:
    """The items themselves; a `Progress` that shows nothing."""
    return items


Progress = Callable[[Sequence[Item], str], Iterable[Item]]
"""Yields the items under a label, and may show how far the loop is."""


@dataclass(frozen=True)
class Detections:
    """The detector's answer per frame. found: whether it found the right face. false: all its other boxes."""

    found: list[bool]
    false: list[list[Box]]


@dataclass(frozen=True)
class Result:
    """A model's points under one protocol: a row of the table.

    frames: indices (F) into the split; end to end, only of the frames whose face was found. people: the person (F) in
    each frame. predicted, truth: (F, 68, 2) in pixels of the frame (of the rotated frame if it was rotated).
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
    """The network's points in the crops that `view` cuts. dataset: untransformed frames."""
    framing, units = Framing.from_dict(predictor.card.framing), predictor.card.units
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
    last: Predictor | None = None,
) -> Result:
    """The network's points after two looks, the first framed by the labels.

    dataset: untransformed frames. angle: first rotate each frame by this many degrees, clockwise as seen. last: if not
    None, it looks once more and has the last word, as with `fkp detect --quality best`.
    """
    predicted, truths = [], []
    for i in progress(range(len(dataset)), f"{model}: {protocol}"):
        sample = dataset[i]
        image, truth = rotated_frame(sample["image"], sample["keypoints"], angle)
        points = find_keypoints(image, [face_square(truth)], predictor, refinements=1)
        if last is not None:
            points = last_look(image, points, last)
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
    """The faces that `find` finds in whole frames.

    dataset: untransformed frames. square: the most likely face square of a box that `find` returns. The right face is
    the box with the largest intersection over union with the labelled face square, if it is at least RIGHT_FACE_IOU.
    Every other box is false: a second box on the same face too, and a second real face, which has no label.
    """
    frames, predicted, found, false = [], [], [], []
    for i in progress(range(len(dataset)), f"{model}: end to end"):
        sample = dataset[i]
        faces = find(sample["image"])
        labelled = box_of(face_square(sample["keypoints"]))
        ious = [iou(box_of(square(face.box)), labelled) for face in faces]
        right = int(np.argmax(ious)) if max(ious, default=0.0) >= RIGHT_FACE_IOU else None
        found.append(right is not None)
        false.append([face.box for j, face in enumerate(faces) if j != right])
        if right is not None:
            frames.append(i)
            predicted.append(faces[right].keypoints.astype(np.float64))
    truth = dataset.keypoints[frames].astype(np.float64)
    people = [dataset.people[i] for i in frames]
    points = np.array(predicted).reshape(-1, 68, 2)  # (0, 68, 2) if no face was found
    return Result(model, "end to end", frames, people, points, truth, detections=Detections(found, false))


def run_all(
    predictors: dict[str, Predictor],
    data_dir: Path,
    dataset: FacialKeypointsDataset,
    detector: Detector,
    rotated: bool = False,
    progress: Progress = no_progress,
    best: Mapping[str, Predictor] | None = None,
) -> list[Result]:
    """Every row of the table: each model, by name, under each protocol, then the mean face of the training split.

    dataset: untransformed frames. rotated: add rows of rotated frames. best: by the same names, the predictors that
    have the last word with `--quality best`; each adds the rows of a model "NAME, best". FkpError if the data cannot be
    used.
    """
    rows = []
    for name, finder in finders(detector, predictors, best).items():
        first, last = finder.predictor, finder.last
        rows += [run_crops(name, protocol, last or first, dataset, view, progress) for protocol, view in VIEWS.items()]
        rows.append(run_second_look(name, "second look", first, dataset, progress=progress, last=last))
        rows.append(run_end_to_end(name, finder, dataset, progress=progress))
        for angle in ANGLES if rotated else ():
            title, view = f"rotated {angle:+d}°", partial(face_view, angle=angle)
            rows.append(run_crops(name, title, last or first, dataset, view, progress))
            rows.append(run_second_look(name, f"{title}, second look", first, dataset, angle, progress, last))
    card = next(iter(predictors.values())).card
    for protocol, kind in (("crop", "face"), ("course crop", "frame")):
        baseline = mean_predictor(data_dir, card.with_framing(card.framing | {"kind": kind}))
        rows.append(run_crops(MEAN_FACE, protocol, baseline, dataset, VIEWS[protocol]))
    return rows


def mean_predictor(data_dir: Path, card: CropCard) -> Predictor:
    """The baseline: a predictor that answers every crop with the `mean_face`."""
    mean = mean_face(data_dir, card)
    return Predictor("numpy", card, lambda crops: np.broadcast_to(mean, (len(crops), len(mean))))


def mean_face(data_dir: Path, card: CropCard) -> Array:
    """The mean target (136,) of the training split, in the card's normalised units and framing."""
    training = load_split(data_dir, "training", evaluation_transform(card))
    targets = [batch_targets.astype(np.float64) for _, batch_targets in DataLoader(training, 64, collate_fn=collate)]
    return np.concatenate(targets).mean(axis=0).astype(np.float32)
