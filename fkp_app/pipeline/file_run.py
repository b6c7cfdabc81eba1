"""A run over image and video files: a file that fails costs one line, the others are done and their results kept."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from fkp_app.faces.finder import FaceFinder
from fkp_app.media.sources import Kind, Source
from fkp_app.pipeline.image_run import ImageJob, ImageOutcome, run_image, run_in_workers
from fkp_app.pipeline.parts import Parts
from fkp_app.pipeline.remarks import Remarks
from fkp_app.pipeline.reporter import Reporter
from fkp_app.pipeline.results import ImageResult, SourceResult
from fkp_app.pipeline.run_options import RunOptions
from fkp_app.wording import count_of
from numpynet.files import remove_leftovers


@dataclass
class Tally:
    """What was found so far. without: images without a face."""

    images: int = 0
    faces: int = 0
    without: int = 0
    videos: int = 0

    def add(self, result: SourceResult) -> None:
        """Count one more source."""
        if isinstance(result, ImageResult):
            self.images += 1
            self.faces += len(result.faces)
            self.without += not result.faces
        else:
            self.videos += 1


@dataclass
class FileRun:
    """The files of one run, and what has become of them so far.

    pictures: for each source, the path of its drawn picture or video, or None. crops: likewise for its aligned faces.
    failed: number of sources that went wrong; it starts with those that are no source at all. parts: gets each result
    when it is there; None if `results` keeps them. done: number of sources that are finished, in this call or in an
    earlier one. results: by the index of the source.
    """

    sources: Sequence[Source]
    finder: FaceFinder
    options: RunOptions
    reporter: Reporter
    pictures: Sequence[Path | None]
    crops: Sequence[Path | None]
    failed: int
    parts: Parts | None = None
    done: int = 0
    tally: Tally = field(default_factory=Tally)
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
            if self.parts is not None:
                self.parts.flush()
            for line in self.remarks.lines():
                self.reporter.note(line)
        except BaseException as error:
            with suppress(OSError):  # standard output and error may have been closed
                saved = self._save_so_far()
                # A broken pipe says that whoever read our lines has gone: then nobody needs the line below.
                unheard = isinstance(error, BrokenPipeError) and not saved
                if len(self.sources) > 1 and not unheard:
                    kept = ", and what was found in them is written" if saved else ""
                    kept += "; the same command goes on from there" if self.parts is not None else ""
                    self.reporter.note(f"{self.done} of {len(self.sources)} sources were done{kept}")
            raise

    def _save_so_far(self) -> bool:
        if self.parts is not None:
            self.parts.flush()
            return self.done > 0
        return bool(self.results) and self.options.save is not None and self.options.save(self.found)

    def go_on(self) -> None:
        """Count what an earlier call has done, and remove the unfinished files of killed processes."""
        if self.parts is not None:
            self.done = sum(source.name in self.parts.done for source in self.sources)
        if self.done:
            self.reporter.note(f"{self.done} of {len(self.sources)} sources were done before")
        if removed := self._remove_leftovers():
            self.reporter.note(f"{count_of(removed, 'unfinished file')} of a run that was killed removed")

    def images(self) -> None:
        """Do all images: in this process, in several, or on a cluster."""
        indices, notes = self._indices("image"), list[str]()
        jobs = {ImageJob(self.sources[i], self.pictures[i], self.crops[i]): i for i in indices}
        workers = min(self.options.workers, len(jobs))
        if self.options.cluster is not None:
            from fkp_app.pipeline.cluster import run_in_cluster

            outcomes = run_in_cluster(list(jobs), self.options.cluster, self.options)
        elif workers > 1:
            outcomes = run_in_workers(list(jobs), workers, self.options, notes)
        else:
            outcomes = (run_image(job, self.finder, self.options) for job in jobs)
        with closing(outcomes), self.reporter.bar("images", len(jobs), "images") as advance:
            for outcome in outcomes:
                advance()
                self._take(jobs[outcome.job], outcome.result, outcome.problem)
                for note in outcome.notes:
                    self.remarks.add(note, [str(outcome.job.source.path), outcome.job.source.name])
                _report(outcome, self.reporter)
        if workers > 1 or self.options.cluster is not None:
            # A worker that was killed while it wrote a picture has left a part of it.
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
            problems = [*outcome.problems[:1], *outcome.missing]
            self._take(i, outcome.result, "; ".join(problems) or None)
            for problem in problems:
                self.reporter.problem(problem)
            for note in outcome.notes:
                self.remarks.add(note, [str(source.path), source.name, str(target)])
            if outcome.result is not None and (not outcome.problems or outcome.written or self.options.keep):
                self.reporter.line(outcome.summary())

    def summary(self, seconds: float) -> str:
        """The whole run in one line."""
        found = self.tally
        bare = f" ({count_of(found.without, 'image')} without any)" if found.without else ""
        parts = [f"{count_of(found.images, 'image')}, {count_of(found.faces, 'face')}{bare}"]
        parts += [count_of(found.videos, "video")] if found.videos else []
        parts += [f"{count_of(self.failed, 'source')} failed"] if self.failed else []
        rate = f" ({found.images / seconds:.1f} images a second)" if not found.videos and found.images else ""
        return f"{'; '.join(parts)}; {seconds:.1f} s{rate}"

    def _take(self, i: int, result: SourceResult | None, problem: str | None) -> None:
        """Keep what became of a source."""
        self.done += 1
        self.failed += problem is not None
        if result is not None:
            self.tally.add(result)
        if self.parts is not None:
            self.parts.add(self.sources[i], result, problem)
        elif result is not None:
            self.results[i] = result

    def _remove_leftovers(self) -> int:
        folders = {path.parent for path in [*self.pictures, *self.crops] if path is not None}
        return sum(map(remove_leftovers, folders))

    def _indices(self, kind: Kind) -> list[int]:
        done = self.parts.done if self.parts is not None else ()
        return [i for i, source in enumerate(self.sources) if source.kind == kind and source.name not in done]


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
