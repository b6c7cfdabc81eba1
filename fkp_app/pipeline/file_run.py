"""A run over image and video files: a file that fails costs one line, the others are done and their results kept."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from fkp_app.faces.finder import FaceFinder
from fkp_app.media.sources import Kind, Source
from fkp_app.pipeline.image_run import ImageJob, ImageOutcome, run_image, run_in_workers
from fkp_app.pipeline.remarks import Remarks
from fkp_app.pipeline.reporter import Reporter
from fkp_app.pipeline.results import ImageResult, SourceResult
from fkp_app.pipeline.run_options import RunOptions
from fkp_app.wording import count_of
from numpynet.files import remove_leftovers


@dataclass
class FileRun:
    """The files of one run, and what has become of them so far.

    pictures: for each source, the path of its drawn picture or video, or None. crops: likewise for its aligned faces.
    failed: number of sources that went wrong; it starts with those that are no source at all. done: number of sources
    that are finished. results: by the index of the source.
    """

    sources: Sequence[Source]
    finder: FaceFinder
    options: RunOptions
    reporter: Reporter
    pictures: Sequence[Path | None]
    crops: Sequence[Path | None]
    failed: int
    done: int = 0
    remarks: Remarks = field(default_factory=Remarks)
    results: dict[int, SourceResult] = field(default_factory=dict)

    @property
    def found(self) -> list[SourceResult]:
        """The results so far, in the order of the sources."""
        return [self.results[i] for i in sorted(self.results)]

    @contextmanager
    def kept_if_stopped(self) -> Iterator[None]:
        """If anything ends the body early, save the results so far. At the end of a whole body, print the remarks."""
        try:
            yield
            for line in self.remarks.lines():
                self.reporter.note(line)
        except BaseException as error:
            with suppress(OSError):  # standard output and error may have been closed
                saved = bool(self.results) and self.options.save is not None and self.options.save(self.found)
                # A broken pipe says that whoever read our lines has gone: then nobody needs the line below.
                unheard = isinstance(error, BrokenPipeError) and not saved
                if len(self.sources) > 1 and not unheard:
                    kept = ", and what was found in them is written" if saved else ""
                    self.reporter.note(f"{self.done} of {len(self.sources)} sources were done{kept}")
            raise

    def clean(self) -> None:
        """Remove the unfinished files that killed processes have left in the folders of the results."""
        if removed := self._remove_leftovers():
            self.reporter.note(f"{count_of(removed, 'unfinished file')} of a run that was killed removed")

    def images(self) -> None:
        """Do all images, in this process or in several."""
        indices, notes = self._indices("image"), list[str]()
        jobs = [ImageJob(self.sources[i], self.pictures[i], self.crops[i]) for i in indices]
        workers = min(self.options.workers, len(jobs))
        if workers > 1:
            outcomes = run_in_workers(jobs, workers, self.options, notes)
        else:
            outcomes = (run_image(job, self.finder, self.options) for job in jobs)
        with closing(outcomes), self.reporter.bar("images", len(jobs), "images") as advance:
            for i, outcome in zip(indices, outcomes, strict=True):
                advance()
                self.done += 1
                self.failed += outcome.problem is not None
                if outcome.result is not None:
                    self.results[i] = outcome.result
                for note in outcome.notes:
                    self.remarks.add(note, [str(outcome.job.source.path), outcome.job.source.name])
                _report(outcome, self.reporter)
        if workers > 1:  # a worker that was killed while it wrote a picture has left a part of it
            self._remove_leftovers()
        for note in notes:
            self.reporter.note(note)

    def videos(self) -> None:
        """Do all videos, one after another."""
        if not (indices := self._indices("video")):
            return
        from fkp_app.pipeline.video_run import run_video

        for i in indices:
            source, target = self.sources[i], self.pictures[i]
            outcome = run_video(source, target, self.finder, self.options, self.reporter)
            self.done += 1
            self.failed += not outcome.complete
            if outcome.result is not None:
                self.results[i] = outcome.result
            for problem in [*outcome.problems[:1], *outcome.missing]:
                self.reporter.problem(problem)
            for note in outcome.notes:
                self.remarks.add(note, [str(source.path), source.name, str(target)])
            if outcome.result is not None and (not outcome.problems or outcome.written or self.options.keep):
                self.reporter.line(outcome.summary())

    def summary(self, seconds: float) -> str:
        """The whole run in one line."""
        images = [result for result in self.results.values() if isinstance(result, ImageResult)]
        videos = len(self.results) - len(images)
        faces, without = sum(len(result.faces) for result in images), sum(not result.faces for result in images)
        bare = f" ({count_of(without, 'image')} without any)" if without else ""
        parts = [f"{count_of(len(images), 'image')}, {count_of(faces, 'face')}{bare}"]
        parts += [count_of(videos, "video")] if videos else []
        parts += [f"{count_of(self.failed, 'source')} failed"] if self.failed else []
        rate = f" ({len(images) / seconds:.1f} images a second)" if not videos and images else ""
        return f"{'; '.join(parts)}; {seconds:.1f} s{rate}"

    def _remove_leftovers(self) -> int:
        folders = {path.parent for path in [*self.pictures, *self.crops] if path is not None}
        return sum(map(remove_leftovers, folders))

    def _indices(self, kind: Kind) -> list[int]:
        return [i for i, source in enumerate(self.sources) if source.kind == kind]


def _report(outcome: ImageOutcome, reporter: Reporter) -> None:
    if outcome.problem is not None:
        reporter.problem(outcome.problem)
    result, picture = outcome.result, outcome.job.picture
    if result is None or outcome.problem is not None:
        return
    reporter.line(result.summary() + (f" -> {picture}" if picture is not None else ""))
    if not result.faces and not reporter.lines_to_stdout:
        reporter.note(result.summary())
    sure = ", ".join(f"{face.confidence:.2f}" for face in result.faces if face.confidence is not None)
    detail = f"{result.width} x {result.height} pixels, {outcome.seconds * 1000:.0f} ms"
    reporter.detail(detail + (f", confidence {sure}" if sure else ""))
