"""Two training steps with the reader's functions, each compared with numpynet's at every call."""

import copy
import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from numpynet.learn.errors import message_of
from numpynet.learn.exercises import Exercise
from numpynet.learn.exercises.differences import difference, leaves
from numpynet.learn.replacement import copy_of, installed, original
from numpynet.module import Module
from numpynet.optim import Optimizer

Function = Callable[..., Any]


class DiffersError(Exception):
    """A function of the reader gave something else than numpynet's. The message says which, and what."""


@contextmanager
def in_place(functions: dict[str, tuple[Exercise, Function]]) -> Iterator[None]:
    """All of the reader's functions in the place of numpynet's, until the end of the block."""
    with ExitStack() as stack:
        for exercise, function in functions.values():
            stack.enter_context(installed(exercise, function))
        yield


def compared(
    functions: dict[str, tuple[Exercise, Function]], tolerance: float, calls: list[str]
) -> dict[str, tuple[Exercise, Function]]:
    """The same functions, each of which raises DiffersError if it differs from numpynet's. Their calls are noted."""
    return {
        name: (exercise, _compared(exercise, function, tolerance, calls))
        for name, (exercise, function) in functions.items()
    }


def _compared(exercise: Exercise, function: Function, tolerance: float, calls: list[str]) -> Function:
    ours = copy_of(original(exercise))
    names = tuple(inspect.signature(ours).parameters)

    def both(*arguments: Any) -> Any:
        calls.append(exercise.name)
        given = copy.deepcopy(arguments)
        if exercise.kind == "train_step":  # the gradients may be forgotten before a step or after it
            given[0].zero_grad()
        try:
            result = function(*arguments)
        except DiffersError:
            raise
        except Exception as error:
            ours(*given)  # raises as well if the arguments are wrong: then the caller is to blame, and catches it
            raise DiffersError(f"{exercise.name}: {type(error).__name__}: {message_of(error)}") from error
        expected = ours(*given)
        after, right = (dict(zip(names, parts, strict=False)) for parts in (arguments, given))
        if wrong := _first_wrong(exercise, (result, after), (expected, right), tolerance):
            raise DiffersError(f"{exercise.name}: {wrong}")
        return result

    return both


def _first_wrong(exercise: Exercise, mine: tuple[Any, Any], right: tuple[Any, Any], tolerance: float) -> str:
    """The first difference of results or, afterwards, of arguments."""
    found, expected = _parts(exercise, *mine), _parts(exercise, *right)
    arrays = [part for part in expected.values() if isinstance(part, np.ndarray) and part.dtype.kind == "f"]
    scale = max((float(np.abs(array).max(initial=0)) for array in arrays), default=0.0)
    for name, value in expected.items():
        if wrong := difference(name, found.get(name), value, tolerance, scale):
            return wrong
    return ""


def _parts(exercise: Exercise, result: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """Arrays and numbers by name. A result in several parts has the names that the exercise gives them."""
    if isinstance(result, tuple | list) and len(result) == len(exercise.gives):
        named = dict(zip(exercise.gives, result, strict=True))
    else:
        named = {exercise.gives[0]: result} if exercise.gives else {}
    parts = {key: leaf for name, value in named.items() for key, leaf in leaves(name, value).items()}
    for called, argument in arguments.items():
        if isinstance(argument, Module):
            for name, parameter in argument.named_parameters():
                parts[name] = parameter.data
                if exercise.kind != "train_step":
                    parts[f"{name}.grad"] = parameter.grad
        elif not isinstance(argument, Optimizer):
            parts |= leaves(called, argument)
    return {name: part for name, part in parts.items() if part is None or isinstance(part, np.ndarray | float)}
