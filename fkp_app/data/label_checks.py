"""Checks of labels: the faults of each row. A fault is a phrase that follows "has"."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from fkp_app.data.labels import DatasetError, Labels
from fkp_app.geometry.keypoint_layout import OUTER_EYES
from fkp_app.media.images import MAX_PIXELS, ImageError
from fkp_app.media.images.reading import read_head
from fkp_app.wording import named
from numpynet.typing import AnyArray, Array

MARGIN = 0.25
"""How far a point may lie outside the picture, as a share of the face's side or of the picture's shorter side,
whichever is smaller."""
EYES_APART = (2.0, 0.05)
"""The least distance between the outer eye corners: in pixels, and as a share of the face's side."""
CHIN = 8
PARTS = (slice(17, 27), slice(36, 48), slice(31, 36), slice(48, 68), slice(CHIN, CHIN + 1))
"""Brows, eyes, nostrils, mouth and chin."""
FLATTEST = 0.4
"""The least ratio of a face's breadth to its length, each the spread of its points about their mean. Labelled faces
have 0.6 or more, even profiles. Columns with all x before all y, if read as x and y in turn, give less than 0.35."""

NO_NUMBER = "a label that is no number"
HIDDEN = "points at -1, -1 or 0, 0, which mark hidden points; all 68 must be given"
TOGETHER = "outer eye corners (points 36 and 45) that are not apart"
SIDEWAYS = "points of the picture as it is stored, but its EXIF orientation turns it when it is shown"
OUTSIDE = "points far outside the picture"
MIRRORED = "a mirrored face: x and y swapped, y counted from below, or points numbered from the other side"
FLAT = (
    "points that lie along one line: x and y of each point belong next to each other, or name the columns x0, y0, ..."
)
ORDER = "points in another order: from above, brows, eyes, nose, mouth and chin must follow each other"
UNREAD = "a picture that cannot be read"

Faults = dict[int, str]
"""From a row's index among all rows to its fault."""


def no_numbers(keypoints: Array) -> Faults:
    """The rows of keypoints (n, 68, 2) that hold NaN."""
    return dict.fromkeys(np.flatnonzero(~np.isfinite(keypoints).all(axis=(1, 2))).tolist(), NO_NUMBER)


def misplaced(keypoints: Array, paths: Sequence[Path], must_open: bool) -> Faults:
    """The rows whose points (n, 68, 2), all finite, cannot be a face in the picture.

    must_open: whether a picture that cannot be opened is a fault. If not, the error comes when the picture is read.
    """
    faults: Faults = {}
    hidden = ((keypoints == -1).all(axis=2) | (keypoints == 0).all(axis=2)).any(axis=1)
    for i, (face, path) in enumerate(zip(keypoints.astype(np.float64), paths, strict=True)):
        right, left = face[OUTER_EYES[0]], face[OUTER_EYES[1]]
        across, down = left - right, face[CHIN] - right
        side = float(np.ptp(face, axis=0).max())
        shown = shown_size(path)
        eyes = np.hypot(*across)
        if hidden[i]:
            faults[i] = HIDDEN
        elif eyes < EYES_APART[0]:
            faults[i] = TOGETHER
        elif shown is None:
            if must_open:
                faults[i] = UNREAD
        elif shown[2] and abs(across[1]) > 2 * abs(across[0]):  # the picture is turned by 90 degrees when shown
            faults[i] = SIDEWAYS
        elif _beyond(face, shown[:2]) > MARGIN * min(side, *shown[:2]):
            faults[i] = OUTSIDE
        elif _breadth(face) < FLATTEST:
            faults[i] = FLAT
        elif eyes < EYES_APART[1] * side:
            faults[i] = TOGETHER
        elif across[0] * down[1] <= across[1] * down[0]:
            faults[i] = MIRRORED
        elif (np.diff(_depths(face)) <= 0).any():
            faults[i] = ORDER
    return faults


def refuse_other_units(csv_file: Path, keypoints: Array, paths: Sequence[Path]) -> None:
    """DatasetError if most faces (n, 68, 2) are in shares or percent of the picture, or if 3 or more are all equal."""
    finite, rows = np.isfinite(keypoints).all(axis=(1, 2)), len(keypoints)
    largest, spread = np.abs(keypoints).max(axis=(1, 2), initial=0), np.ptp(keypoints, axis=(1, 2))
    shares, percent = finite & (largest <= 2) & (spread > 0), finite & (largest <= 100)
    if 2 * shares.sum() > rows:
        raise DatasetError(
            f"{csv_file}: {shares.sum()} of {rows} rows look normalised (no number above 2); multiply x by "
            "the picture's width and y by its height, so that labels are in pixels"
        )
    if finite.all() and rows > 2 and (keypoints == keypoints[0]).all():
        raise DatasetError(f"{csv_file}: all {rows} rows have the same points; give each picture its own")
    if 2 * percent.sum() > rows > 2 and 2 * sum(_is_large(path) for path in paths) > len(paths):
        raise DatasetError(
            f"{csv_file}: {percent.sum()} of {rows} rows look like percent (no number above 100 in large pictures); "
            "multiply x by the picture's width / 100 and y by its height / 100, so that labels are in pixels"
        )


def listed(labels: Labels, faults: Mapping[int, str]) -> str:
    """Each fault and its rows in words. At most three rows per fault are named, by line and file name."""
    kinds: dict[str, list[str]] = {}
    for i in sorted(faults):
        kinds.setdefault(faults[i], []).append(f"row {labels.lines[i]} ({named(labels.names[i])})")
    return "; ".join(
        f"{', '.join(rows[:3])}{f' and {len(rows) - 3} more' if len(rows) > 3 else ''} "
        f"{'has' if len(rows) == 1 else 'have'} {fault}"
        for fault, rows in kinds.items()
    )


def shown_size(path: Path) -> tuple[int, int, bool] | None:
    """The width and height of a picture as it is shown, and whether its EXIF orientation swaps them.

    None if its head cannot be read, or the picture is too large to be read.
    """
    try:
        return _shown_size(path, path.stat().st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=100_000)
def _shown_size(path: Path, changed: int) -> tuple[int, int, bool] | None:
    """As `shown_size`. changed: the file's time of change, so that a changed file is read again."""
    try:
        width, height, orientation = read_head(path)
    except ImageError:  # whatever reads the whole picture reports the error
        return None
    if width * height > MAX_PIXELS:
        return None
    return (height, width, True) if orientation >= 5 else (width, height, False)


def _is_large(path: Path) -> bool:
    """Whether the picture is so large that few faces lie within its first hundred pixels each way."""
    shown = shown_size(path)
    return shown is not None and min(shown[:2]) >= 400


def _breadth(face: AnyArray) -> float:
    """The spread of the points (68, 2) across their main axis, divided by the spread along it."""
    length, breadth = np.linalg.svd(face - face.mean(axis=0), compute_uv=False)
    return float(breadth / length) if length else 0.0


def _depths(face: AnyArray) -> AnyArray:
    """The mean positions of brows, eyes, nostrils, mouth and chin of a face (68, 2) along the line from eyes to chin.

    They rise in this order in every face of the published data set, by at least a tenth of the line each time.
    """
    eyes = face[list(OUTER_EYES)].mean(axis=0)
    depths = (face - eyes) @ (face[CHIN] - eyes)
    return np.array([depths[part].mean() for part in PARTS])


def _beyond(face: AnyArray, size: tuple[int, int]) -> float:
    """The distance in pixels from a picture (width, height) to the point (68, 2) farthest outside it, along x or y."""
    return float(np.maximum(-face, face - (np.array(size) - 1)).max(initial=0))
