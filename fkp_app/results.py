"""What was found, as JSON and CSV; a path of - is standard output."""

import csv
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fkp_app.errors import FkpError
from fkp_app.keypoints import Face
from numpynet.files import atomic

CSV_COLUMNS = (
    *("image", "face", "x", "y", "w", "h", "confidence"),
    *(f"{axis}{i}" for i in range(68) for axis in "xy"),
)


@dataclass(frozen=True)
class ImageResult:
    """The faces of one image; width and height in pixels as displayed."""

    image: str
    width: int
    height: int
    faces: list[Face]

    def summary(self) -> str:
        """How many faces, in words."""
        count = len(self.faces)
        return f"{self.image}: {count or 'no'} face{'' if count == 1 else 's'} found"


def to_json(results: Sequence[ImageResult]) -> str:
    """A list with one object an image."""
    objects = [
        {
            "image": result.image,
            "width": result.width,
            "height": result.height,
            "faces": [
                {
                    "box": list(face.box),
                    "confidence": None if face.confidence is None else _short(face.confidence),
                    "keypoints": [[_short(x), _short(y)] for x, y in face.keypoints.tolist()],
                }
                for face in result.faces
            ],
        }
        for result in results
    ]
    return json.dumps(objects, ensure_ascii=False) + "\n"


def to_csv(results: Sequence[ImageResult]) -> str:
    """A header, and a row a face; faces of an image count from 0, an unknown confidence is an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for result in results:
        for i, face in enumerate(result.faces):
            confidence = "" if face.confidence is None else _short(face.confidence)
            numbers = [_short(number) for number in face.keypoints.reshape(-1).tolist()]  # (68, 2) -> x0, y0, x1, ...
            writer.writerow([result.image, i, *face.box, confidence, *numbers])
    return text.getvalue()


def write_text(path: Path, text: str) -> None:
    """Write a file, all or nothing, or to standard output for -. FkpError where that cannot be done."""
    if str(path) == "-":
        sys.stdout.write(text)
        return
    try:
        with atomic(path) as temporary:
            temporary.write_text(text, "utf-8")
    except OSError as error:
        raise FkpError(f"{path}: cannot be written ({error.strerror or error}); choose another place") from None


def _short(number: float) -> float:
    """To a thousandth, of a pixel or of certainty: far below what any network can tell."""
    return round(number, 3)
