"""Frames per second of each backend, with one face and with four: the first part of `python -m benchmarks video`."""

import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from benchmarks.contenders import CONTENDERS, FAST
from benchmarks.processes import Worker
from benchmarks.quality.clips import four_faces, one_face
from fkp_app.backends.predictor import get_predictor
from fkp_app.errors import FkpError
from fkp_app.faces.detector import Candidate
from fkp_app.faces.detectors import make_detector
from fkp_app.faces.keypoints import Detector
from fkp_app.faces.proposals import Proposal
from fkp_app.tracking.tracker import FaceTracker
from numpynet import use
from numpynet.typing import AnyArray

BACKENDS = {"numpy": "readable", "numpy-fast": "fast", "torch": "", "onnx": ""}
"""numpynet's implementation that each backend uses; "" if it does not use numpynet."""


class Timed:
    """A detector that adds up the `seconds` that its searches take."""

    def __init__(self, detector: Detector) -> None:
        self._detector, self.seconds = detector, 0.0

    def candidates(self, image: AnyArray, angle: float = 0.0, margin: float = 0.0) -> Sequence[Candidate | Proposal]:
        """What the detector proposes."""
        begin = time.perf_counter()
        try:
            return self._detector.candidates(image, angle, margin)
        finally:
            self.seconds += time.perf_counter() - begin

    def least(self, height: int, width: int) -> float:
        """As the detector says."""
        return self._detector.least(height, width)


def serve(connection: Connection, backend: str, name: str, threads: int | None) -> None:
    """In the worker's process.

    The first message, whatever it is, is answered with the reason why the backend is not available, "" if it is. Each
    later message is (faces, frames); its answer is the seconds of every frame, the seconds that the detector `name`
    took in all, and the mean number of faces found per frame.
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
        detector, images = Timed(make_detector(name, own_process=True)), list(clip.images())
        FaceTracker(detector, predictor).update(images[0], 0.0)  # a first call that does not count
        detector.seconds, tracker = 0.0, FaceTracker(detector, predictor)
        taken, seen = [], 0
        for index, image in enumerate(images):
            begin = time.perf_counter()
            seen += len(tracker.update(image, clip.time(index)))
            taken.append(time.perf_counter() - begin)
        connection.send((taken, detector.seconds, seen / frames))


def speeds(backend: str, detector: str, frames: int, threads: int | None) -> dict[str, Any] | str:
    """Figures of a backend by number of faces, "1" and "4"; or the reason why the backend is not available."""
    environment = CONTENDERS[FAST].environment if BACKENDS[backend] else {}
    found: dict[str, Any] = {}
    with Worker(backend, environment, serve, backend, detector, threads) as worker:
        if reason := worker.ask(None):
            return str(reason)
        for faces in (1, 4):
            taken, searches, seen = worker.ask((faces, frames))
            found[str(faces)] = {
                "frames_per_second": len(taken) / sum(taken),
                "median_ms": 1e3 * float(np.median(taken)),
                "slowest_ms": 1e3 * max(taken),
                "searches_share": searches / sum(taken),
                "faces_seen": seen,
            }
    return found


def speed_table(results: dict[str, Any]) -> Iterator[str]:
    """One row per backend and number of faces."""
    yield f"{'':12}{'faces':>6}{'frames/s':>10}{'median ms':>11}{'slowest ms':>12}{'searches':>10}{'seen':>7}"
    for backend, found in results.items():
        if isinstance(found, str):
            yield f"{backend:12}skipped: {found}"
            continue
        for faces, row in found.items():
            yield (
                f"{backend:12}{faces:>6}{row['frames_per_second']:10.1f}{row['median_ms']:11.1f}"
                f"{row['slowest_ms']:12.1f}{100 * row['searches_share']:8.0f} %{row['faces_seen']:7.2f}"
            )
