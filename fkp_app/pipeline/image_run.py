"""Many images: found, drawn and written one after another, here or in several processes; always in order."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import perf_counter

import cv2

from fkp_app.backends.predictor import get_predictor
from fkp_app.errors import one_file
from fkp_app.faces.alignment import aligned_crop
from fkp_app.faces.confidence import MIN_CONFIDENCE
from fkp_app.faces.detector import FaceDetector
from fkp_app.faces.drawing import Draw
from fkp_app.faces.keypoints import Face, find_faces
from fkp_app.media.images import read_image, write_image
from fkp_app.media.sources import Source
from fkp_app.pipeline.outputs import make_parent
from fkp_app.pipeline.results import ImageResult
from fkp_app.pipeline.worker_pool import WorkerPool
from numpynet.typing import AnyArray
from numpynet.workers import physical_cores


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
    """What became of a job: its result, if it got so far, and the problem with it, if there is one: a picture that
    cannot be written takes nothing from the numbers. notes: lines for the user; seconds: what it took."""

    job: Job
    result: ImageResult | None = None
    problem: str | None = None
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Finder:
    """Network and detector, ready; called with a job, it does it, whatever happens."""

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
        start, source = perf_counter(), job.source
        notes, problems, result = list[str](), list[str](), None
        with one_file(source.name, problems):
            image = read_image(source.path, notes)
            faces = find_faces(image, self.detector, self.predictor, min_confidence=self.min_confidence)
            result = ImageResult(source.name, image.shape[1], image.shape[0], faces)
            for path, make in self._pictures(job, image, faces):
                with one_file(source.name, problems):
                    _write(path, make())
        problem = source.words(problems[0]) if problems else None
        if len(problems) > 1:
            problem = f"{problem}; nor can {len(problems) - 1} more of its pictures"
        return Outcome(job, result, problem, [source.words(note) for note in notes], perf_counter() - start)

    def _pictures(self, job: Job, image: AnyArray, faces: list[Face]) -> Iterator[tuple[Path, Callable[[], AnyArray]]]:
        """Where each picture goes, and what makes it."""
        if job.picture is not None:
            yield job.picture, partial(self._setup.draw, image, faces)
        for number, face in enumerate(faces if job.crops is not None else ()):
            assert job.crops is not None
            yield job.crops.with_suffix(f".{number}.png"), partial(aligned_crop, image, face)


def run_here(finder: Finder, jobs: Sequence[Job]) -> Generator[Outcome, None, None]:
    """The jobs, one after another."""
    yield from map(finder, jobs)


def run_in_workers(
    setup: Setup, jobs: Sequence[Job], workers: int, notes: list[str] | None = None
) -> Generator[Outcome, None, None]:
    """The jobs, shared out to so many processes. A job whose process dies is lost, and no other; a line appended to
    `notes` says where processes could not be started."""
    pool = WorkerPool(partial(Finder, setup), workers, _lost)
    yield from pool.results(jobs)
    if notes is not None:
        notes += pool.notes


def threads_each(workers: int, threads: int | None) -> int:
    """How many threads a worker gets where --threads does not say."""
    return threads or max(1, physical_cores() // workers)


def _lost(job: Job, reason: str) -> Outcome:
    return Outcome(job, problem=f"{job.source.name}: {reason}, perhaps for want of memory or by a fault in a reader")


def _write(path: Path, image: AnyArray) -> None:
    make_parent(path)
    write_image(path, image)
