"""Many images: found, drawn and written one after another, here or in several processes; always in order."""

import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import cv2

from fkp_app.alignment import aligned_crop
from fkp_app.backends import get_predictor
from fkp_app.confidence import MIN_CONFIDENCE
from fkp_app.detector import FaceDetector
from fkp_app.drawing import Draw
from fkp_app.errors import FkpError
from fkp_app.images import ImageError, read_image, write_image
from fkp_app.keypoints import find_faces
from fkp_app.outputs import make_parent
from fkp_app.results import ImageResult
from fkp_app.sources import Source
from numpynet.typing import AnyArray
from numpynet.workers import physical_cores

AHEAD = 4
"""How many images a worker are handed out before the first of them is back."""


@dataclass(frozen=True)
class Setup:
    """How images are treated; it can be sent to other processes. draw: makes the picture that is written."""

    backend: str
    weights: Path | None
    threads: int | None
    min_confidence: float | None
    draw: Draw

    def for_workers(self, threads: int) -> "Setup":
        """The same with so many threads."""
        return replace(self, threads=threads)


@dataclass(frozen=True)
class Job:
    """An image, and where its picture and its aligned faces go, if anywhere. crops: a path that ends in .png, before
    which each face's number is put."""

    source: Source
    picture: Path | None = None
    crops: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a job: its result, or the problem with it. notes: lines for the user; seconds: what it took."""

    job: Job
    result: ImageResult | None = None
    problem: str | None = None
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Finder:
    """Network and detector, ready; called with a job, it does it. FkpError where a picture cannot be written."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self.predictor = get_predictor(setup.backend, setup.weights, setup.threads, own_process=True)
        self.detector = FaceDetector()
        if setup.threads is not None:
            cv2.setNumThreads(setup.threads)

    @property
    def min_confidence(self) -> float:
        """Faces less sure are left out."""
        least = self._setup.min_confidence
        return MIN_CONFIDENCE if least is None else least

    def __call__(self, job: Job) -> Outcome:
        start, notes = perf_counter(), list[str]()
        try:
            image = read_image(job.source.path, notes)
        except ImageError as error:
            return Outcome(job, problem=str(error))
        faces = find_faces(image, self.detector, self.predictor, min_confidence=self.min_confidence)
        if job.picture is not None:
            _write(job.picture, self._setup.draw(image, faces))
        if job.crops is not None:
            for number, face in enumerate(faces):
                _write(job.crops.with_suffix(f".{number}.png"), aligned_crop(image, face))
        result = ImageResult(job.source.name, image.shape[1], image.shape[0], faces)
        return Outcome(job, result, notes=notes, seconds=perf_counter() - start)


def run_here(finder: Finder, jobs: Sequence[Job]) -> Iterator[Outcome]:
    """The jobs, one after another."""
    return map(finder, jobs)


def run_in_workers(setup: Setup, jobs: Sequence[Job], workers: int) -> Iterator[Outcome]:
    """The jobs, shared out to so many processes. FkpError where one of these dies."""
    waiting: deque[Future[Outcome]] = deque()
    with ProcessPoolExecutor(workers, get_context("spawn"), _start, (setup,)) as pool:
        try:
            for job in jobs:
                with _deaf_to_interrupts():  # which new processes inherit: Ctrl-C is for this one to deal with
                    waiting.append(pool.submit(_work, job))
                if len(waiting) >= AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise FkpError("--workers: a process ended unexpectedly, perhaps for want of memory; use fewer") from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def threads_each(workers: int, threads: int | None) -> int:
    """How many threads a worker gets where --threads does not say."""
    return threads or max(1, physical_cores() // workers)


_finder: Finder | None = None
"""A worker's own."""


def _start(setup: Setup) -> None:
    global _finder
    _finder = Finder(setup)


def _work(job: Job) -> Outcome:
    assert _finder is not None
    return _finder(job)


def _write(path: Path, image: AnyArray) -> None:
    make_parent(path)
    write_image(path, image)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # where handlers cannot be set
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
