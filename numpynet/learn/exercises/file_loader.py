"""A reader's file loaded as a module of its own, without a trace of it on the disk."""

import ast
import importlib.abc
import sys
import tokenize
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from numpynet.learn.errors import message_of
from numpynet.learn.exercises import Exercise, error_place
from numpynet.learn.exercises.judge import CannotJudgeError
from numpynet.learn.replacement import READER, RefusedError

ELSEWHERE = (
    *("torch", "jax", "tensorflow", "autograd", "reference", "numpynet.kernels"),
    *(f"numpynet.learn.{name}" for name in ("convolutions", "derivations", "jacobian", "lessons", "stepping")),
)
"""Packages that compute these gradients themselves."""


class _NotHere(importlib.abc.MetaPathFinder):
    """Stands first in Python's search for modules. Refuses those packages, and to load a part of numpynet once more."""

    def __init__(self) -> None:
        self.loaded = {name for name in sys.modules if name.startswith("numpynet.")}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in self.loaded or any(f"{name}.".startswith(f"{package}.") for package in ELSEWHERE):
            raise RefusedError(name)
        return None


def prepare(folder: Path) -> None:
    """From here on, in the whole process, refuse those packages, and find modules in this folder of the reader's."""
    sys.meta_path.insert(0, _NotHere())
    sys.path.append(str(folder.resolve()))


def is_blank(exercise: Exercise, path: Path) -> bool:
    """Whether the function's body still ends in `raise NotImplementedError`, as `start` writes it.

    Only read, not run. False if the file cannot be read: `function_of` says why.
    """
    try:
        with tokenize.open(path) as file:
            tree = ast.parse(file.read())
    except (OSError, ValueError, SyntaxError, MemoryError, RecursionError):
        return False
    bodies = [node.body for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == exercise.name]
    last = ast.unparse(bodies[-1][-1]) if bodies else ""
    return last in ("raise NotImplementedError", "raise NotImplementedError()")


def function_of(exercise: Exercise, path: Path) -> Callable[..., Any]:
    """The reader's function. CannotJudgeError if the file cannot be read or run, or does not define it."""
    try:
        with tokenize.open(path) as file:  # as Python reads it: with or without a byte order mark
            text = file.read()
    except (UnicodeDecodeError, SyntaxError) as error:
        raise CannotJudgeError("the file is not text in UTF-8") from error
    except OSError as error:
        raise CannotJudgeError(f"the file cannot be read: {error.strerror}") from error
    module = ModuleType(READER + exercise.name)
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    try:
        code = compile(text, str(path.resolve()), "exec", dont_inherit=True)
    except SyntaxError as error:
        raise CannotJudgeError(f"line {error.lineno}: not Python: {error.msg}") from error
    except ValueError as error:
        raise CannotJudgeError(f"not Python: {message_of(error)}") from error
    except (MemoryError, RecursionError) as error:
        raise CannotJudgeError("an expression of the file is too deep for Python") from error
    try:
        exec(code, vars(module))
    except RefusedError as error:
        raise CannotJudgeError(f"the file imports {error}; use NumPy and what the file imports already") from error
    except SystemExit as error:
        raise CannotJudgeError(
            "the file ends the process while it is imported: it calls exit() or raises SystemExit"
        ) from error
    except Exception as error:
        line = error_place.line_of(error)
        where = f"{line}: " if line else ""
        message = f"the file does not import: {where}{type(error).__name__}: {message_of(error)}"
        raise CannotJudgeError(message, error_place.block(error)) from error
    function = vars(module).get(exercise.name)
    if not callable(function):
        raise CannotJudgeError(f"the file defines no function {exercise.name}")
    found: Callable[..., Any] = function
    return found
