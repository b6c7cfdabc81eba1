"""The work of `fkp detect` and `fkp filter`, which differ in what they draw: every source, and a summary."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from fkp_app.errors import FkpError, UsageError
from fkp_app.faces.drawing import Look
from fkp_app.media.sources import Source, expand
from fkp_app.media.spool import is_pipe
from fkp_app.pipeline.file_run import FileRun, Write
from fkp_app.pipeline.image_run import Finder, Setup
from fkp_app.pipeline.outputs import crop_paths, make_folder, target_paths
from fkp_app.pipeline.reporter import Reporter, Stopwatch


@dataclass(frozen=True)
class Work:
    """What a command was asked to do. setup: for images; looks: what a window can show,
    the first at first and in written videos; write: what becomes of the results, None where nobody wants them."""

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
    write: Write | None = None


def process(work: Work, reporter: Reporter) -> bool:
    """Do all sources, write the results of those that could be read, and say whether all went well.

    Where Ctrl-C or a signal ends it, the results of the sources that were done are written all the same.
    """
    check_workers(work.workers)
    with ExitStack() as stack:
        spool = stack.enter_context(_folder_for_pipes()) if any(map(is_pipe, work.arguments)) else None
        folders = [folder for folder in (work.out, work.crops) if folder is not None]
        expanded = expand(work.arguments, work.recursive, folders, spool)
        sources, problems = expanded.sources, expanded.problems
        for problem in problems:
            reporter.problem(problem)
        shown = _shown(work, sources)
        finder = Finder(work.setup)
        for option, folder in (("--out", work.out), ("--crops", work.crops)):
            if folder is not None:
                make_folder(folder, option)
        for note in expanded.notes:
            reporter.note(note)
        if shown is not None:
            from fkp_app.pipeline.live import LiveTask, run_live

            window, keep = work.window is not False, work.write is not None
            found, well = run_live(
                LiveTask(shown, work.looks, work.smooth, work.record, keep, window), finder, reporter
            )
            return (work.write is None or work.write(found)) and well and not problems
        none: Sequence[Path | None] = [None] * len(sources)
        pictures = none if work.out is None else target_paths(work.out, sources)
        crops = none if work.crops is None else crop_paths(work.crops, sources, pictures)
        draw, failed = work.looks[0].draw, len(problems)
        run = FileRun(sources, finder, work.setup, reporter, pictures, crops, draw, work.write, failed)
        run.clean()
        with run.kept_if_stopped(), Stopwatch() as watch:
            run.images(work.workers)
            run.videos(work.smooth)
        written = work.write is None or work.write(run.found)
        if len(sources) + len(problems) > 1:
            reporter.line(run.summary(watch.seconds))
        return written and not run.failed


@contextmanager
def _folder_for_pipes() -> Iterator[Path]:
    try:
        folder = tempfile.TemporaryDirectory(prefix="fkp-")
    except OSError as error:
        raise FkpError(f"no temporary file can be made for standard input ({error.strerror})") from None
    with folder as name:
        yield Path(name)


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


def check_workers(value: int) -> int:
    """`value`, if there can be so many. UsageError otherwise."""
    if not 1 <= value <= 256:
        raise UsageError(f"--workers must be between 1 and 256, got {value}")
    return value
