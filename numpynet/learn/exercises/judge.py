"""The judge: calls the reader's function and numpynet's on the same inputs, and says where they begin to differ.

Each case is judged twice: by numbers, against what numpynet's own function gives, and, if the function is a backward
pass, by finite differences, whose finding names a likely cause. This happens in the process that calls `judge`; for a
reader's file, `numpynet.learn.exercises.judging_process` makes one of its own, which may loop for ever or end itself.
"""

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from numpynet.learn.errors import message_of
from numpynet.learn.exercises import Exercise
from numpynet.learn.exercises.cases import cases_of
from numpynet.learn.exercises.cases.case import Case, Outcome
from numpynet.learn.exercises.differences import described, difference, leaves
from numpynet.learn.replacement import (
    OriginalCalledError,
    RefusedError,
    calls_refused,
    copy_of,
    judged_in_place,
    original,
)

ORDER = ("forward", "criterion", "backward", "step", "zero_grad")
_CHANGED = "the function changes its argument {}; make a new array instead"


@dataclass(frozen=True)
class Check:
    """What came of one case: nothing is `wrong` with a right answer. cause: what the pattern points to."""

    says: str
    hidden: bool
    wrong: str = ""
    cause: str = ""


class NotWrittenError(Exception):
    """The function still raises NotImplementedError."""


class CannotJudgeError(Exception):
    """The function failed in a way that makes further cases useless. The message is one line."""


def judge(exercise: Exercise, function: Callable[..., Any], path: str = "") -> list[Check]:
    """The check of every case. `path` is the reader's file, whose lines an error is reported by.

    NotWrittenError if the body is still blank. CannotJudgeError if it raises an error or calls numpynet's own.
    """
    return list(judging(exercise, function, path))


def judging(exercise: Exercise, function: Callable[..., Any], path: str = "") -> Iterator[Check]:
    """The checks of `judge`, each as soon as it is done."""
    right = copy_of(original(exercise))
    cases = cases_of(exercise)
    with judged_in_place(exercise, function) as mine:
        for case in cases:
            yield _check(exercise, case, mine, right, path)


def _check(exercise: Exercise, case: Case, mine: Callable[..., Any], right: Callable[..., Any], path: str) -> Check:
    expected = case.run(right)
    try:
        got = case.run(mine)
    except NotImplementedError as error:
        raise NotWrittenError from error
    except (Exception, SystemExit) as error:
        raise CannotJudgeError(why_not(error, path)) from error
    if calls_refused:
        raise CannotJudgeError(_called_original(calls_refused[0]))
    wrong, cause = _compare(exercise, case, got, expected)
    if case.gradcheck is not None and (not wrong or ": yours " in wrong):
        for finding in case.gradcheck(mine):
            if "in place" in finding.cause:
                return Check(case.says, case.hidden, _CHANGED.format(finding.name))
            wrong = wrong or f"{finding.name} is not the numerical gradient: relative error {finding.error:.1e}"
            if not cause:
                cause = f"gradcheck: {finding.name}: {finding.cause}"
    return Check(case.says, case.hidden, wrong, cause)


def why_not(error: BaseException, path: str) -> str:
    """Why a function of the reader's file that raised this error cannot be judged, in one line."""
    if isinstance(error, OriginalCalledError):
        return _called_original(str(error))
    if isinstance(error, RefusedError):
        return f"the function imports {error}; an exercise is judged with NumPy alone"
    if isinstance(error, SystemExit):
        return f"the function ends the process: it calls exit() or raises SystemExit{_line(error, path)}"
    if isinstance(error, RecursionError):
        return f"the function calls itself without end{_line(error, path)}"
    return f"{type(error).__name__}{_line(error, path)}: {message_of(error)}"


def _called_original(name: str) -> str:
    return f"the function calls numpynet's own {name}, which is out of reach while yours is judged; write it with NumPy"


def _line(error: BaseException, path: str) -> str:
    """The last line of the reader's file that the error passed."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if path and frame.filename == path]
    return f" at line {lines[-1]}" if lines else ""


def _compare(exercise: Exercise, case: Case, got: Outcome, expected: Outcome) -> tuple[str, str]:
    """What is wrong in one line, and a likely cause; two empty texts if nothing is."""
    named, problem = _named(exercise, got.result)
    if problem:
        return problem, ""
    for name, array in got.untouched[0].items():
        if changed := _changed(name, got.untouched[1].get(name), array):
            return changed, ""
    right, _ = _named(exercise, expected.result)
    for name, value in (right | expected.changed).items():
        mine = (named | got.changed).get(name)
        if wrong := difference(name, mine, value, case.tolerance):
            return wrong, _cause(name, mine, got, expected)
    return "", ""


def _changed(name: str, now: Any, before: Any) -> str:
    """One line if an argument is no longer what it was."""
    for (part, old), new in zip(leaves(name, before).items(), leaves(name, now).values(), strict=False):
        if difference(part, new, old, 0.0):
            return _CHANGED.format(part)
    return ""


def _cause(name: str, mine: Any, got: Outcome, expected: Outcome) -> str:
    if name in got.was and not difference(name, mine, got.was[name], 0.0):
        return "the array is as it was: `a = a + b` makes a new array, `a += b` or `a[...] = ...` changes this one"
    if expected.calls and got.calls != expected.calls:
        steps = len(expected.calls) // len(ORDER)
        first = got.calls[: max(1, len(got.calls) // steps)]
        return f"your order of calls in a step: {', '.join(first) or 'none'}"
    return ""


def _named(exercise: Exercise, result: Any) -> tuple[dict[str, Any], str]:
    """What the function returned by the names of its parts, or one line that says why that cannot be done."""
    gives = exercise.gives
    if not gives:
        return {}, ""
    if exercise.kind == "staged":
        if not isinstance(result, dict):
            return {}, f"the function returns {described(result)} and must return a dict"
        missing = [name for name in gives if name not in result]
        return {n: result[n] for n in gives if n in result}, f"the dict has no {missing[0]!r}" if missing else ""
    if len(gives) == 1:
        return {gives[0]: result}, ""
    if result is None:
        return {}, f"the function returns None and must return {', '.join(gives)}; is there a return?"
    if not isinstance(result, tuple | list) or len(result) != len(gives):
        got = f"{len(result)} values" if isinstance(result, tuple | list) else described(result)
        return {}, f"the function returns {got} and must return {len(gives)}: {', '.join(gives)}"
    parts = dict(zip(gives, result, strict=True))
    if "cache" not in parts:
        return parts, ""
    if type(parts["cache"]).__name__ != "LinearCache":
        return {}, f"cache is {described(parts['cache'])} and must be a LinearCache"
    return {"out": parts["out"]} | leaves("cache", parts["cache"]), ""
