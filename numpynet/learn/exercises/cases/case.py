"""One case of an exercise: fixed inputs, on which the reader's function and numpynet's are called."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from numpynet.gradcheck import Finding
from numpynet.learn.exercises.differences import snapshot

Function = Callable[..., Any]


@dataclass
class Outcome:
    """What one call gave.

    result: what the function returned. changed: what it had to change in place, afterwards, by name; was: the same
    before. untouched: what it must not change, before and afterwards.
    """

    result: Any = None
    changed: dict[str, Any] = field(default_factory=dict)
    was: dict[str, Any] = field(default_factory=dict)
    untouched: tuple[dict[str, Any], dict[str, Any]] = field(default_factory=lambda: ({}, {}))
    calls: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Case:
    """One case: `run` calls a function on fresh inputs; `gradcheck` compares its gradients with finite differences.

    tolerance: the largest right error, relative to the largest number.
    """

    says: str
    hidden: bool
    run: Callable[[Function], Outcome]
    gradcheck: Callable[[Function], list[Finding]] | None = None
    tolerance: float = 1e-9


def guarded_call(function: Function, arguments: tuple[Any, ...], watched: dict[str, Any]) -> Outcome:
    """Call a function; `watched` are the arguments that it must not change."""
    before = snapshot(watched)
    result = function(*arguments)
    return Outcome(result, untouched=(before, snapshot(watched)))
