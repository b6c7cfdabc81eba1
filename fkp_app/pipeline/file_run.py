"""A run over many files: whatever happens to one is its line; the rest is done, and the results of it are kept."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from fkp_app.faces.drawing import Draw
from fkp_app.media.sources import Kind, Source
from fkp_app.pipeline.image_run import Finder, Job, Outcome, Setup, run_here, run_in_workers, threads_each
from fkp_app.pipeline.remarks import Remarks
from fkp_app.pipeline.reporter import Reporter
from fkp_app.pipeline.results import ImageResult, Result
from fkp_app.wording import count_of
from numpynet.files import remove_leftovers

Write = Callable[[list[Result]], bool]
"""Writes results where they are wanted; whether that could be done."""


@dataclass
class FileRun:
    """Files on their way, and what has become of them so far.

    pictures, crops, keep: as for each job or video; write: what becomes of the results, if anything. results: by the
    source's place among all; done: how many sources are; failed: how many of them, and of what was no source at all.
    """

    sources: Sequence[Source]
    finder: Finder
    setup: Setup
    reporter: Reporter
    pictures: Sequence[Path | None]
    crops: Sequence[Path | None]
    draw_video: Draw
    write: Write | None
    failed: int
    done: int = 0
    remarks: Remarks = field(default_factory=Remarks)
    results: dict[int, Result] = field(default_factory=dict)

    @property
    def found(self) -> list[Result]:
        """The results so far, in the order of the sources."""
        return [self.results[i] for i in sorted(self.results)]

    @contextmanager
    def kept_if_stopped(self) -> Iterator[None]:
        """Whatever ends the body early: what was found until then is written. Remarks on files are made at its end."""
        try:
            yield
            self._remark()
        except BaseException as error:
            with suppress(OSError):  # standard output and error may have gone
                written = bool(self.results) and self.write is not None and self.write(self.found)
                unheard = (
                    isinstance(error, BrokenPipeError) and not written
                )  # whoever read our lines has gone, and knows
                if len(self.sources) > 1 and not unheard:
                    kept = ", and what was found in them is written" if written else ""
                    self.reporter.note(f"{self.done} of {len(self.sources)} sources were done{kept}")
            raise

    def clean(self) -> None:
        """Remove what processes that were killed have left where results go."""
        if removed := self._remove_leftovers():
            self.reporter.note(f"{count_of(removed, 'unfinished file')} of a run that was killed removed")

    def images(self, workers: int) -> None:
        """All images, in this process or shared out to several."""
        places, notes = self._places("image"), list[str]()
        jobs = [Job(self.sources[i], self.pictures[i], self.crops[i]) for i in places]
        workers = min(workers, len(jobs))
        if workers > 1:
            setup = self.setup.for_workers(threads_each(workers, self.setup.threads))
            outcomes = run_in_workers(setup, jobs, workers, notes)
        else:
            outcomes = run_here(self.finder, jobs)
        with closing(outcomes), self.reporter.bar("images", len(jobs), "images") as advance:
            for i, outcome in zip(places, outcomes, strict=True):
                advance()
                self.done += 1
                self.failed += outcome.problem is not None
                if outcome.result is not None:
                    self.results[i] = outcome.result
                for note in outcome.notes:
                    self.remarks.add(note, [str(outcome.job.source.path), outcome.job.source.name])
                _say(outcome, self.reporter)
        if workers > 1:  # one that was killed in the middle of a picture left a part of it
            self._remove_leftovers()
        for note in notes:
            self.reporter.note(note)

    def videos(self, smooth: bool) -> None:
        """All videos, one after another."""
        if not (places := self._places("video")):
            return
        from fkp_app.pipeline.video_run import VideoTask, run_video

        keep = self.write is not None
        for i in places:
            task = VideoTask(self.sources[i], self.pictures[i], self.draw_video, smooth, keep)
            outcome = run_video(task, self.finder, self.reporter)
            self.done += 1
            self.failed += not outcome.well
            if outcome.result is not None:
                self.results[i] = outcome.result
            for problem in [*outcome.problems[:1], *outcome.missing]:
                self.reporter.problem(problem)
            for note in outcome.notes:
                self.remarks.add(note, [str(task.source.path), task.source.name, str(task.target)])
            if outcome.result is not None and (not outcome.problems or outcome.written or keep):
                self.reporter.line(outcome.summary())

    def summary(self, seconds: float) -> str:
        """All of it in a line."""
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

    def _remark(self) -> None:
        for line in self.remarks.lines():
            self.reporter.note(line)

    def _places(self, kind: Kind) -> list[int]:
        return [i for i, source in enumerate(self.sources) if source.kind == kind]


def _say(outcome: Outcome, reporter: Reporter) -> None:
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
