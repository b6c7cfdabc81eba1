"""`fkp data`: download the public data set; check and draw a data set."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
    track,
)

from fkp_app.commands.options import DATA, Quiet, within
from fkp_app.errors import FkpError, UsageError, problem_of
from fkp_app.pipeline.reporter import Reporter

data_app = typer.Typer(
    help="Check and draw a data set, yours or the public one; download the public one.", no_args_is_help=True
)

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the data set.", show_default=False)]
DataSet = Annotated[Path, typer.Argument(metavar="DATA", help=DATA, show_default=False)]


@data_app.command()
def check(data: DataSet, quiet: Quiet = False) -> None:
    """Read every label and picture as training does; say what is wrong and how people are split."""
    from fkp_app.data.dataset import load_data
    from fkp_app.data.pictures import statistics
    from fkp_app.media.images import read_image

    found, reporter = load_data(data), Reporter(quiet)
    for note in found.notes:
        reporter.note(note)
    paths = sorted({path for dataset in found.splits.values() for path in dataset.paths})
    bad = 0
    with reporter.bar("reading", len(paths), "pictures") as advance:
        for path in paths:
            try:
                read_image(path)
            except Exception as error:
                reporter.problem(problem_of(path, error))
                bad += 1
            advance()
    if not quiet:
        typer.echo(statistics(found.splits))
    reporter.line(found.people)
    if bad:
        raise FkpError(f"{data}: {bad} of {len(paths)} pictures cannot be read; replace them or drop their rows")
    reporter.line(f"{data}: {len(paths)} pictures and all their labels can be used")


@data_app.command()
def show(
    data: DataSet,
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("data.png"),
    count: Annotated[int, typer.Option(help="Number of frames to show.", callback=within(1, 100))] = 12,
    seed: Annotated[int, typer.Option(help="Another seed chooses other frames.", callback=within(0))] = 0,
    quiet: Quiet = False,
) -> None:
    """Draw frames with their points and the numbered 68-point diagram; print statistics of every split."""
    from fkp_app.data.dataset import load_data
    from fkp_app.data.pictures import draw_sheet, statistics
    from fkp_app.pipeline.outputs import check_file

    check_file("--out", out)
    found, reporter = load_data(data), Reporter(quiet)
    for remark in found.remarks:
        reporter.note(remark)
    splits = found.splits
    facts = statistics(splits)
    if not quiet:
        typer.echo(facts)
    try:
        draw_sheet(splits["training"] + splits["validation"], facts, out, count, seed)
    except (OSError, ValueError) as error:  # matplotlib raises ValueError for an unknown suffix
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise UsageError(f"--out {out}: cannot be written ({reason})") from None
    reporter.line(f"picture: {out}")


@data_app.command()
def verify(directory: Directory) -> None:
    """Compare a folder with the list of published files: what is missing, what was changed."""
    from fkp_app.data.archive import load_manifest
    from fkp_app.data.archive import verify as compare

    report = compare(directory, load_manifest(), _with_bar)
    for name in report.missing:
        typer.echo(f"missing  {name}")
    for name in report.changed:
        typer.echo(f"changed  {name}")
    counts = f"{report.intact} as published, {len(report.missing)} missing, {len(report.changed)} changed"
    typer.echo(f"{directory}: {counts}, {len(report.extra)} others (no fault)")
    if not report.ok:
        raise FkpError(
            f"{directory}: is not the published data set; `fkp data download {directory}` fetches what it is"
        )


@data_app.command()
def download(
    directory: Directory,
    url: Annotated[str | None, typer.Option(help="Another URL of the same archive.")] = None,
) -> None:
    """Download the published archive (339 MB), unpack it into DIR and verify every file."""
    from fkp_app.data.archive import BYTES, URL, load_manifest
    from fkp_app.data.archive import download as fetch
    from fkp_app.data.archive import verify as compare

    manifest = load_manifest()
    if directory.is_dir() and compare(directory, manifest).ok:
        typer.echo(f"{directory}: holds all {len(manifest)} published files already")
        return
    with _Bar() as bar:
        fetch(directory, url or URL, BYTES, manifest, bar)
    typer.echo(f"{directory}: {len(manifest)} files, all as published")


class _Bar(Progress):
    """rich's progress bar with `total`, `update`, `reset` and `close`, which pooch calls."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("fetching"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        super().__init__(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self.add_task("fetching", total=None)

    @property
    def total(self) -> float | None:
        return self.tasks[self._task].total

    @total.setter
    def total(self, size: float) -> None:
        super().update(self._task, total=size)

    def update(self, amount: int) -> None:  # type: ignore[override]
        self.advance(self._task, amount)

    def reset(self) -> None:  # type: ignore[override]
        super().reset(self._task)

    def close(self) -> None:
        self.stop()


def _with_bar(names: list[str]) -> Iterable[str]:
    console = Console(stderr=True)
    return track(names, description="verifying", console=console, transient=True, disable=not console.is_terminal)
