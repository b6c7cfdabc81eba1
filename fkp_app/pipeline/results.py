"""Results as JSON and CSV, and how they are written. A path of - is standard output."""

import csv
import io
import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fkp_app.errors import FkpError
from fkp_app.faces.keypoints import Face
from fkp_app.wording import count_of
from numpynet.files import atomic

if TYPE_CHECKING:
    from fkp_app.tracking.tracks import TrackedFace

CSV_COLUMNS = (
    *("image", "face", "x", "y", "w", "h", "confidence"),
    *(f"{axis}{i}" for i in range(68) for axis in "xy"),
    *("frame", "time", "track"),
)
_HANDLE = re.compile(r"/dev/stderr|(?:/dev|/proc/self)/fd/(\d+)", re.ASCII)
"""Paths of files that this process has open already, with their numbers; standard error is 2."""


@dataclass(frozen=True)
class ImageResult:
    """The faces of one image. width, height: pixels of the image as displayed."""

    image: str
    width: int
    height: int
    faces: list[Face]

    def summary(self) -> str:
        """The number of faces, in words."""
        return f"{self.image}: {count_of(len(self.faces), 'face')} found"


@dataclass(frozen=True)
class FrameResult:
    """The faces of one frame. frame: its index, from 0. time: in seconds."""

    frame: int
    time: float
    faces: "list[TrackedFace]"


@dataclass(frozen=True)
class VideoResult:
    """The frames of a video or camera. frame_rate: frames per second; None if it is not known."""

    video: str
    width: int
    height: int
    frame_rate: float | None
    frames: list[FrameResult]


SourceResult = ImageResult | VideoResult


def to_json(results: Sequence[SourceResult]) -> str:
    """A list with one object per image or video."""
    return json.dumps([to_object(result) for result in results], ensure_ascii=False) + "\n"


def to_object(result: SourceResult) -> dict[str, Any]:
    """One image or video as JSON has it; its name comes first."""
    return _image(result) if isinstance(result, ImageResult) else _video(result)


def _image(result: ImageResult) -> dict[str, Any]:
    faces = [_face(face) for face in result.faces]
    return {"image": result.image, "width": result.width, "height": result.height, "faces": faces}


def _video(result: VideoResult) -> dict[str, Any]:
    frames = [
        {
            "frame": frame.frame,
            "time": _rounded(frame.time),
            "faces": [{"track": face.track} | _face(face) for face in frame.faces],
        }
        for frame in result.frames
    ]
    return {
        "video": result.video,
        "width": result.width,
        "height": result.height,
        "frame_rate": None if result.frame_rate is None else _rounded(result.frame_rate),
        "frames": frames,
    }


def _face(face: Face) -> dict[str, Any]:
    return {
        "box": list(face.box),
        "confidence": None if face.confidence is None else _rounded(face.confidence),
        "keypoints": [[_rounded(x), _rounded(y)] for x, y in face.keypoints.tolist()],
    }


def to_csv(results: Sequence[SourceResult]) -> str:
    """A header and one row per face. Faces are counted from 0 in each image or frame; unknown fields are empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for result in results:
        if isinstance(result, ImageResult):
            writer.writerows([*_row(result.image, i, face), "", "", ""] for i, face in enumerate(result.faces))
            continue
        for frame in result.frames:
            for i, face in enumerate(frame.faces):
                writer.writerow([*_row(result.video, i, face), frame.frame, _rounded(frame.time), face.track])
    return text.getvalue()


def _row(name: str, number: int, face: Face) -> list[Any]:
    confidence = "" if face.confidence is None else _rounded(face.confidence)
    points = [_rounded(coordinate) for coordinate in face.keypoints.reshape(-1).tolist()]  # (68, 2) -> x0, y0, x1, ...
    return [name, number, *face.box, confidence, *points]


def write_result(path: Path, text: str) -> None:
    """Write a whole file in UTF-8, or none; a path of - is standard output, which gets UTF-8 whatever its encoding is.

    Characters that UTF-8 cannot hold are escaped as JSON escapes them. FkpError if the file cannot be written.
    """
    data = text.encode("utf-8", "backslashreplace")
    if str(path) == "-":
        if sys.stdout is None:
            raise FkpError("standard output is closed; name a file in place of -")
        sys.stdout.flush()
        binary = getattr(sys.stdout, "buffer", None)
        if binary is None:  # in a notebook, for example
            sys.stdout.write(data.decode())
        else:
            binary.write(data)
            binary.flush()
        return
    try:
        if match := _HANDLE.fullmatch(str(path)):
            with open(os.dup(int(match[1] or 2)), "wb") as file:  # noqa: PTH123 (appends to what others have written there)
                file.write(data)
            return
        if path.exists() and not path.is_file():  # /dev/null or a pipe, which no file may replace
            path.write_bytes(data)
            return
        with atomic(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise FkpError(f"{path}: cannot be written ({error.strerror or error}); choose another place") from None


def _rounded(number: float) -> float:
    """Rounded to a thousandth of a pixel, of a second or of confidence: far finer than any network can tell."""
    return round(number, 3)
