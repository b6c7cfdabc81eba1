"""The planted mistakes of bugs.toml, and functions of numpynet with such a mistake in the place of the right ones.

A mistake is planted in a copy of its function: a file of its own with the imports that it needs. numpynet itself is not
changed.
"""

import ast
import importlib
import inspect
import textwrap
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from numpynet.learn.errors import LearnError
from numpynet.learn.exercises import Exercise
from numpynet.learn.replacement import installed

BUGS = Path(__file__).parent / "bugs.toml"


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

    @property
    def key(self) -> str:
        """What the reader calls it by, which does not tell the mistake: lesson_5, or seed_7."""
        return f"lesson_{self.lesson}" if self.lesson else self.name

    def exercise(self) -> Exercise:
        """Its function as an exercise, which is how a reader's copy takes the place of numpynet's own."""
        name = self.function.rpartition(".")[2]
        nothing: dict[str, Any] = {key: [] for key in ("read", "use", "gives", "tests", "hints")}
        return Exercise(name, self.page, self.title, self.module, self.function, kind="lesson", task="", **nothing)

    def copy(self) -> str:
        """The text of a file with the function, the mistake in it. LearnError if there is no place for the mistake."""
        source = source_of(self.module)
        if (count := source.count(self.right)) != 1:
            raise LearnError(f"{self.name}: {self.right.strip()!r} occurs {count} times in {self.module}, must be once")
        return file_of(self.module, self.function, source.replace(self.right, self.wrong), repaired=source)


@cache
def bugs() -> dict[str, Bug]:
    """Every mistake of bugs.toml by its name."""
    entries = tomllib.loads(BUGS.read_text("utf-8"))["bug"]
    return {entry["name"]: Bug(**entry) for entry in entries}


def lessons() -> list[Bug]:
    """The mistakes of the lessons, in their order."""
    return sorted((bug for bug in bugs().values() if bug.lesson), key=lambda bug: bug.lesson)


def source_of(module: str) -> str:
    """The source of a module."""
    return inspect.getsource(importlib.import_module(module))


def file_of(module: str, function: str, source: str, repaired: str = "") -> str:
    """A file of Python with one function of a module's source. Everything else is imported.

    function: a name, or Class.name for a method, which becomes a function. repaired: the right source, whose function
    may need further imports.
    """
    tree = ast.parse(source)
    origins: dict[str, tuple[str, str]] = {}  # of each name of the module: "from ... import " or "import ", and what
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            origin = f"from {node.module} import " if isinstance(node, ast.ImportFrom) else "import "
            for alias in node.names:
                what = alias.name + (f" as {alias.asname}" if alias.asname else "")
                origins[alias.asname or alias.name] = origin, what
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            origins[node.name] = f"from {module} import ", node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            origins |= {name: (f"from {module} import ", name) for target in targets for name in _names(target)}
    node = _function(tree, function)
    text = textwrap.dedent("\n".join(source.splitlines()[node.lineno - 1 : node.end_lineno]))
    used = _names(node) | (_names(_function(ast.parse(repaired), function)) if repaired else set())
    used -= {node.name}
    needed: dict[str, list[str]] = {}
    for origin, what in sorted(origins[u] for u in used if u in origins):
        needed.setdefault(origin, []).append(what)
    return "\n\n\n".join(["\n".join(o + ", ".join(whats) for o, whats in needed.items()), text]) + "\n"


def _function(tree: ast.Module, function: str) -> ast.FunctionDef:
    """The function, or the method Class.name."""
    owner, _, name = function.rpartition(".")
    part = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == owner) if owner else tree
    return next(node for node in ast.walk(part) if isinstance(node, ast.FunctionDef) and node.name == name)


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def load(text: str, path: str, function: str) -> Callable[..., Any]:
    """The function of this name that a copy defines."""
    space: dict[str, Any] = {"__name__": Path(path).stem, "__file__": path}
    exec(compile(text, path, "exec"), space)
    found: Callable[..., Any] = space[function]
    return found


@contextmanager
def planted(bug: Bug) -> Iterator[None]:
    """Have numpynet make this mistake until the end of the block."""
    exercise = bug.exercise()
    with installed(exercise, load(bug.copy(), f"{bug.name}.py", exercise.name)):
        yield
