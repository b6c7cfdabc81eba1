"""Messages of a command at work: lines, problems, and a progress bar on a terminal."""

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, characters that change the direction of writing, and halves of surrogate pairs."""


class Advance(Protocol):
    """Moves a progress bar forward by `count`."""

    def __call__(self, count: int = 1) -> None: ...


class Reporter:
    """quiet: print only problems. verbose: print details, too. lines_to_stdout: False if results go to stdout."""

    def __init__(self, quiet: bool = False, verbose: bool = False, lines_to_stdout: bool = True) -> None:
        self.quiet, self.verbose, self.lines_to_stdout = quiet, verbose, lines_to_stdout

    def line(self, text: str) -> None:
        """Say what became of a source."""
        if not self.quiet and self.lines_to_stdout:
            typer.echo(printable(text))

    def detail(self, text: str) -> None:
        """Say something that only --verbose shows."""
        if self.verbose and not self.quiet:
            typer.echo(f"  {printable(text)}", err=not self.lines_to_stdout)

    def note(self, text: str) -> None:
        """Say something that the user should know but that is no error."""
        if not self.quiet:
            typer.echo(f"fkp: {printable(text)}", err=True)

    def problem(self, error: object) -> None:
        """Say in one line what went wrong with a source."""
        typer.echo(f"fkp: {printable(str(error))}", err=True)

    @contextmanager
    def bar(self, label: str, total: int | None, unit: str) -> Iterator[Advance]:
        """A bar with count, rate and time left; only on a terminal, and not if quiet. total: None if unknown."""
        console = Console(stderr=True)
        shown = console.is_terminal and not self.quiet and (total is None or total > 1)
        # Lines printed meanwhile go above the bar if stdout is the terminal; a file or pipe still gets its lines.
        columns = (
            *(TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()),
            *(_Rate(unit), TimeRemainingColumn()),
        )
        redirect = sys.stdout is not None and sys.stdout.isatty()
        with Progress(*columns, console=console, transient=True, disable=not shown, redirect_stdout=redirect) as bars:
            task = bars.add_task(printable(label), total=total)

            def advance(count: int = 1) -> None:
                bars.advance(task, count)

            yield advance


class Stopwatch:
    """Measures the seconds that a `with` block takes."""

    def __enter__(self) -> Self:
        self._start = time.perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.seconds = time.perf_counter() - self._start


class _Rate(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} {self.unit}/s", style="progress.data.speed")


def printable(text: str) -> str:
    """`text` in one line. File names may hold any character; those that a terminal would obey are escaped."""
    return _UNPRINTABLE.sub(_escaped, text.strip())


def _escaped(match: re.Match[str]) -> str:
    number = ord(match.group())
    if 0xDC80 <= number <= 0xDCFF:  # stands for one byte of a file name that is not UTF-8
        return f"\\x{number - 0xDC00:02x}"
    return match.group().encode("unicode_escape").decode("ascii")
