"""The judge: calls the reader's function and numpynet's on the same inputs, and says where they begin to differ.

Each case is judged twice: by numbers, against what numpynet's own function gives, in three calls; and, if the function
is a backward pass, by finite differences, whose finding names a likely cause. This happens in the process that calls
`judge`. For a reader's file, `numpynet.learn.exercises.judging_process` makes one of its own, which may loop for ever
or end itself.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from numpynet.learn.errors import message_of
from numpynet.learn.exercises import Exercise, error_place
from numpynet.learn.exercises.cases import cases_of
from numpynet.learn.exercises.cases.case import Case, plain, strided
from numpynet.learn.exercises.comparison import Compared, changes, compared, overlap, results
from numpynet.learn.replacement import (
    OriginalCalledError,
    RefusedError,
    calls_refused,
    copy_of,
    judged_in_place,
    original,
)

LIKELY_KEPT = "does the function keep something from call to call? Each call must make its own arrays"
WAYS = (
    (plain, "called a second time with the same numbers", LIKELY_KEPT),
    (
        strided,
        "called with the same numbers stored in another way",
        "the arrays were views with steps, such as a.T[::2]: reshape and ravel copy them, and change the copy alone",
    ),
)
"""The further calls: how their arrays are stored, what they are called, and what a wrong answer points to."""
IN_GRADCHECK = "the gradient check, which uses an example of its own"

Called = TypeVar("Called")


@dataclass(frozen=True)
class Check:
    """What came of one case: nothing is `wrong` with a right answer. cause: what the pattern points to.

    others: which of the other gradients are right. place: of an error in the gradient check, where it was raised.
    """

    says: str
    hidden: bool
    wrong: str = ""
    cause: str = ""
    others: str = ""
    place: list[str] = field(default_factory=list)


class CannotJudgeError(Exception):
    """The function failed in a way that makes further cases useless. The message is one line.

    place: the source of the line that failed, and what its names were.
    """

    def __init__(self, message: str, place: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.place = list(place)


class NotWrittenError(CannotJudgeError):
    """The function still raises NotImplementedError."""


def judge(exercise: Exercise, function: Callable[..., Any]) -> list[Check]:
    """The check of every case.

    NotWrittenError if the body is still blank. CannotJudgeError if it raises an error or calls numpynet's own.
    """
    return list(judging(exercise, function))


def judging(exercise: Exercise, function: Callable[..., Any]) -> Iterator[Check]:
    """The checks of `judge`, each as soon as it is done."""
    right = copy_of(original(exercise))
    cases = cases_of(exercise)
    with judged_in_place(exercise, function) as mine:
        for case in cases:
            yield _check(exercise, case, mine, right)


def _check(exercise: Exercise, case: Case, mine: Callable[..., Any], right: Callable[..., Any]) -> Check:
    with np.errstate(all="ignore"):  # whatever the file has set
        return _judged(exercise, case, mine, right)


def _judged(exercise: Exercise, case: Case, mine: Callable[..., Any], right: Callable[..., Any]) -> Check:
    wrong, cause, others = _by_numbers(exercise, case, mine, right)
    if case.gradcheck is not None and (not wrong or ": yours " in wrong):
        gradcheck = case.gradcheck
        try:
            findings = _called(IN_GRADCHECK, lambda: gradcheck(mine), "; does the file change numpy?")
        except CannotJudgeError as stop:
            if not wrong:
                raise
            return Check(case.says, case.hidden, wrong, f"gradcheck: {stop}", others, stop.place)
        for finding in findings:
            if "in place" in finding.cause:
                return Check(case.says, case.hidden, changes(exercise, finding.name))
            wrong = wrong or f"{finding.name} is not the numerical gradient: relative error {finding.error:.1e}"
            if not cause:
                cause = f"gradcheck: {finding.name}: {finding.cause}"
    return Check(case.says, case.hidden, wrong, cause, others)


def _by_numbers(exercise: Exercise, case: Case, mine: Callable[..., Any], right: Callable[..., Any]) -> Compared:
    """What is wrong after a call, the same call once more, and one with arrays stored otherwise."""
    label = f"the check: {case.label}"
    first = _called(label, lambda: case.run(mine, plain))
    found = compared(exercise, case.tolerance, first, case.run(right, plain))
    if found.wrong:
        return found
    kept = results(exercise, first.result)[0]
    for stored, says, likely in WAYS:
        got = _called(f"{label}, {says}", lambda stored=stored: case.run(mine, stored))  # type: ignore[misc]
        wrong = compared(exercise, case.tolerance, got, case.run(right, stored)).wrong
        if wrong:
            return Compared(f"{says}: {wrong}", likely)
        for name, array in results(exercise, got.result)[0].items():
            if overlap(kept[name], array):
                return Compared(f"{name} of one call and {name} of the next call are the same memory", LIKELY_KEPT)
    return Compared()


def _called(where: str, call: Callable[[], Called], elsewhere: str = "") -> Called:
    """What `call` gives. NotWrittenError or CannotJudgeError if the reader's function raises an error in it.

    where: which part of the check it is. elsewhere: what to say of an error that was raised outside the reader's code.
    """
    try:
        with np.errstate():  # what the function sets there ends with the call
            result = call()
    except NotImplementedError as error:
        raise NotWrittenError(
            f"NotImplementedError{_line(error)}", [*error_place.block(error), f"in {where}"]
        ) from error
    except (Exception, SystemExit) as error:
        raise stopped(error, [f"in {where}"], elsewhere) from error
    if calls_refused:
        raise CannotJudgeError(_called_original(calls_refused[0]))
    return result


def stopped(error: BaseException, context: Sequence[str] = (), elsewhere: str = "") -> CannotJudgeError:
    """What is said of an error that the reader's function raised.

    context: more lines for its place. elsewhere: what to say of an error that was raised outside the reader's code.
    """
    if isinstance(error, CannotJudgeError):
        return error
    if isinstance(error, OriginalCalledError):
        return CannotJudgeError(_called_original(str(error)))
    if isinstance(error, RefusedError):
        return CannotJudgeError(f"the function imports {error}; use NumPy and what the file imports already")
    if isinstance(error, SystemExit):
        return CannotJudgeError(f"the function ends the process: it calls exit() or raises SystemExit{_line(error)}")
    if isinstance(error, RecursionError):
        return CannotJudgeError(f"the function calls itself without end{_line(error)}")
    message = f"{type(error).__name__}{_line(error)}: {message_of(error)}"
    if not _line(error):
        message += elsewhere
    return CannotJudgeError(message, [*error_place.block(error), *context])


def _called_original(name: str) -> str:
    return f"the function calls numpynet's own {name}, which is out of reach while yours is judged; write it with NumPy"


def _line(error: BaseException) -> str:
    line = error_place.line_of(error)
    return f" at {line}" if line else ""
