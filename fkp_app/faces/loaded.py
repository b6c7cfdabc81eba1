"""Networks and cascades that stay in memory between calls of `fkp_app.detect`."""

import os
import threading
from functools import lru_cache, partial
from pathlib import Path

from fkp_app.backends.predictor import SHIPPED_WEIGHTS, Predictor, get_predictor
from fkp_app.errors import FkpError
from fkp_app.faces.detectors import DEFAULT_DETECTOR, make_detector
from fkp_app.faces.finder import FaceFinder, joined
from fkp_app.faces.keypoints import Detector

KEPT = 6
"""Networks kept in memory, two backends of three networks; the largest architecture takes 0.6 GB."""

_of_thread = threading.local()
_torch_process: int | None = None
"""Id of the process in which PyTorch was first asked for."""


def finder(
    backend: str,
    weights: Path | None,
    min_confidence: float | None,
    detector_name: str | None = None,
    quality: str = "fast",
) -> FaceFinder:
    """A finder for this thread. It changes no thread setting of the process. Errors as in `predictor` and `joined`."""
    return joined(partial(predictor, backend), partial(detector, detector_name), weights, min_confidence, quality)


def predictor(backend: str, weights: Path | None) -> Predictor:
    """The predictor that `get_predictor` gives; it is loaded again only if the file has changed.

    FkpError if the backend is torch and this process was forked from one that had used it.
    """
    if backend == "torch":
        _refuse_fork()
    path = weights or SHIPPED_WEIGHTS
    try:
        modified = path.stat().st_mtime_ns
    except OSError:
        modified = 0  # the loader says what is wrong with the file
    return _load(backend, weights, modified)


def detector(name: str | None = None) -> Detector:
    """The detector of this name and this thread: OpenCV's cascades serve one thread at a time."""
    own: dict[str, Detector] = _of_thread.__dict__.setdefault("detectors", {})
    name = name or DEFAULT_DETECTOR
    if name not in own:
        own[name] = make_detector(name)
    return own[name]


def _refuse_fork() -> None:
    """PyTorch's threads do not exist in a forked process, so it would wait for them for ever."""
    global _torch_process
    if _torch_process not in (None, os.getpid()):
        raise FkpError(
            "torch was used before this process was forked, and never answers in it; start processes by "
            "multiprocessing.get_context('spawn'), or use the backend numpy or onnx"
        )
    _torch_process = os.getpid()


@lru_cache(maxsize=KEPT)
def _load(backend: str, weights: Path | None, modified: int) -> Predictor:
    return get_predictor(backend, weights)
