"""What a verdict is printed as."""

import textwrap

from numpynet.learn.errors import printable
from numpynet.learn.exercises.catalogue import command
from numpynet.learn.exercises.judge import Check
from numpynet.learn.exercises.judging_process import Verdict
from numpynet.learn.own_process import MOST_PRINTED

MOST_LINES = 10
"""Of what the reader's file printed."""


def text(verdict: Verdict) -> str:
    """One line for each case, more below a wrong one, and at the end the result, or the error that ended the check."""
    exercise = verdict.exercise
    lines = [*printed(verdict.printed), str(verdict.path), *_cases(verdict.checks)]
    if verdict.problem:
        lines += _wrapped(verdict.problem, "  ")
        lines += [line for told in verdict.place for line in _wrapped(told, "      ")]
        if not verdict.written:
            lines.append(f"  A hint: python -m numpynet.learn hint {exercise.name}")
        return "\n".join(lines)
    wrong = sum(bool(check.wrong) for check in verdict.checks)
    count = len(verdict.checks)
    if wrong:
        lines.append(f"{wrong} of {count} checks {'is' if wrong == 1 else 'are'} wrong. Begin with the first.")
    else:
        lines += [f"All {count} checks are right.", f"  numpynet's own: {command('show', exercise, verdict.path)}"]
    return "\n".join(lines)


def _cases(checks: list[Check]) -> list[str]:
    """A cause is told once, under the first case that has it."""
    lines, told = [], ""
    for check in checks:
        label = check.says if not check.hidden else f"hidden: {check.says}" if check.wrong else "hidden"
        lines.append(f"  {label:70} {'WRONG' if check.wrong else 'right'}")
        lines += _wrapped(check.wrong, "      ")
        lines += _wrapped(f"the others: {check.others}" if check.others else "", "      ")
        if check.cause != told:
            for line in (check.cause, *check.place):
                lines += _wrapped(line, "      ")
            told = check.cause
    return lines


def in_one_line(verdict: Verdict) -> str:
    """right, or the first thing that is wrong."""
    if verdict.passed:
        return "right"
    if verdict.problem:
        return textwrap.shorten(verdict.problem if verdict.written else "not written yet", 70, placeholder="...")
    return textwrap.shorten(
        "WRONG: " + next(check.wrong for check in verdict.checks if check.wrong), 70, placeholder="..."
    )


def printed(said: str) -> list[str]:
    """What a reader's file printed: its first lines, marked as its own; nothing if it printed nothing."""
    lines = said.splitlines()
    if not lines:
        return []
    shown = [f"  | {printable(line[:94])}" for line in lines[:MOST_LINES]]
    most = f"{len(lines)}" if len(said) < MOST_PRINTED else f"more than {len(lines)}"
    more = [f"  | ... (the first {MOST_LINES} of {most} lines)"] if len(lines) > MOST_LINES else []
    return ["Your file printed:", *shown, *more]


def _wrapped(sentence: str, indent: str) -> list[str]:
    return textwrap.wrap(sentence, 100, initial_indent=indent, subsequent_indent=indent)
