"""Networks and detectors that are loaded once and used again, by a script that calls `fkp_app.detect` many times."""

import os
import threading
from functools import lru_cache
from pathlib import Path

from fkp_app.backends.predictor import SHIPPED_WEIGHTS, Predictor, get_predictor
from fkp_app.errors import FkpError
from fkp_app.faces.detector import FaceDetector

KEPT = 4
"""So many networks are kept: the full one is 0.6 GB."""

_each = threading.local()
_torch_process: int | None = None
"""The process in which PyTorch was first asked for."""


def predictor(backend: str, weights: Path | None) -> Predictor:
    """As `get_predictor` gives it, loaded anew only where the file has changed. FkpError for torch in a forked process
    whose parent has used it."""
    if backend == "torch":
        _refuse_fork()
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


def _refuse_fork() -> None:
    """PyTorch's threads do not exist in a forked process, which would wait for them for ever."""
    global _torch_process
    if _torch_process not in (None, os.getpid()):
        raise FkpError(
            "torch was used before this process was forked, and never answers in it; start processes by "
            "multiprocessing.get_context('spawn'), or use the backend numpy or onnx"
        )
    _torch_process = os.getpid()


@lru_cache(maxsize=KEPT)
def _load(backend: str, weights: Path | None, stamp: int) -> Predictor:
    return get_predictor(backend, weights)
