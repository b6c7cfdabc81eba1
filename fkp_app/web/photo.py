"""What the page does with a photo: find its faces, draw, and write the results where the visitor can fetch them."""

import sys
import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from fkp_app.backends.mean import companions
from fkp_app.backends.onnx.card import is_onnx
from fkp_app.backends.predictor import BACKENDS, SHIPPED_WEIGHTS
from fkp_app.errors import FkpError, UsageError, problem_of
from fkp_app.faces.drawing import draw_marks
from fkp_app.faces.finder import QUALITIES, FaceFinder, Quality, load_finder
from fkp_app.faces.keypoints import Face
from fkp_app.pipeline.results import ImageResult, to_json
from fkp_app.styles.library import load_style
from fkp_app.styles.wear import wear
from fkp_app.web.line import Line, Place
from fkp_app.web.reader import PhotoReader
from numpynet.checkpoint import CheckpointError
from numpynet.typing import AnyArray

MAX_PIXELS = 50_000_000
"""Most pixels of a photo; fewer than a command accepts, since a page serves several people at once."""
LARGE = 12_000_000
"""Photos with more pixels are worked on one at a time: each takes half a gigabyte."""
MUCH_WORK = 150_000_000
"""Photos that need more decoded pixels also go one at a time. A JPEG decodes all its pixels once per scan: 12 million
pixels in 12 scans are 144 million, which is below this limit."""
LARGE_AT_ONCE, OTHERS_AT_ONCE = 1, 3
"""Numbers of such photos, and of others, that are worked on at once."""
PREVIEW_SIDE = 1600
"""Longest side of the picture on the page, in pixels; the one to download is never shrunk."""
NO_STYLE = "none"
OVERLAYS = ("points", "numbers", "boxes")


@dataclass(frozen=True)
class Choices:
    """The choices of a visitor. overlays: some of OVERLAYS. quality: one of `SharedFinder.qualities`."""

    backend: str
    style: str
    overlays: Collection[str]
    quality: str = "fast"


@dataclass(frozen=True)
class Answer:
    """The result, notes on the photo, and three files: the picture, a smaller one to show, and the JSON."""

    result: ImageResult
    notes: list[str]
    picture: Path
    preview: Path
    numbers: Path


def backends_for(weights: Path | None) -> tuple[str, ...]:
    """The backends that can run a weights file on this machine. None is imported to find out."""
    if weights is not None and is_onnx(weights):
        return ("onnx",)
    needed = {"torch": "torch", "onnx": "onnx"}
    return tuple(name for name in BACKENDS if name not in needed or find_spec(needed[name]) is not None)


def qualities_for(weights: Path | None) -> tuple[Quality, ...]:
    """The qualities that a weights file allows: all of them if it has companions."""
    try:
        companions(weights or SHIPPED_WEIGHTS)
    except UsageError:
        return QUALITIES[:1]
    return QUALITIES


class SharedFinder:
    """Finds faces for all visitors, with the backend that each one chooses.

    Visitors take turns: neither the cascades nor OpenCV's networks can serve two threads at once, and one search uses
    all cores anyway.
    """

    def __init__(self, weights: Path | None = None, threads: int | None = None, detector: str | None = None) -> None:
        """Loads the first backend, so that bad weights are an error here. Each other one is loaded at its first use."""
        self.backends = backends_for(weights)
        self.qualities = qualities_for(weights)
        self._load = partial(load_finder, weights=weights, threads=threads, detector=detector)
        self.large, self.others = Line(LARGE_AT_ONCE), Line(OTHERS_AT_ONCE)
        """Where photos wait: those of more than LARGE pixels or MUCH_WORK, and all others."""
        self._turn = threading.Lock()
        self._finders: dict[tuple[str, str], FaceFinder] = {}
        self._finder(self.backends[0], self.qualities[0])

    def faces(self, image: AnyArray, backend: str, quality: str) -> list[Face]:
        """Every face in an RGB image (H, W, 3). FkpError if the backend cannot be used."""
        with self._turn:
            return self._finder(backend, quality)(image)

    def _finder(self, backend: str, quality: str) -> FaceFinder:
        if (backend, quality) not in self._finders:
            self._finders[backend, quality] = self._load(backend, quality=quality)
        return self._finders[backend, quality]


def answer(
    photo: Path, name: str, choices: Choices, finder: SharedFinder, reader: PhotoReader, folder: Path
) -> Iterator[Place | Answer]:
    """Find the faces of a photo that the visitor calls `name`, and write the results into `folder`.

    Yields the photo's place in the line while it waits for its turn, and at last the answer. FkpError for anything that
    goes wrong with the photo, in one line with that name.
    """
    try:
        pixels, work = reader.work(photo)
        with (finder.large if pixels > LARGE or work > MUCH_WORK else finder.others).place() as places:
            yield from places
            found = _answer(photo, name, choices, finder, reader, folder)
    except (FkpError, CheckpointError) as error:
        raise FkpError(str(error).replace(str(photo), name)) from None
    except Exception as error:  # no error of one photo may end the page
        line = problem_of(name, error).replace(str(photo), name)
        # A visitor who leaves, and the end of the page, remove the folder also under a photo at work.
        if folder.exists() and not reader.closed:
            print(f"fkp: {line}", file=sys.stderr)
        raise FkpError(line) from error
    yield found


def _answer(
    photo: Path, name: str, choices: Choices, finder: SharedFinder, reader: PhotoReader, folder: Path
) -> Answer:
    notes: list[str] = []
    image = reader.read(photo, notes, MAX_PIXELS)
    faces = finder.faces(image, choices.backend, choices.quality)
    result = ImageResult(name, image.shape[1], image.shape[0], faces)
    picture = Image.fromarray(drawn(image, faces, choices))
    stem = f"{Path(name).stem or 'photo'}-keypoints"
    whole = preview = folder / f"{stem}.png"
    picture.save(whole, compress_level=1)  # three times as fast as the default 6, and hardly larger
    if max(picture.size) > PREVIEW_SIDE:
        preview = folder / "preview.png"
        picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
        picture.save(preview, compress_level=1)
    numbers = folder / f"{stem}.json"
    numbers.write_text(to_json([result]), "utf-8")
    return Answer(result, [note.replace(str(photo), name) for note in notes], whole, preview, numbers)


def drawn(image: AnyArray, faces: list[Face], choices: Choices) -> AnyArray:
    """A copy of an RGB image (H, W, 3) with the style and the overlays that the visitor chose."""
    canvas = image.copy() if choices.style == NO_STYLE else wear(image, faces, load_style(choices.style))
    for face in faces:
        draw_marks(canvas, face, **{overlay: overlay in choices.overlays for overlay in OVERLAYS})
    return canvas
