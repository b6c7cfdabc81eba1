"""`fkp detect`: find faces and their keypoints in photos, folders, videos and in front of a camera."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fkp_app.commands.options import (
    SOURCES,
    Backend,
    Confidence,
    Detector,
    Quality,
    Quiet,
    Record,
    Recursive,
    Smooth,
    Threads,
    Verbose,
    Weights,
    Window,
    Workers,
)
from fkp_app.errors import UsageError

if TYPE_CHECKING:
    from fkp_app.pipeline.reporter import Reporter
    from fkp_app.pipeline.results import SourceResult

    Render = Callable[[Sequence[SourceResult]], str]

JsonFile = Annotated[Path | None, typer.Option("--json", help="Write all results to this file as JSON; - for stdout.")]
CsvFile = Annotated[
    Path | None, typer.Option("--csv", help="Write one row per face to this file as CSV; - for stdout.")
]
PartsFolder = Annotated[
    Path | None,
    typer.Option(
        "--parts",
        help="Folder for the results of a long run as JSON Lines, written in parts; made if missing. The same command "
        "again does only what is not there yet.",
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        help="Address of the scheduler of a Dask cluster, such as tcp://host:8786, which does the images; or local, "
        "which starts a cluster here, with --workers processes.",
    ),
]


def detect(
    sources: Annotated[list[str], SOURCES],
    backend: Backend = "numpy",
    weights: Weights = None,
    detector: Detector = None,
    json_file: JsonFile = None,
    csv_file: CsvFile = None,
    parts: PartsFolder = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for pictures and videos with boxes and points; made if missing.")
    ] = None,
    numbers: Annotated[
        bool, typer.Option("--numbers", help="Draw the number of each point; pictures are enlarged.")
    ] = False,
    crops: Annotated[
        Path | None,
        typer.Option(help="Folder for the faces of images, each cut out and turned upright; made if missing."),
    ] = None,
    min_confidence: Confidence = None,
    quality: Quality = "fast",
    recursive: Recursive = False,
    workers: Workers = 1,
    cluster: Cluster = None,
    threads: Threads = None,
    smooth: Smooth = True,
    window: Window = None,
    record: Record = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Find faces and place 68 keypoints on each.

    Coordinates are pixels of the image as displayed (EXIF orientation applied). In --out, a picture has the name of its
    source and .png (photo.jpg becomes photo.jpg.png), a video has .mp4; if that file is a source or another result, a
    number is put before the suffix. If a file cannot be read or written, it is reported, the others are done, and the
    exit code is 1. If no file could be read, neither JSON nor CSV is written. A SOURCE of - is standard input.

    --quality best is for photos: it loads NAME-1.safetensors, NAME-2.safetensors and so on beside the weights file
    NAME.safetensors, and takes the mean of all points. In videos the points are those of fast.
    """
    from fkp_app.faces.drawing import Look, draw_faces, draw_numbered
    from fkp_app.pipeline.outputs import STDOUT, check_reports
    from fkp_app.pipeline.process import process
    from fkp_app.pipeline.reporter import Reporter
    from fkp_app.pipeline.results import to_csv, to_json
    from fkp_app.pipeline.run_options import LOCAL, RunOptions

    json_file, csv_file = (Path("-") if str(path) in STDOUT else path for path in (json_file, csv_file))
    to_stdout = [option for option in (json_file, csv_file) if str(option) == "-"]
    if len(to_stdout) > 1:
        raise UsageError("--json - and --csv - cannot both write to standard output; give one of them a file")
    if parts is not None and (json_file is not None or csv_file is not None):
        raise UsageError("--parts keeps no results in memory for --json or --csv; give one or the other")
    if cluster not in (None, LOCAL) and workers != 1:
        raise UsageError("--workers is for this machine; how many workers a cluster has is not for this command to say")
    check_reports({"--json": json_file, "--csv": csv_file})
    wanted = [(json_file, to_json), (csv_file, to_csv)]
    outputs = [(path, render) for path, render in wanted if path is not None]
    outputs.sort(key=lambda output: str(output[0]) == "-")
    reporter = Reporter(quiet, verbose, lines_to_stdout=not to_stdout)
    plain = Look("points", partial(draw_faces, numbers=False))
    numbered = Look("numbers", partial(draw_faces, numbers=True))
    options = RunOptions(
        draw_image=draw_numbered if numbers else plain.draw,
        looks=[numbered, plain] if numbers else [plain, numbered],
        backend=backend,
        weights=weights,
        detector=detector,
        threads=threads,
        min_confidence=min_confidence,
        quality=quality,
        out=out,
        crops=crops,
        recursive=recursive,
        workers=workers,
        cluster=cluster,
        parts=parts,
        smooth=smooth,
        window=window,
        record=record,
        save=partial(_save, reporter, outputs) if outputs else None,
    )
    if not process(sources, options, reporter):
        raise typer.Exit(1)


def _save(reporter: "Reporter", outputs: "Sequence[tuple[Path, Render]]", results: "list[SourceResult]") -> bool:
    """Write the results to each output, standard output last. Returns whether every file could be written."""
    from fkp_app.errors import one_file
    from fkp_app.pipeline.results import write_result

    problems: list[str] = []
    for path, render in outputs if results else ():
        if str(path) == "-":  # an error of standard output ends the command
            write_result(path, render(results))
            continue
        with one_file(path, problems):
            write_result(path, render(results))
    for problem in problems:
        reporter.problem(problem)
    return not problems
