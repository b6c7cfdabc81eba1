"""`python -m tests.learn.judged`: the judge judged. Every mutant of every function that is an exercise is handed in.

A mutant is numpynet's own function with one small mistake (numpynet/learn/lessons/mutants.py). The judge must reject
it, unless it computes the same; then tests/learn/equivalent.toml gives the reason. No file is changed: the mutants
live in forks of this process, one per exercise. The table is printed as Markdown.
"""

import argparse
import ast
import inspect
import os
import signal
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpynet.learn.exercises import Exercise, exercises
from numpynet.learn.exercises.judge import CannotJudgeError, NotWrittenError, judging
from numpynet.learn.lessons.mutants import Mutant, code_of, functions, mutants
from numpynet.learn.replacement import copy_of, original
from tests.mutation.forks import in_forks

EQUIVALENT = Path(__file__).parent / "equivalent.toml"
SECONDS = 10
"""For one mutant; a loop that never ends is rejected by the clock, as `check` rejects it."""


@dataclass(frozen=True)
class Judged:
    """One mutant and whether the judge rejected it."""

    exercise: str
    change: str
    rejected: bool


def reasons() -> dict[tuple[str, str], str]:
    """(exercise, change) -> why the change computes the same."""
    entries = tomllib.loads(EQUIVALENT.read_text("utf-8"))["mutant"]
    return {(name, change): e["reason"] for e in entries for name in e["exercises"] for change in e["changes"]}


def _source(exercise: Exercise) -> Path:
    return Path(inspect.getfile(original(exercise)))


def _judge_all(exercise: Exercise, tree: ast.Module, found: list[Mutant]) -> Callable[[], Iterator[str]]:
    """What the fork of an exercise does: it says "passed" or "rejected" for every mutant in turn."""

    def work() -> Iterator[str]:
        for mutant in found:
            holder, key = mutant.place
            before = holder[key] if isinstance(holder, list) else getattr(holder, key)
            mutant.apply()
            mine = copy_of(original(exercise))
            mine.__code__ = code_of(tree, str(_source(exercise)), functions(tree)[exercise.function])
            yield "rejected" if _rejected(exercise, mine) else "passed"
            replace(mutant, replacement=before).apply()

    return work


def _rejected(exercise: Exercise, mine: Callable[..., Any]) -> bool:
    signal.signal(signal.SIGALRM, _too_late)
    signal.alarm(SECONDS)
    try:
        return any(check.wrong for check in judging(exercise, mine))
    except (CannotJudgeError, NotWrittenError, _TooLateError):
        return True
    finally:
        signal.alarm(0)


class _TooLateError(BaseException):
    """A loop that never ends."""


def _too_late(number: int, frame: object) -> None:
    raise _TooLateError


def judged(names: list[str] | None = None, workers: int = 2) -> list[Judged]:
    """Every mutant of these exercises, or of all, in the order of the exercises."""
    jobs: list[tuple[tuple[str, list[Mutant]], Callable[[], Iterator[str]]]] = []
    for exercise in exercises().values():
        if names is None or exercise.name in names:
            tree = ast.parse(_source(exercise).read_text("utf-8"))
            found = list(mutants(tree, exercise.function))
            jobs.append(((exercise.name, found), _judge_all(exercise, tree, found)))
    verdicts = {}
    for (name, found), lines, status in in_forks(jobs, workers, 0):
        if status or len(lines) != len(found):
            raise RuntimeError(
                f"{name}: the fork ended with status {status} after {len(lines)} of {len(found)} mutants"
            )
        pairs = zip(found, lines, strict=True)
        verdicts[name] = [Judged(name, mutant.change, line == "rejected") for mutant, line in pairs]
    return [verdict for name in exercises() for verdict in verdicts.get(name, [])]


def table(verdicts: list[Judged]) -> str:
    """Mutants, rejected and equivalent, exercise by exercise; then every equivalent mutant with its reason."""
    known = reasons()
    lines = ["| exercise | mutants | rejected | equivalent |", "|---|---:|---:|---:|"]
    names = list(dict.fromkeys(verdict.exercise for verdict in verdicts))
    for name in [*names, "all"]:
        mine = [verdict for verdict in verdicts if name in (verdict.exercise, "all")]
        rejected = sum(verdict.rejected for verdict in mine)
        same = sum(not verdict.rejected and (verdict.exercise, verdict.change) in known for verdict in mine)
        lines.append(f"| {name} | {len(mine)} | {rejected} | {same} |")
    by_reason: dict[str, list[str]] = {}
    for verdict in verdicts:
        if not verdict.rejected:
            reason = known.get((verdict.exercise, verdict.change), "**unexplained**")
            by_reason.setdefault(reason, []).append(f"- {verdict.exercise}: `{verdict.change}`")
    for reason, changes in by_reason.items():
        lines += ["", f"{reason[0].upper()}{reason[1:]}:", "", *changes]
    return "\n".join(lines)


def main() -> int:
    """Print the table. 0 if every mutant is rejected or explained."""
    parser = argparse.ArgumentParser(prog="python -m tests.learn.judged", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("exercises", nargs="*", help="only these")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    verdicts = judged(options.exercises or None, options.workers)
    print(table(verdicts))
    known = reasons()
    return int(any(not v.rejected and (v.exercise, v.change) not in known for v in verdicts))


if __name__ == "__main__":
    sys.exit(main())
