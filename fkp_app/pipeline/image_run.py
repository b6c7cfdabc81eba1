"""Images: find faces, draw them, write the pictures; in this process, or in several with results in order."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter

from fkp_app.errors import one_file
from fkp_app.faces.alignment import aligned_crop
from fkp_app.faces.finder import FaceFinder
from fkp_app.faces.keypoints import Face
from fkp_app.media.images import read_image, write_image
from fkp_app.media.sources import Source
from fkp_app.pipeline.outputs import make_parent
from fkp_app.pipeline.results import ImageResult
from fkp_app.pipeline.run_options import RunOptions
from fkp_app.pipeline.worker_pool import WorkerPool
from numpynet.typing import AnyArray
from numpynet.workers import physical_cores


@dataclass(frozen=True)
class ImageJob:
    """One image and where its pictures go.

    picture: path of the drawn picture; None for no picture. crops: path of the aligned faces, which ends in .png; each
    face's number is put before that suffix; None for no crops.
    """

    source: Source
    picture: Path | None = None
    crops: Path | None = None


@dataclass(frozen=True)
class ImageOutcome:
    """What became of one image.

    result: None if the image could not be read or searched. problem: one line for the user if anything went wrong; the
    result is kept if only a picture could not be written. notes: lines for the user. seconds: time that the job took.
    """

    job: ImageJob
    result: ImageResult | None = None
    problem: str | None = None
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0


def run_image(job: ImageJob, finder: FaceFinder, options: RunOptions) -> ImageOutcome:
    """Do one job. Any error becomes the outcome's problem."""
    start, source = perf_counter(), job.source
    notes, problems, result = list[str](), list[str](), None
    with one_file(source.name, problems):
        image = read_image(source.path, notes)
        faces = finder(image)
        result = ImageResult(source.name, image.shape[1], image.shape[0], faces)
        for path, make in _pictures(job, image, faces, options):
            with one_file(source.name, problems):
                picture = make()
                make_parent(path)
                write_image(path, picture)
    problem = source.words(problems[0]) if problems else None
    if len(problems) > 1:
        problem = f"{problem}; nor can {len(problems) - 1} more of its pictures"
    return ImageOutcome(job, result, problem, [source.words(note) for note in notes], perf_counter() - start)


def _pictures(
    job: ImageJob, image: AnyArray, faces: list[Face], options: RunOptions
) -> Iterator[tuple[Path, Callable[[], AnyArray]]]:
    """For each picture of a job: its path, and the function that makes it."""
    if job.picture is not None:
        yield job.picture, partial(options.draw_image, image, faces)
    if job.crops is not None:
        for number, face in enumerate(faces):
            yield job.crops.with_suffix(f".{number}.png"), partial(aligned_crop, image, face)


def run_in_workers(
    jobs: Sequence[ImageJob], workers: int, options: RunOptions, notes: list[str] | None = None
) -> Generator[ImageOutcome, None, None]:
    """Do the jobs in this number of processes. Outcomes come in the order of the jobs.

    If a process dies, another one does its job; only a job that several processes died of is lost. If processes could
    not be started, a line is appended to `notes`.
    """
    options = options.for_worker(threads_each(workers, options.threads))
    pool = WorkerPool(partial(start_worker, options), workers, lost)
    yield from pool.results(jobs)
    if notes is not None:
        notes += pool.notes


def threads_each(workers: int, threads: int | None) -> int:
    """Threads per worker: `threads` if it is given, else an equal share of the cores."""
    return threads or max(1, physical_cores() // workers)


def start_worker(options: RunOptions) -> Callable[[ImageJob], ImageOutcome]:
    """What a worker process does first: load a finder. Returns the function that does a job with it."""
    return partial(run_image, finder=options.load_finder(), options=options)


def lost(job: ImageJob, reason: str) -> ImageOutcome:
    """The outcome of a job whose processes died, or that failed outside `run_image`."""
    return ImageOutcome(
        job, problem=f"{job.source.name}: {reason}, perhaps for want of memory or by a fault in a reader"
    )
