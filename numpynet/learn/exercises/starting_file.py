"""The file that `start` writes: what to read, and a blank body."""

import ast
import builtins
import importlib
import inspect
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpynet.typing
from numpynet.learn.exercises import Exercise
from numpynet.learn.exercises.cases import cases_of
from numpynet.learn.replacement import owner_of

CHECKS = ("numpynet.checks", "numpynet.functional.arguments")
"""Modules whose functions check arguments. The reader's copy of the forward pass leaves these calls out."""


def text_of(exercise: Exercise) -> str:
    """The whole file."""
    module = importlib.import_module(exercise.module)
    read = [readable_source(module, name) for name in exercise.read]
    blank = f"{_header(exercise)}\n{_docstring(exercise.task)}\n    raise NotImplementedError\n"
    return "\n".join(
        [
            f'"""{exercise.title}',
            "",
            f"Read:   docs/learn/{exercise.page}",
            f"Check:  python -m numpynet.learn check {exercise.name}",
            f"Hint:   python -m numpynet.learn hint {exercise.name}",
            "",
            *_checks(exercise),
            '"""',
            "",
            *imports(exercise, module, [*read, blank]),
            *[
                f"\n\n{part}"
                for part in ([_rule("to read: numpynet's own, without its checks"), *read] if read else [])
            ],
            f"\n\n{_rule('to write')}",
            f"\n\n{blank}",
        ]
    )


def _checks(exercise: Exercise) -> list[str]:
    """What `check` tries, and how one knows that all is right."""
    cases = cases_of(exercise)
    first, *others = [case.says for case in cases if not case.hidden]
    hidden = sum(case.hidden for case in cases)
    return [
        "The check tries:",
        f"    {first}: few numbers, which you can follow by hand",
        *(f"    {says}" for says in others),
        f"    {hidden} hidden case{'' if hidden == 1 else 's'}",
        "In each case it calls your function twice, and once more with arrays that are views with steps,",
        "such as a.T[::2]. Your function is right when the check ends with the line",
        f"    All {len(cases)} checks are right.",
    ]


def readable_source(module: ModuleType, name: str) -> str:
    """The source of a function, class or constant, without the docstring and the checks of arguments."""
    owner, own_name = owner_of(module.__name__, name)
    value = vars(owner)[own_name]
    if not callable(value):
        return f"{name} = {value!r}"
    lines = inspect.getsource(value).splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip())
    lines = [line[indent:] for line in lines]
    if isinstance(value, type):
        return "\n".join(lines)
    (function,) = ast.parse("\n".join(lines)).body
    assert isinstance(function, ast.FunctionDef)
    left_out: set[int] = set()
    for first, last in _left_out(function, vars(module)):
        left_out |= set(range(first, last + 1))
    for first, last in _names_for_errors(function):
        left_out.add(first)
        for number in range(first + 1, last + 1):
            lines[number - 1] = lines[number - 1][4:]
    kept = [line for number, line in enumerate(lines, 1) if number not in left_out]
    kept = [line for i, line in enumerate(kept) if line.strip() or kept[i - 1].strip()]
    return "\n".join(kept).replace("def forward(self, ", "def chain_forward(self: Chain, ").rstrip()


def _left_out(function: ast.FunctionDef, names: dict[str, Any]) -> Iterator[tuple[int, int]]:
    """First and last line of the docstring, which derives the backward pass, and of every check."""
    for node in ast.walk(function):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield _lines(node)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            called = ast.unparse(node.value.func)
            if getattr(names.get(called), "__module__", "") in CHECKS or called == "checked_reduction":
                yield _lines(node)
        elif isinstance(node, ast.If) and isinstance(node.body[-1], ast.Raise) and not node.orelse:
            yield _lines(node)


def _names_for_errors(function: ast.FunctionDef) -> Iterator[tuple[int, int]]:
    """First and last line of each `with` that only gives an error a name."""
    for node in ast.walk(function):
        if isinstance(node, ast.With) and "_named_in_errors" in ast.unparse(node.items[0]):
            yield _lines(node)


def _lines(node: ast.stmt) -> tuple[int, int]:
    return node.lineno, node.end_lineno or node.lineno


def _header(exercise: Exercise) -> str:
    """The `def` of numpynet's own function, under the exercise's name."""
    owner, name = owner_of(exercise.module, exercise.function)
    lines = inspect.getsource(vars(owner)[name]).splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip())
    (function,) = ast.parse("\n".join(line[indent:] for line in lines)).body
    assert isinstance(function, ast.FunctionDef)
    header = "\n".join(line[indent:] for line in lines[: function.body[0].lineno - 1])
    return header.replace(f"def {name}(", f"def {exercise.name}(", 1).replace("(self, ", "(self: Chain, ")


def _docstring(task: str) -> str:
    lines = [f"    {line}".rstrip() for line in task.strip().splitlines()]
    return "\n".join([f'    """{lines[0].lstrip()}', *lines[1:], '    """'])


def _rule(words: str) -> str:
    return f"# ---- {words} ".ljust(100, "-")


def imports(exercise: Exercise, module: ModuleType, parts: list[str]) -> list[str]:
    """The imports of every name that the parts use and do not define themselves."""
    tree = ast.parse("\n\n".join(parts))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | {"np"} | set(exercise.use)
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    plain: set[str] = set()
    froms: dict[str, list[str]] = {}
    for name in sorted(used - defined):
        value = vars(module).get(name)
        if isinstance(value, ModuleType):
            plain.add(f"import {value.__name__} as {name}" if name != value.__name__ else f"import {name}")
        elif value is not None and not hasattr(builtins, name):
            froms.setdefault(_home(name, value, module.__name__), []).append(name)
    if "np" in used:
        plain.add("import numpy as np")
    lines = {source: f"from {source} import {', '.join(names)}" for source, names in froms.items()}
    standard = [line for source, line in sorted(lines.items()) if source.split(".")[0] in sys.stdlib_module_names]
    own = [line for source, line in sorted(lines.items()) if source.split(".")[0] not in sys.stdlib_module_names]
    math = sorted(line for line in plain if line.split()[1] in sys.stdlib_module_names)
    blocks = [[*math, *standard], sorted(plain - set(math)), own]
    return "\n\n".join("\n".join(block) for block in blocks if block).splitlines()


def _home(name: str, value: Any, module: str) -> str:
    """The module to import a name from."""
    if getattr(numpynet.typing, name, None) is value:
        return "numpynet.typing"
    homes = [str(getattr(value, "__module__", "")), "numpynet.losses", module]
    return next(home for home in homes if getattr(sys.modules.get(home), name, None) is value)
