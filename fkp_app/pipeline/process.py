"""The whole of `fkp detect` and `fkp filter`, which differ only in what they draw: all sources, then a summary."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fkp_app.errors import FkpError, UsageError
from fkp_app.media.sources import Source, expand
from fkp_app.media.spool import is_pipe
from fkp_app.pipeline.file_run import FileRun
from fkp_app.pipeline.outputs import crop_paths, make_folder, target_paths
from fkp_app.pipeline.parts import opened_parts
from fkp_app.pipeline.reporter import Reporter, Stopwatch
from fkp_app.pipeline.run_options import RunOptions


def process(arguments: Sequence[str], options: RunOptions, reporter: Reporter) -> bool:
    """Do all sources that the arguments name and save their results. Returns whether all went well.

    If Ctrl-C or a signal ends it, the results of the sources done until then are saved all the same.
    """
    with ExitStack() as stack:
        spool = stack.enter_context(_folder_for_pipes()) if any(map(is_pipe, arguments)) else None
        folders = [folder for folder in (options.out, options.crops, options.parts) if folder is not None]
        expanded = expand(arguments, options.recursive, folders, spool)
        sources, problems = expanded.sources, expanded.problems
        for problem in problems:
            reporter.problem(problem)
        live_source = _live_source(sources, options)
        finder = options.load_finder()
        for option, folder in (("--out", options.out), ("--crops", options.crops)):
            if folder is not None:
                make_folder(folder, option)
        for note in expanded.notes:
            reporter.note(note)
        if live_source is not None:
            from fkp_app.pipeline.live import run_live

            found, well = run_live(live_source, finder, options, reporter)
            return (options.save is None or options.save(found)) and well and not problems
        none: Sequence[Path | None] = [None] * len(sources)
        pictures = none if options.out is None else target_paths(options.out, sources)
        crops = none if options.crops is None else crop_paths(options.crops, sources, pictures)
        parts = None
        if options.parts is not None:
            parts = stack.enter_context(opened_parts(options.parts, options.settings()))
            for problem in problems:
                parts.add_problem(problem)
        run = FileRun(sources, finder, options, reporter, pictures, crops, len(problems), parts)
        run.go_on()
        with run.kept_if_stopped(), Stopwatch() as watch:
            run.images()
            run.videos()
        saved = options.save is None or options.save(run.found)
        if len(sources) + len(problems) > 1:
            reporter.line(run.summary(watch.seconds))
        return saved and not run.failed


@contextmanager
def _folder_for_pipes() -> Iterator[Path]:
    try:
        folder = tempfile.TemporaryDirectory(prefix="fkp-")
    except OSError as error:
        raise FkpError(f"no temporary file can be made for standard input ({error.strerror})") from None
    with folder as name:
        yield Path(name)


def _live_source(sources: Sequence[Source], options: RunOptions) -> Source | None:
    """The camera or video that is shown live; None for a run over files. UsageError if the options exclude each
    other."""
    cameras = [source for source in sources if source.kind == "camera"]
    live = bool(cameras) or bool(options.window)
    if options.record is not None and not live:
        raise UsageError("--record records what a window shows: give --window, or a camera as the source")
    if not live:
        return None
    if options.cluster is not None or options.parts is not None:
        raise UsageError("--cluster and --parts are for files, not for a window or a camera")
    if len(sources) != 1 or sources[0].kind == "image":
        raise UsageError("a window shows one camera or one video; name it alone")
    if options.out is not None or options.crops is not None:
        raise UsageError("--out and --crops are for files; what a window shows is recorded with --record FILE.mp4")
    return sources[0]
