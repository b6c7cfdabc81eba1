"""The reader's function in the place of numpynet's, everywhere in numpynet, for a while."""

import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FunctionType
from typing import Any

from numpynet.learn.exercises import Exercise


class RefusedError(ImportError):
    """A file asked for a package that would do its work."""


class OriginalCalledError(Exception):
    """A function that is judged called the function that it replaces."""


READER = "reader_"
"""What the names of modules begin with that are the reader's files: they may have imported one another's originals."""

calls_refused: list[str] = []
"""The originals that were called while they were out of reach; an exception alone could be swallowed."""


def refuse(name: str) -> None:
    """Note that an original was called. Raises OriginalCalledError."""
    calls_refused.append(name)
    raise OriginalCalledError(name)


def owner_of(module: str, function: str) -> tuple[Any, str]:
    """The module or class that holds a function, and its name there. Submodules may be hidden by functions' names."""
    owner: Any = importlib.import_module(module)
    *classes, name = function.split(".")
    for part in classes:
        owner = getattr(owner, part)
    return owner, name


def original(exercise: Exercise) -> FunctionType:
    """numpynet's own function."""
    owner, name = owner_of(exercise.module, exercise.function)
    found: FunctionType = vars(owner)[name]
    return found


def copy_of(function: FunctionType) -> FunctionType:
    """The same function as another object, which stays as it is when the first one gets other code."""
    copy = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


@contextmanager
def installed(exercise: Exercise, function: Callable[..., Any]) -> Iterator[None]:
    """`function` wherever numpynet refers to its own, until the end of the block."""
    ours = original(exercise)
    owner, name = owner_of(exercise.module, exercise.function)
    places = [(owner, name)]
    for module_name, module in list(sys.modules.items()):
        if module_name.split(".")[0] == "numpynet" or module_name.startswith(READER):
            places += [(module, key) for key, value in list(vars(module).items()) if value is ours]
    for place, key in places:
        setattr(place, key, function)
    try:
        yield
    finally:
        for place, key in places:
            setattr(place, key, ours)


@contextmanager
def out_of_reach(function: FunctionType, name: str) -> Iterator[None]:
    """Every call of this function raises OriginalCalledError, under whatever name it was imported before."""
    namespace: dict[str, Any] = {}
    exec(f"def refused(*a, **k): __import__({__name__!r}, fromlist=['refuse']).refuse({name!r})", namespace)
    code = function.__code__
    function.__code__ = namespace["refused"].__code__
    try:
        yield
    finally:
        function.__code__ = code


@contextmanager
def judged_in_place(exercise: Exercise, function: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Install the reader's function, and put numpynet's own out of its reach. Gives the function as installed.

    Under numpynet's name it finds itself: such a call, from within, counts as one of the original.
    """
    running = False

    @functools.wraps(function)
    def guarded(*arguments: Any, **keywords: Any) -> Any:
        nonlocal running
        if running and exercise.kind != "chain":  # a chain may hold a chain
            refuse(exercise.function)
        running = True
        try:
            return function(*arguments, **keywords)
        finally:
            running = False

    calls_refused.clear()
    ours = original(exercise)
    with ExitStack() as stack:
        stack.enter_context(installed(exercise, guarded))
        stack.enter_context(out_of_reach(ours, exercise.function))
        for other in exercise.unavailable:
            module, name = other.split(":")
            owner, key = owner_of(module, name)
            stack.enter_context(out_of_reach(vars(owner)[key], name))
        yield guarded
