"""Faces found in labelled photos: how many, how many false ones, and how far their points lie from the labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fkp_app.data.labelled_photos import LabelledFace, LabelledPhoto
from fkp_app.evaluation.metrics import LIMIT, failure_rate, nme
from fkp_app.evaluation.protocols import Progress, no_progress
from fkp_app.evaluation.summary import markdown_table
from fkp_app.faces.detector import square_from_box
from fkp_app.faces.keypoints import Face
from fkp_app.geometry.boxes import box_of, iou
from fkp_app.geometry.framing import face_square
from fkp_app.media.images import read_image
from numpynet.typing import AnyArray, Array

SAME_FACE_IOU = 0.3
"""A found face is a labelled one if their face squares have at least this intersection over union."""
SIZES = {"<30 px": (0, 30), "30-60 px": (30, 60), "60-120 px": (60, 120), ">120 px": (120, np.inf)}
"""Bins (low <= x < high) of the width of a face's box, in pixels."""


@dataclass(frozen=True)
class PhotoResult:
    """What was found in a photo.

    labelled: its faces without those to ignore; found: for each of them the face that was found there, or None. false:
    faces that were found where none is labelled.
    """

    name: str
    labelled: list[LabelledFace]
    found: list[Face | None]
    false: list[Face]


def run_photos(
    photos: Sequence[LabelledPhoto],
    find: Callable[[AnyArray], list[Face]],
    label: str,
    progress: Progress = no_progress,
) -> list[PhotoResult]:
    """The faces that `find` finds in each photo. label: of the progress. ImageError if a photo cannot be read."""
    return [compared(photo, find(read_image(photo.path))) for photo in progress(photos, label)]


def compared(photo: LabelledPhoto, faces: Sequence[Face]) -> PhotoResult:
    """Each labelled face with the found face that shares the most with it; each found face belongs to one of them."""
    labels = [_square(face) for face in photo.faces]
    squares = [box_of(face_square(face.keypoints)) for face in faces]
    pairs = [(iou(one, other), i, j) for i, one in enumerate(labels) for j, other in enumerate(squares)]
    matches: dict[int, int] = {}
    for shared, i, j in sorted(pairs, reverse=True):
        if shared >= SAME_FACE_IOU and i not in matches and j not in matches.values():
            matches[i] = j
    counted = [i for i, face in enumerate(photo.faces) if not face.ignore]
    found = [faces[matches[i]] if i in matches else None for i in counted]
    false = [face for j, face in enumerate(faces) if j not in matches.values()]
    return PhotoResult(photo.name, [photo.faces[i] for i in counted], found, false)


def photo_figures(results: Sequence[PhotoResult]) -> dict[str, Any]:
    """The figures over all photos, for JSON. Shares and errors are in percent, and None if there is nothing to measure.

    faces, found, recall; sizes: for each of SIZES the number of labelled faces and of those found; false: number of
    false faces; photos_with_false; points: number of found faces with labelled points, nme, nme_median and failures:
    of these. missed, false_boxes: boxes by photo.
    """
    pairs = [pair for one in results for pair in zip(one.labelled, one.found, strict=True)]
    widths = np.array([_box(face)[2] for face, _ in pairs])
    there = np.array([face is not None for _, face in pairs], bool)
    errors = _errors(
        [(at.keypoints, face.keypoints) for face, at in pairs if at is not None and face.keypoints is not None]
    )
    some = len(errors) > 0
    return {
        "photos": len(results),
        "faces": len(pairs),
        "found": int(there.sum()),
        "recall": 100 * float(there.mean()) if pairs else None,
        "sizes": {
            name: [int(inside.sum()), int((inside & there).sum())]
            for name, (low, high) in SIZES.items()
            for inside in [(low <= widths) & (widths < high)]
        },
        "false": sum(len(one.false) for one in results),
        "photos_with_false": sum(bool(one.false) for one in results),
        "points": len(errors),
        "nme": float(errors.mean()) if some else None,
        "nme_median": float(np.median(errors)) if some else None,
        "failures": failure_rate(errors) if some else None,
        "missed": _by_photo(results, _missed),
        "false_boxes": _by_photo(results, lambda one: [list(face.box) for face in one.false]),
    }


def photo_table(figures: dict[str, dict[str, Any]]) -> str:
    """The figures of each model, by name, as Markdown tables."""
    heads = ["in photos", "photos", "faces", "found", "recall", "false", "photos with false"]
    counts, false = ("photos", "faces", "found"), ("false", "photos_with_false")
    rows = [
        [name, *(str(one[key]) for key in counts), _percent(one["recall"], 1), *(str(one[key]) for key in false)]
        for name, one in figures.items()
    ]
    by_size = [
        [name, *(f"{found} of {number}" for number, found in one["sizes"].values())] for name, one in figures.items()
    ]
    parts = [markdown_table(heads, rows), markdown_table(["found, by width of the box", *SIZES], by_size)]
    if any(one["points"] for one in figures.values()):
        heads = ["NME in % of the outer-eye distance", "faces", "mean", "median", f">{LIMIT:.0f} %"]
        keys = (("nme", 3), ("nme_median", 3), ("failures", 1))
        parts.append(
            markdown_table(
                heads,
                [
                    [name, str(one["points"]), *(_percent(one[key], digits) for key, digits in keys)]
                    for name, one in figures.items()
                ],
            )
        )
    return "\n\n".join(parts) + "\n"


def _square(face: LabelledFace) -> Array:
    """The face square as a box (4): of the points, or the most likely one of the box."""
    if face.keypoints is not None:
        return box_of(face_square(face.keypoints))
    assert face.box is not None
    return box_of(square_from_box(face.box))


def _box(face: LabelledFace) -> list[float]:
    """x, y, width and height: as labelled, or the square around the points."""
    box: list[float] = (_square(face) if face.box is None else face.box).tolist()
    return box


def _errors(pairs: Sequence[tuple[Array, Array]]) -> Array:
    """NME (F,) in percent of pairs of found and labelled points (68, 2)."""
    if not pairs:
        return np.empty(0)
    found, labelled = zip(*pairs, strict=True)
    return nme(np.stack(found), np.stack(labelled))


def _missed(one: PhotoResult) -> list[list[float]]:
    return [_box(face) for face, found in zip(one.labelled, one.found, strict=True) if found is None]


def _by_photo(results: Sequence[PhotoResult], of: Callable[[PhotoResult], list[Any]]) -> dict[str, list[Any]]:
    """What `of` lists for each photo, without the photos for which it lists nothing."""
    return {one.name: listed for one in results if (listed := of(one))}


def _percent(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f} %"
