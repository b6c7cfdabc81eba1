"""All that finds faces in an image, ready to use: the cascades, networks and the least confidence."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np

from fkp_app.backends.mean import mean_with_companions
from fkp_app.backends.predictor import SHIPPED_WEIGHTS, Predictor, get_predictor
from fkp_app.errors import UsageError
from fkp_app.faces.confidence import MIN_CONFIDENCE
from fkp_app.faces.detectors import make_detector
from fkp_app.faces.keypoints import Detector, Face, last_look
from fkp_app.faces.levels import stretched
from fkp_app.faces.search import find_faces
from numpynet.typing import AnyArray

Quality = Literal["fast", "best"]
QUALITIES: tuple[Quality, ...] = get_args(Quality)


@dataclass(frozen=True)
class FaceFinder:
    """Called with an image, it finds the faces. Use one finder per thread, as OpenCV's cascades serve one at a time."""

    detector: Detector
    predictor: Predictor
    min_confidence: float = MIN_CONFIDENCE
    """Faces with less confidence are left out."""
    last: Predictor | None = None
    """Looks at each found face once more, and places its final points. None: `predictor` has the last word."""

    def __call__(self, image: AnyArray) -> list[Face]:
        """Every face in an RGB image (H, W, 3), the largest first."""
        faces = find_faces(image, self.detector, self.predictor, min_confidence=self.min_confidence)
        if self.last is None or not faces:
            return faces
        points = last_look(stretched(image), np.stack([face.keypoints for face in faces]), self.last)
        return [replace(face, keypoints=own) for face, own in zip(faces, points, strict=True)]


def finders(
    detector: Detector, predictors: Mapping[str, Predictor], best: Mapping[str, Predictor] | None = None
) -> dict[str, FaceFinder]:
    """A finder for each predictor, by its name; and one "NAME, best" for each predictor of `best` that has the last
    word with the quality "best".
    """
    fast = {name: FaceFinder(detector, predictor) for name, predictor in predictors.items()}
    return fast | {f"{name}, best": replace(fast[name], last=last) for name, last in (best or {}).items()}


def load_finder(
    backend: str = "numpy",
    weights: Path | None = None,
    threads: int | None = None,
    min_confidence: float | None = None,
    detector: str | None = None,
    quality: str = "fast",
) -> FaceFinder:
    """A finder for a process that is free to set up its threads for it, as a command's process is.

    weights: the shipped file if None; threads: all cores if None; min_confidence: MIN_CONFIDENCE if None; detector: a
    name that `make_detector` knows; quality: "best" to let the mean of several networks place the points. Errors as
    there, in `get_predictor` and in `joined`.
    """
    load = partial(get_predictor, backend, threads=threads, own_process=True)
    finder = joined(load, partial(make_detector, detector, own_process=True), weights, min_confidence, quality)
    if threads is not None:
        cv2.setNumThreads(threads)
    return finder


def joined(
    load: Callable[[Path | None], Predictor],
    make: Callable[[], Detector],
    weights: Path | None,
    min_confidence: float | None,
    quality: str,
) -> FaceFinder:
    """A finder of the network that `load` gives for these weights and of the detector that `make` gives.

    The other arguments are as in `load_finder`. Errors as in `load` and `make`, and, for the quality "best", as in
    `mean_with_companions`; UsageError if there is no such quality.
    """
    if quality not in QUALITIES:
        raise UsageError(f"--quality must be {' or '.join(QUALITIES)}, got {quality}")
    predictor, last = load(weights), None
    if quality == "best":
        last = mean_with_companions(weights or SHIPPED_WEIGHTS, predictor, load)
    return FaceFinder(make(), predictor, MIN_CONFIDENCE if min_confidence is None else min_confidence, last)


def load_best(predictor: Predictor, weights: Path | None, threads: int | None = None) -> Predictor:
    """The mean of the network of `weights`, which is loaded already, and of its companions, for a command's process."""
    load = partial(get_predictor, predictor.backend, threads=threads, own_process=True)
    return mean_with_companions(weights or SHIPPED_WEIGHTS, predictor, load)
