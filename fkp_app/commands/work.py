"""The work of `fkp detect` and `fkp filter`, which differ in what they draw: every source, and a summary."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fkp_app.commands.options import check_workers
from fkp_app.drawing import Look
from fkp_app.errors import FkpError, UsageError
from fkp_app.image_run import Finder, Job, Outcome, Setup, run_here, run_in_workers, threads_each
from fkp_app.outputs import make_folder, target_paths
from fkp_app.reporter import Reporter, Stopwatch
from fkp_app.results import ImageResult, Result, count_of
from fkp_app.sources import Kind, Source, expand


@dataclass(frozen=True)
class Work:
    """What a command was asked to do. setup: for images; looks: what a window can show,
    the first at first and in written videos; keep: whether the results of
    every frame are wanted."""

    arguments: Sequence[str]
    setup: Setup
    looks: Sequence[Look]
    out: Path | None = None
    crops: Path | None = None
    recursive: bool = False
    workers: int = 1
    smooth: bool = True
    window: bool | None = None
    record: Path | None = None
    keep: bool = False


def process(work: Work, reporter: Reporter) -> tuple[list[Result], bool]:
    """The results of all sources that could be read, in order, and whether all could."""
    check_workers(work.workers)
    sources, problems = expand(work.arguments, work.recursive, work.out)
    for problem in problems:
        reporter.problem(problem)
    shown = _shown(work, sources)
    finder = Finder(work.setup)
    for option, folder in (("--out", work.out), ("--crops", work.crops)):
        if folder is not None:
            make_folder(folder, option)
    if shown is not None:
        from fkp_app.live import LiveTask, run_live

        window = work.window is not False
        task = LiveTask(shown, work.looks, work.smooth, work.record, work.keep, window)
        found, well = run_live(task, finder, reporter)
        return found, well and not problems
    run = _Run(work, sources, finder, reporter, failed=len(problems))
    with Stopwatch() as watch:
        run.images()
        run.videos()
    if len(sources) + len(problems) > 1:
        reporter.line(run.summary(watch.seconds))
    return [run.results[i] for i in sorted(run.results)], not run.failed


def _shown(work: Work, sources: Sequence[Source]) -> Source | None:
    """The one source that a window is to show, if any. UsageError where the options do not go together."""
    cameras = [source for source in sources if source.kind == "camera"]
    live = bool(cameras) or bool(work.window)
    if work.record is not None and not live:
        raise UsageError("--record records what a window shows: give --window, or a camera as the source")
    if not live:
        return None
    if len(sources) != 1 or sources[0].kind == "image":
        raise UsageError("a window shows one camera or one video; name it alone")
    if work.out is not None or work.crops is not None:
        raise UsageError("--out and --crops are for files; what a window shows is recorded with --record FILE.mp4")
    return sources[0]


@dataclass
class _Run:
    """Files on their way, and what has become of them so far. results: by the source's place among all."""

    work: Work
    sources: Sequence[Source]
    finder: Finder
    reporter: Reporter
    failed: int
    results: dict[int, Result] = field(default_factory=dict)

    def images(self) -> None:
        """All images, in this process or shared out to several."""
        setup, places = self.work.setup, self._places("image")
        pictures, crops = self._targets(self.work.out), self._targets(self.work.crops)
        jobs = [Job(self.sources[i], pictures[i], crops[i]) for i in places]
        workers = min(self.work.workers, len(jobs))
        if workers > 1:
            outcomes = run_in_workers(setup.for_workers(threads_each(workers, setup.threads)), jobs, workers)
        else:
            outcomes = run_here(self.finder, jobs)
        with self.reporter.bar("images", len(jobs), "images") as advance:
            for i, outcome in zip(places, outcomes, strict=True):
                advance()
                if outcome.result is None:
                    self.reporter.problem(outcome.problem)
                    self.failed += 1
                else:
                    self.results[i] = outcome.result
                    _say(outcome, outcome.result, self.reporter)

    def videos(self) -> None:
        """All videos, one after another."""
        places, targets = self._places("video"), self._targets(self.work.out)
        if not places:
            return
        from fkp_app.video_run import VideoTask, run_video

        for i in places:
            task = VideoTask(self.sources[i], targets[i], self.work.looks[0].draw, self.work.smooth, self.work.keep)
            try:
                self.results[i], whole = run_video(task, self.finder, self.reporter)
            except FkpError as error:
                self.reporter.problem(error)
                whole = False
            self.failed += not whole

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

    def _places(self, kind: Kind) -> list[int]:
        return [i for i, source in enumerate(self.sources) if source.kind == kind]

    def _targets(self, folder: Path | None) -> Sequence[Path | None]:
        return [None] * len(self.sources) if folder is None else target_paths(folder, self.sources)


def _say(outcome: Outcome, result: ImageResult, reporter: Reporter) -> None:
    for note in outcome.notes:
        reporter.note(note)
    picture = outcome.job.picture
    reporter.line(result.summary() + (f" -> {picture}" if picture is not None else ""))
    if not result.faces and not reporter.lines_to_stdout:
        reporter.note(result.summary())
    sure = ", ".join(f"{face.confidence:.2f}" for face in result.faces if face.confidence is not None)
    detail = f"{result.width} x {result.height} pixels, {outcome.seconds * 1000:.0f} ms"
    reporter.detail(detail + (f", confidence {sure}" if sure else ""))
