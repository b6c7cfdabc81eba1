"""Where in a reader's file an error was raised: the line, and the shapes of the arrays that it names."""

import ast
import linecache
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import numpy as np

from numpynet.learn.errors import message_of, printable
from numpynet.learn.replacement import READER

MOST_LINES = 4
"""Of a statement that is longer, the rest is left out."""
MOST_NAMES = 12
LONGEST_LINE, LONGEST = 200, 60
"""Characters of a line, and of a value."""
PLAINLY = {
    "could not be broadcast together": "NumPy compares the sizes from the last axis on: two must be equal, "
    "unless one is 1 or missing.",
    "matmul: Input operand": "A @ B sums over the last axis of A and the last but one of B: these two sizes must be "
    "equal.",
    "Cannot cast ufunc": "An operation in place keeps the dtype of the array on its left; make a new array instead.",
}
"""By words of NumPy's message: what it means."""


def line_of(error: BaseException) -> str:
    """The line of the reader's code at which an error was raised, or left it: "line 3", or "line 3 of fold.py".

    The reader's code is a module whose name begins with READER, and what it imports from its folder. An empty text if
    the error never was there.
    """
    place = _place(error)
    if place is None:
        return ""
    frame, line, _ = place
    named = str(frame.f_globals.get("__name__", "")).startswith(READER)
    return f"line {line}" if named else f"line {line} of {Path(frame.f_code.co_filename).name}"


def block(error: BaseException) -> list[str]:
    """The source of that line, and below it what its names were: "dout (2, 3) float64; cache.passed (3, 2) bool"."""
    place = _place(error)
    if place is None:
        return []
    frame, first, last = place
    try:
        source = linecache.getlines(frame.f_code.co_filename)
        lines = [printable(line.rstrip())[:LONGEST_LINE] for line in source[first - 1 : last][:MOST_LINES]]
        named = _named(ast.parse("".join(source)), first, last, frame)
    except Exception:  # the file changed meanwhile, or its objects are strange
        return []
    margin = min((len(line) - len(line.lstrip()) for line in lines if line), default=0)
    told = [f"with {'; '.join(named)}"] if named else []
    plainly = [words for key, words in PLAINLY.items() if key in message_of(error)]
    return [*(line[margin:] for line in lines), *told, *plainly]


def _place(error: BaseException) -> tuple[FrameType, int, int] | None:
    """The innermost frame of the reader's code, and the first and last line of what it was doing."""
    found, folder = None, None
    for (frame, number), summary in zip(
        traceback.walk_tb(error.__traceback__), traceback.extract_tb(error.__traceback__), strict=True
    ):
        home = Path(frame.f_code.co_filename).parent
        if str(frame.f_globals.get("__name__", "")).startswith(READER):
            folder = home
        if home == folder:
            found = frame, number, max(number, summary.end_lineno or number)
    return found


def _named(tree: ast.Module, first: int, last: int, frame: FrameType) -> list[str]:
    """What each name on these lines was when the error was raised, in their order."""
    values = {**frame.f_globals, **frame.f_locals}
    found: dict[str, Any] = {}
    for node in sorted(_outermost(tree, first, last), key=lambda node: (node.lineno, node.col_offset)):
        for text, value in _values(node, values):
            if not isinstance(value, ModuleType | type) and not callable(value):
                found.setdefault(text, value)
    dtypes = {str(value.dtype) for value in found.values() if isinstance(value, np.ndarray)}
    return [f"{text} {_described(value, dtypes != {'float64'})}" for text, value in list(found.items())[:MOST_NAMES]]


def _outermost(node: ast.AST, first: int, last: int) -> Iterator[ast.expr]:
    """The names, attributes and subscripts on these lines, without the parts of each."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store) and not isinstance(node, ast.AugAssign):
            continue  # its value is that of an earlier round
        if isinstance(child, ast.Name | ast.Attribute | ast.Subscript) and first <= child.lineno <= last:
            yield child
        else:
            yield from _outermost(child, first, last)


def _values(node: ast.expr, names: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The value of an expression if nothing has to be called for it, or else those of its parts, each with its text."""
    if isinstance(node, ast.Name):
        if node.id in names:
            yield node.id, names[node.id]
        return
    if isinstance(node, ast.Attribute | ast.Subscript):
        owners = dict(_values(node.value, names))
        owner = owners.get(ast.unparse(node.value))
        if isinstance(node, ast.Attribute) and isinstance(owner, tuple) and node.attr in getattr(owner, "_fields", ()):
            yield ast.unparse(node), getattr(owner, node.attr)
            return
        key = getattr(node.slice, "value", None) if isinstance(node, ast.Subscript) else None
        if type(owner) is dict and isinstance(key, str) and key in owner:
            yield ast.unparse(node), owner[key]
            return
        yield from owners.items()
    for part in ast.iter_child_nodes(node):
        if isinstance(part, ast.expr) and part is not getattr(node, "value", None):
            yield from _values(part, names)


def _described(value: Any, with_dtype: bool) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.shape} {value.dtype}" if with_dtype else str(value.shape)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return f"= {type(value).__name__}({', '.join(value._fields)})"
    if type(value) is dict:
        return printable(f"= a dict with the keys {', '.join(map(repr, value))}")[: 2 * LONGEST]
    if type(value) in (list, tuple) and not all(type(part) in (int, float, bool) for part in value):
        return f"= a {type(value).__name__} of {len(value)}"
    if isinstance(value, np.generic):
        return f"= {value} {value.dtype}"
    if type(value) in (int, float, bool, str, type(None), list, tuple, slice):
        return f"= {printable(repr(value[:LONGEST] if isinstance(value, str) else value))[:LONGEST]}"
    return f"= a {type(value).__name__}"
