"""One case of an exercise: fixed inputs, on which the reader's function and numpynet's are called."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numpynet.gradcheck import Finding
from numpynet.learn.exercises.differences import leaves, snapshot
from numpynet.typing import AnyArray

Function = Callable[..., Any]
Stored = Callable[[AnyArray], AnyArray]
"""Makes a new array of the same numbers, stored in one way or another: `plain` or `strided`."""


def plain(array: AnyArray) -> AnyArray:
    """A copy, one number after the other."""
    return array.copy(order="C")


def strided(array: AnyArray) -> AnyArray:
    """The same numbers as a view of a larger array: transposed, every second one along each axis."""
    if not array.ndim:
        return array.copy()
    view = np.zeros([2 * size for size in reversed(array.shape)], array.dtype).T[(slice(None, None, 2),) * array.ndim]
    view[...] = array
    return view


@dataclass
class Outcome:
    """What one call gave.

    result: what the function returned. changed: what it had to change in place, afterwards, by name; was: the same
    before. untouched: what it must not change, before and afterwards. given: the same as the arrays themselves.
    """

    result: Any = None
    changed: dict[str, Any] = field(default_factory=dict)
    was: dict[str, Any] = field(default_factory=dict)
    untouched: tuple[dict[str, Any], dict[str, Any]] = field(default_factory=lambda: ({}, {}))
    given: dict[str, Any] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Case:
    """One case: `run` calls a function on fresh inputs, stored in this way; `gradcheck` compares its gradients with
    finite differences.

    tolerance: the largest right error, relative to the largest number.
    """

    says: str
    hidden: bool
    run: Callable[[Function, Stored], Outcome]
    gradcheck: Callable[[Function], list[Finding]] | None = None
    tolerance: float = 1e-9

    @property
    def label(self) -> str:
        """What the case is called where something is wrong with it."""
        return f"hidden: {self.says}" if self.hidden else self.says


def guarded_call(function: Function, arguments: tuple[Any, ...], watched: dict[str, Any]) -> Outcome:
    """Call a function; `watched` are the arguments that it must not change."""
    before = snapshot(watched)
    result = function(*arguments)
    given = {key: leaf for name, value in watched.items() for key, leaf in leaves(name, value).items()}
    return Outcome(result, untouched=(before, snapshot(watched)), given=given)
