"""All that finds faces in an image, ready to use: the cascades, a network and the least confidence."""

from dataclasses import dataclass
from pathlib import Path

import cv2

from fkp_app.backends.predictor import Predictor, get_predictor
from fkp_app.faces.confidence import MIN_CONFIDENCE
from fkp_app.faces.detectors import make_detector
from fkp_app.faces.keypoints import Detector, Face
from fkp_app.faces.search import find_faces
from numpynet.typing import AnyArray


@dataclass(frozen=True)
class FaceFinder:
    """Called with an image, it finds the faces. Use one finder per thread, as OpenCV's cascades serve one at a time."""

    detector: Detector
    predictor: Predictor
    min_confidence: float = MIN_CONFIDENCE
    """Faces with less confidence are left out."""

    def __call__(self, image: AnyArray) -> list[Face]:
        """Every face in an RGB image (H, W, 3), the largest first."""
        return find_faces(image, self.detector, self.predictor, min_confidence=self.min_confidence)


def load_finder(
    backend: str = "numpy",
    weights: Path | None = None,
    threads: int | None = None,
    min_confidence: float | None = None,
    detector: str | None = None,
) -> FaceFinder:
    """A finder for a process that is free to set up its threads for it, as a command's process is.

    weights: the shipped file if None; threads: all cores if None; min_confidence: MIN_CONFIDENCE if None;
    detector: a name that `make_detector` knows. Errors as there and in `get_predictor`.
    """
    predictor = get_predictor(backend, weights, threads, own_process=True)
    found = make_detector(detector, own_process=True)
    if threads is not None:
        cv2.setNumThreads(threads)
    return FaceFinder(found, predictor, MIN_CONFIDENCE if min_confidence is None else min_confidence)
