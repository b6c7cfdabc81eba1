"""The planted mistakes of bugs.toml, and functions of numpynet with such a mistake in the place of the right ones.

A mistake is planted in a copy of its function: a file of its own with the imports that it needs, and with the functions
of the module that call it. numpynet itself is not changed.
"""

import ast
import importlib
import inspect
import textwrap
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from numpynet import functional
from numpynet.learn.errors import LearnError, message_of
from numpynet.learn.replacement import owner_of

BUGS = Path(__file__).parent / "bugs.toml"

Functions = Mapping[str, Callable[..., Any]]


@dataclass(frozen=True)
class Bug:
    """One mistake; bugs.toml says what each entry is."""

    name: str
    title: str
    module: str
    function: str
    right: str
    wrong: str
    page: str = ""
    case: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    finding: str = ""
    words: str = ""
    test: str = ""
    issue: str = ""
    story: str = ""
    sees: str = ""
    lesson: int = 0
    curve: str = ""
    table: bool = False

    def copy(self) -> str:
        """The text of a file with the function, the mistake in it. LearnError if there is no place for the mistake."""
        source = source_of(self.module)
        if (count := source.count(self.right)) != 1:
            raise LearnError(f"{self.name}: {self.right.strip()!r} occurs {count} times in {self.module}, must be once")
        return copy_of(self.module, self.function, source.replace(self.right, self.wrong))


@cache
def bugs() -> dict[str, Bug]:
    """Every mistake of bugs.toml by its name."""
    entries = tomllib.loads(BUGS.read_text("utf-8"))["bug"]
    return {entry["name"]: Bug(**entry) for entry in entries}


def source_of(module: str) -> str:
    """The source of a module."""
    return inspect.getsource(importlib.import_module(module))


def copy_of(module: str, function: str, source: str) -> str:
    """A file of Python with one function of a module's source. Everything else is imported.

    function: a name, or Class.name for a method, which becomes a function. For a module of numpynet.functional the file
    also has the functions that call it: those of the module itself would go on calling the right one.
    """
    tree = ast.parse(source)
    nodes: dict[str, ast.stmt] = {}
    origins: dict[str, tuple[str, str]] = {}  # of each name of the module: "from ... import " or "import ", and what
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            origin = f"from {node.module} import " if isinstance(node, ast.ImportFrom) else "import "
            for alias in node.names:
                what = alias.name + (f" as {alias.asname}" if alias.asname else "")
                origins[alias.asname or alias.name] = origin, what
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            nodes[node.name] = node
            origins[node.name] = f"from {module} import ", node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            origins |= {name: (f"from {module} import ", name) for target in targets for name in _names(target)}
    owner, _, name = function.rpartition(".")
    if owner:
        methods = (part for part in ast.walk(nodes[owner]) if isinstance(part, ast.FunctionDef))
        (nodes[name],) = (method for method in methods if method.name == name)
    wanted = _with_callers(name, nodes) if module.startswith("numpynet.functional.") else [name]
    lines = source.splitlines()
    texts = [textwrap.dedent("\n".join(lines[nodes[w].lineno - 1 : nodes[w].end_lineno])) for w in wanted]
    used = set().union(*(_names(nodes[w]) for w in wanted)) - set(wanted)
    needed: dict[str, list[str]] = {}
    for origin, what in sorted(origins[u] for u in used if u in origins):
        needed.setdefault(origin, []).append(what)
    return "\n\n\n".join(["\n".join(o + ", ".join(whats) for o, whats in needed.items()), *texts]) + "\n"


def _with_callers(name: str, nodes: Mapping[str, ast.stmt]) -> list[str]:
    """The function and the functions that call it, directly or through another, in the order of the module."""
    found = {name}
    while more := {
        caller
        for caller, node in nodes.items()
        if isinstance(node, ast.FunctionDef) and caller not in found and found & _names(node)
    }:
        found |= more
    return [caller for caller in nodes if caller in found]


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def load(text: str, path: str) -> dict[str, Callable[..., Any]]:
    """The functions that a file of Python defines.

    LearnError in one line, with the file and the number of the line, if Python cannot run it.
    """
    space: dict[str, Any] = {"__name__": Path(path).stem, "__file__": path}
    try:
        exec(compile(text, path, "exec"), space)
    except SyntaxError as error:
        raise LearnError(f"{path}, line {error.lineno}: {error.msg}") from error
    except Exception as error:
        raise LearnError(f"{path} cannot be imported: {type(error).__name__}: {message_of(error)}") from error
    return {name: value for name, value in space.items() if inspect.isfunction(value) and value.__globals__ is space}


@contextmanager
def put(module: str, function: str, functions: Functions) -> Iterator[None]:
    """Have numpynet call these functions in place of its own until the end of the block.

    module, function: as in bugs.toml, where a dot means a method.
    """
    owner = functional if module.startswith("numpynet.functional.") else owner_of(module, function)[0]
    before = {name: vars(owner)[name] for name in functions if name in vars(owner)}
    try:
        for name in before:
            setattr(owner, name, functions[name])
        yield
    finally:
        for name, value in before.items():
            setattr(owner, name, value)


@contextmanager
def planted(bug: Bug) -> Iterator[None]:
    """Have numpynet make this mistake until the end of the block."""
    with put(bug.module, bug.function, load(bug.copy(), f"{bug.name}.py")):
        yield
