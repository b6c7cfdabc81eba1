"""What one call of the reader's function gave, compared with what numpynet's own gives."""

import re
from typing import Any, NamedTuple

import numpy as np

from numpynet.learn.exercises import Exercise
from numpynet.learn.exercises.cases.case import Outcome
from numpynet.learn.exercises.differences import described, difference, leaves

ORDER = ("forward", "criterion", "backward", "step", "zero_grad")


class Compared(NamedTuple):
    """What is wrong in one line, a likely cause, and which other gradients are right. Empty texts if all is right."""

    wrong: str = ""
    cause: str = ""
    others: str = ""


def changes(exercise: Exercise, argument: str) -> str:
    """What is said of a function that does not leave an argument as it was."""
    return f"the function changes its argument {argument}; {exercise.changed}"


def _contents(values: dict[str, Any]) -> list[tuple[Any, bytes]]:
    """The arrays and numbers among the values, in an order that does not depend on their names."""
    arrays = [np.asarray(value) for value in values.values()]
    return sorted((array.shape, array.tobytes()) for array in arrays)


def compared(exercise: Exercise, tolerance: float, got: Outcome, expected: Outcome) -> Compared:
    """The first difference of the results, or of what was changed in place."""
    named, problem = results(exercise, got.result)
    if problem:
        return Compared(problem)
    before, after = got.untouched
    for name in before | after:
        if name not in before or name not in after:
            return Compared(f"the function changes its argument {name.split('[')[0]}; leave it as it was")
        if difference(name, after[name], before[name], 0.0):
            if _contents(before) == _contents(after):
                given = name.split("[")[0]
                told = f"the function changes the order of {given}; leave it as it was"
                return Compared(f"{told}: `reversed({given})` does not change it")
            return Compared(changes(exercise, name))
    mine, right = named | got.changed, results(exercise, expected.result)[0] | expected.changed
    wrong = {name: difference(name, mine.get(name), value, tolerance) for name, value in right.items()}
    for name, told in wrong.items():
        if told:
            told += _order(exercise, mine.get(name), name, right)
            others = _others(wrong, name) if exercise.kind == "backward" else ""  # elsewhere one follows from another
            return Compared(told, _cause(name, mine.get(name), got, expected), others)
    return Compared(_shared(named, got.given)) if exercise.kind in ("backward", "staged") else Compared()


def _others(wrong: dict[str, str], first: str) -> str:
    """Which results are right beside the first wrong one, and how many numbers of each other one are wrong."""
    told = []
    for name, words in wrong.items():
        count = re.search(r"\d+ of \d+ numbers", words)
        verdict = f"WRONG ({count[0]})" if count else "WRONG" if words else "right"
        told += [f"{name} {verdict}"] if name != first else []
    return ", ".join(told)


def _order(exercise: Exercise, mine: Any, name: str, right: dict[str, Any]) -> str:
    """What is added if a result has the shape of another one, and not its own."""
    if exercise.kind != "backward" or not isinstance(mine, np.ndarray) or mine.shape == np.shape(right[name]):
        return ""
    for other, value in right.items():
        if other != name and isinstance(value, np.ndarray) and value.shape == mine.shape:
            return f"; this is {other}'s shape: the order is {', '.join(exercise.gives)}"
    return ""


def _shared(named: dict[str, Any], given: dict[str, Any]) -> str:
    """One line if a result is an argument, or a view of one: who changes the one, changes the other."""
    for name, result in named.items():
        for part, argument in given.items():
            if overlap(result, argument):
                return f"{name} has its numbers in the memory of {part}: return a new array, no view of an argument"
    return ""


def overlap(one: Any, other: Any) -> bool:
    """Whether both are arrays, and lie at the same place in memory."""
    return isinstance(one, np.ndarray) and isinstance(other, np.ndarray) and np.may_share_memory(one, other)


def _cause(name: str, mine: Any, got: Outcome, expected: Outcome) -> str:
    if name in got.was and not difference(name, mine, got.was[name], 0.0):
        return "the array is as it was: `a = a + b` makes a new array, `a += b` or `a[...] = ...` changes this one"
    if expected.calls and got.calls != expected.calls:
        steps = len(expected.calls) // len(ORDER)
        first = got.calls[: max(1, len(got.calls) // steps)]
        return f"your order of calls in a step: {', '.join(first) or 'none'}"
    return ""


def results(exercise: Exercise, result: Any) -> tuple[dict[str, Any], str]:
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
