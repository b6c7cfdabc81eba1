"""Checks a copy with a reader's repair, in a process of its own, which can be ended.

That process is `python -m numpynet.learn.lessons.check_copy NAME FILE`; NAME is a mistake's in bugs.toml, or seed_N.
"""

import functools
import io
import math
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from numpynet.gradcheck.__main__ import main as gradcheck
from numpynet.gradcheck.cases import CASES
from numpynet.learn.exercises import file_loader
from numpynet.learn.exercises.judge import CannotJudgeError, stopped
from numpynet.learn.exercises.judging_process import SECONDS, ended_by
from numpynet.learn.lessons.bugs_by_seed import bug_of_seed
from numpynet.learn.lessons.gradcheck_verdicts import wrong_verdicts
from numpynet.learn.lessons.plant import Bug, bugs
from numpynet.learn.own_process import Answer, answer, asked, limited
from numpynet.learn.replacement import OriginalCalledError, calls_refused, judged_in_place


@dataclass(frozen=True)
class Report:
    """Whether a copy is right, and what gradcheck says about it; or a problem in one line, and no check.

    place: of a problem, the source of the line that failed, and what its names were.
    """

    right: bool = False
    lines: list[str] = field(default_factory=list)
    problem: str = ""
    place: list[str] = field(default_factory=list)


def in_own_process(bug: Bug, path: Path, seconds: float = SECONDS) -> Answer[Report]:
    """Check a file in a process that gets at most this time."""
    return asked(
        "numpynet.learn.lessons.check_copy",
        bug.name,
        str(path),
        seconds=seconds,
        read=lambda result: Report(**result),
    )


def check_file(bug: Bug, path: Path) -> Report:
    """Check a file in this process. CannotJudgeError if it cannot be used, or if its function fails."""
    function = file_loader.function_of(bug.exercise(), path)
    try:
        with judged_in_place(bug.exercise(), _printing(function)):
            report = _report(bug)
        if calls_refused:  # the error alone could be swallowed
            raise OriginalCalledError(calls_refused[0])
    except (Exception, SystemExit) as error:
        raise stopped(error) from error
    return report


def _printing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose prints go where those of its file go, and not among gradcheck's lines."""

    @functools.wraps(function)
    def outside(*arguments: Any, **keywords: Any) -> Any:
        with redirect_stdout(sys.__stdout__):
            return function(*arguments, **keywords)

    return outside


def _report(bug: Bug) -> Report:
    """gradcheck's report at the sizes where the mistake shows, or at its usual ones if nothing is wrong there.

    For a copy of gradcheck itself: what it says wrongly.
    """
    if not bug.case:
        wrong = wrong_verdicts()
        return Report(not wrong, [f"  WRONG  {line}" for line in wrong] or ["  every verdict is right"])
    report, failed = io.StringIO(), 0
    for options in [bug.options, {}] if bug.options else [{}]:
        for finding in CASES[bug.case](np.random.default_rng(0), **options):
            if not finding.passed and math.isnan(finding.analytic):  # no matter of numbers
                raise CannotJudgeError(f"{finding.name}: {finding.cause}")
        report = io.StringIO()
        with redirect_stdout(report):
            failed = gradcheck(
                [bug.case, *(word for name, value in options.items() for word in (f"--{name}", str(value)))]
            )
        if failed:
            break
    return Report(not failed, report.getvalue().splitlines())


def _named(name: str) -> Bug:
    """The mistake of this name, or of this seed if the name is seed_N."""
    return bugs()[name] if name in bugs() else bug_of_seed(int(name.removeprefix("seed_")))


def _checked(name: str, path: str) -> dict[str, object]:
    bug = _named(name)
    try:
        limited(SECONDS)
        file_loader.prepare(Path(path).parent)
        report = check_file(bug, Path(path))
    except CannotJudgeError as stop:
        report = Report(problem=str(stop), place=stop.place)
    except BaseException as error:  # KeyboardInterrupt of the file, or what comes of a changed numpy or numpynet
        report = Report(problem=ended_by(error))
    return asdict(report)


if __name__ == "__main__":
    answer(lambda: _checked(*sys.argv[1:]))
