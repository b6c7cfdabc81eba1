"""Networks and detectors that are loaded once and used again, by a script that calls `fkp_app.detect` many times."""

import threading
from functools import lru_cache
from pathlib import Path

from fkp_app.backends import SHIPPED_WEIGHTS, Predictor, get_predictor
from fkp_app.detector import FaceDetector

KEPT = 4
"""So many networks are kept: the full one is 0.6 GB."""

_each = threading.local()


def predictor(backend: str, weights: Path | None) -> Predictor:
    """As `get_predictor` gives it, loaded anew only where the file has changed."""
    path = weights or SHIPPED_WEIGHTS
    try:
        stamp = path.stat().st_mtime_ns
    except OSError:
        stamp = 0  # the loader says what is wrong with it
    return _load(backend, weights, stamp)


def detector() -> FaceDetector:
    """This thread's own: OpenCV's cascades serve one thread at a time."""
    if not hasattr(_each, "detector"):
        _each.detector = FaceDetector()
    own: FaceDetector = _each.detector
    return own


@lru_cache(maxsize=KEPT)
def _load(backend: str, weights: Path | None, stamp: int) -> Predictor:
    return get_predictor(backend, weights)
