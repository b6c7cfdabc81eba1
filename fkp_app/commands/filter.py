"""`fkp filter`: put sunglasses or another style on faces in photos, folders, videos and in front of a camera."""

from functools import partial
from pathlib import Path
from typing import Annotated

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


def filter_command(
    sources: Annotated[list[str] | None, SOURCES] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for pictures and videos; made if missing; not needed for a camera.", show_default=False
        ),
    ] = None,
    style: Annotated[
        str, typer.Option(help="Style that the faces wear: a name from --list, or your own TOML file.")
    ] = "sunglasses",
    show_list: Annotated[
        bool, typer.Option("--list", help="Print the styles; with --out FILE.png, draw them all on one sheet.")
    ] = False,
    backend: Backend = "numpy",
    weights: Weights = None,
    detector: Detector = None,
    min_confidence: Confidence = None,
    quality: Quality = "fast",
    recursive: Recursive = False,
    workers: Workers = 1,
    threads: Threads = None,
    smooth: Smooth = True,
    window: Window = None,
    record: Record = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Put sunglasses, or something else, on every face.

    Pictures and videos are named as `fkp detect --out` names them. A video keeps its size, frame rate and sound. A
    picture without a face is written unchanged. In a window, n shows the next style. --quality is for photos; see
    `fkp detect --help`.
    """
    from fkp_app.faces.drawing import Look
    from fkp_app.media.sources import CAMERA
    from fkp_app.pipeline.process import process
    from fkp_app.pipeline.reporter import Reporter
    from fkp_app.pipeline.run_options import RunOptions
    from fkp_app.styles.library import load_style, names
    from fkp_app.styles.wear import wear

    if show_list:
        _list(out)
        return
    if not sources:
        raise UsageError("name a SOURCE: an image, a video, a folder or camera:0 (see fkp filter --help)")
    live = window or any(source.startswith(CAMERA) for source in sources)
    if out is None and not live:
        raise UsageError("--out is missing: name a folder for the pictures (see fkp filter --help)")
    chosen = load_style(style)
    others = [
        name for name in names() if name != style and live
    ]  # only a window needs them; reading all takes a third of a second
    looks = [Look(style, partial(wear, style=chosen))]
    looks += [Look(name, partial(wear, style=load_style(name))) for name in others]
    options = RunOptions(
        draw_image=looks[0].draw,
        looks=looks,
        backend=backend,
        weights=weights,
        detector=detector,
        threads=threads,
        min_confidence=min_confidence,
        quality=quality,
        out=out,
        recursive=recursive,
        workers=workers,
        smooth=smooth,
        window=window,
        record=record,
    )
    if not process(sources, options, Reporter(quiet, verbose)):
        raise typer.Exit(1)


def _list(out: Path | None) -> None:
    """Print the name and the description of each style; draw all styles on one picture if `out` names a file."""
    from fkp_app.media.images import write_image
    from fkp_app.pipeline.outputs import check_file
    from fkp_app.styles.library import load_style, names
    from fkp_app.styles.sheet import sheet

    if out is not None:
        check_file("--out", out)
        write_image(out, sheet())
    for name in names():
        typer.echo(f"{name:<16} {load_style(name).description}")
