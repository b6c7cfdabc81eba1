"""Frames per second of each backend, with one face and with four: the first part of `python -m benchmarks video`."""

import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from benchmarks.contenders import CONTENDERS, FAST
from benchmarks.processes import Worker
from benchmarks.quality.clips import four_faces, one_face
from fkp_app.backends.predictor import get_predictor
from fkp_app.errors import FkpError
from fkp_app.faces.detector import Candidate, FaceDetector
from fkp_app.tracking.tracker import FaceTracker
from numpynet import use
from numpynet.typing import AnyArray

BACKENDS = {"numpy": "readable", "numpy-fast": "fast", "torch": "", "onnx": ""}
"""numpynet's implementation that each backend uses; "" if it does not use numpynet."""


class TimedDetector(FaceDetector):
    """A FaceDetector that adds up the `seconds` that its searches take."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def candidates(self, image: AnyArray, angle: float = 0.0, margin: float = 0.0) -> list[Candidate]:
        """The candidates that FaceDetector finds."""
        begin = time.perf_counter()
        try:
            return super().candidates(image, angle, margin)
        finally:
            self.seconds += time.perf_counter() - begin


def serve(connection: Connection, backend: str, threads: int | None) -> None:
    """In the worker's process.

    The first message, whatever it is, is answered with the reason why the backend is not available, "" if it is. Each
    later message is (faces, frames); its answer is the seconds of every frame, the seconds that the cascades took in
    all, and the mean number of faces found per frame.
    """
    import cv2

    connection.recv()
    try:
        if BACKENDS[backend]:
            use(BACKENDS[backend])
        if threads is not None:
            cv2.setNumThreads(threads)
        predictor = get_predictor(backend.partition("-")[0], threads=threads, own_process=True)
    except FkpError as error:
        connection.send(str(error))
        return
    connection.send("")
    while True:
        faces, frames = connection.recv()
        clip = (one_face if faces == 1 else four_faces)("mix", predictor, frames=frames)
        detector, images = TimedDetector(), list(clip.images())
        FaceTracker(detector, predictor).update(images[0], 0.0)  # a first call that does not count
        detector.seconds, tracker = 0.0, FaceTracker(detector, predictor)
        taken, seen = [], 0
        for index, image in enumerate(images):
            begin = time.perf_counter()
            seen += len(tracker.update(image, clip.time(index)))
            taken.append(time.perf_counter() - begin)
        connection.send((taken, detector.seconds, seen / frames))


def speeds(backend: str, frames: int, threads: int | None) -> dict[str, Any] | str:
    """Figures of a backend by number of faces, "1" and "4"; or the reason why the backend is not available."""
    environment = CONTENDERS[FAST].environment if BACKENDS[backend] else {}
    found: dict[str, Any] = {}
    with Worker(backend, environment, serve, backend, threads) as worker:
        if reason := worker.ask(None):
            return str(reason)
        for faces in (1, 4):
            taken, cascades, seen = worker.ask((faces, frames))
            found[str(faces)] = {
                "frames_per_second": len(taken) / sum(taken),
                "median_ms": 1e3 * float(np.median(taken)),
                "slowest_ms": 1e3 * max(taken),
                "cascades_share": cascades / sum(taken),
                "faces_seen": seen,
            }
    return found


def speed_table(results: dict[str, Any]) -> Iterator[str]:
    """One row per backend and number of faces."""
    yield f"{'':12}{'faces':>6}{'frames/s':>10}{'median ms':>11}{'slowest ms':>12}{'cascades':>10}{'seen':>7}"
    for backend, found in results.items():
        if isinstance(found, str):
            yield f"{backend:12}skipped: {found}"
            continue
        for faces, row in found.items():
            yield (
                f"{backend:12}{faces:>6}{row['frames_per_second']:10.1f}{row['median_ms']:11.1f}"
                f"{row['slowest_ms']:12.1f}{100 * row['cascades_share']:8.0f} %{row['faces_seen']:7.2f}"
            )
