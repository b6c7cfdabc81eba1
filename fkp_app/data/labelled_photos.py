"""Photos whose faces are labelled by boxes or points in a JSON file, in either of two forms.

As `fkp detect --json` writes it: a list of `{"image": NAME, "faces": [{"box": [x, y, w, h], "keypoints": [...]}]}`.
Or short: a table of names and their faces, `{NAME: [{"box": [x, y, w, h]}, ...]}`. A face needs a box or its 68 points.
One with `"ignore": true` may be found or not. Other entries, such as a confidence, are not read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fkp_app.data.picture_files import PictureFiles
from fkp_app.errors import FkpError
from fkp_app.geometry.keypoint_layout import interocular
from fkp_app.tables import read_text
from fkp_app.wording import named
from numpynet.strict_json import is_number, read_json, shown
from numpynet.typing import Array

LARGEST = 1 << 26
"""Largest file of labels, in bytes: some 25,000 faces with points, and many more with boxes. Reading it may take twenty
times as much memory."""
FARTHEST = 1e6
"""Largest coordinate, in pixels."""


@dataclass(frozen=True)
class LabelledFace:
    """A face, labelled by a box, by points, or by both; what is not given is None.

    box: x, y, width and height (4), as a detector gives it; it may reach beyond the photo. keypoints: (68, 2). Both are
    in pixels of the photo as displayed. ignore: the face may be found or not.
    """

    box: Array | None
    keypoints: Array | None
    ignore: bool = False


@dataclass(frozen=True)
class LabelledPhoto:
    """A photo and all its faces. name: as in the file of labels."""

    name: str
    path: Path
    faces: list[LabelledFace]


def read_labelled_photos(folder: Path, labels: Path) -> list[LabelledPhoto]:
    """The photos that a JSON file names, in its order. FkpError, which names the file, if it cannot be used.

    folder: holds the photos; a name is found as in a data set of one's own (`PictureFiles.find`).
    """
    if not folder.is_dir():
        raise FkpError(f"{folder}: is no folder; name the one that holds the photos")
    content = read_text(labels, LARGEST, read_json, "JSON", "write it with fkp detect --json")
    files, photos = PictureFiles(folder), dict[str, LabelledPhoto]()
    for name, faces in _entries(content, labels):
        where = f"{labels}: {named(name)}"
        if name in photos:
            raise FkpError(f"{where}: occurs more than once")
        path = files.find(name)
        if isinstance(path, str):
            raise FkpError(f"{where}: {path}, in {folder}")
        if not isinstance(faces, list):
            raise FkpError(f"{where}: its faces must be a list, got {shown(faces)}")
        photos[name] = LabelledPhoto(
            name, path, [_face(face, f"{where}, face {i}") for i, face in enumerate(faces, start=1)]
        )
    if not photos:
        raise FkpError(f"{labels}: names no photo")
    return list(photos.values())


def _entries(content: Any, labels: Path) -> Iterator[tuple[str, Any]]:
    """The name and the faces of each photo, of either form."""
    if isinstance(content, dict):
        yield from content.items()
        return
    if not isinstance(content, list):
        raise FkpError(f"{labels}: must be a list of images or a table of names, got {shown(content)}")
    for number, entry in enumerate(content, start=1):
        if not isinstance(entry, dict) or not isinstance(entry.get("image"), str) or "faces" not in entry:
            raise FkpError(f"{labels}: entry {number} must be a table with image and faces, got {shown(entry)}")
        yield entry["image"], entry["faces"]


def _face(face: Any, where: str) -> LabelledFace:
    if not isinstance(face, dict):
        raise FkpError(f"{where}: must be a table with a box or keypoints, got {shown(face)}")
    box, points, ignore = face.get("box"), face.get("keypoints"), face.get("ignore", False)
    if box is None and points is None:
        raise FkpError(f"{where}: has neither a box nor keypoints")
    if box is not None and not (_numbers(box, 4) and min(box[2:]) > 0):
        raise FkpError(f"{where}: box must be x, y, width and height in pixels, got {shown(box)}")
    if points is not None and not (isinstance(points, list) and len(points) == 68 and all(map(_is_point, points))):
        raise FkpError(f"{where}: keypoints must be 68 pairs of x and y in pixels, got {shown(points)}")
    if not isinstance(ignore, bool):
        raise FkpError(f"{where}: ignore must be true or false, got {shown(ignore)}")
    keypoints = None if points is None else np.array(points, np.float64)
    if keypoints is not None and not interocular(keypoints) > 0:
        raise FkpError(f"{where}: the outer eye corners (points 36 and 45) coincide")
    return LabelledFace(None if box is None else np.array(box, np.float64), keypoints, ignore)


def _is_point(value: Any) -> bool:
    return _numbers(value, 2)


def _numbers(value: Any, count: int) -> bool:
    return isinstance(value, list) and len(value) == count and all(is_number(v, -FARTHEST, FARTHEST) for v in value)
