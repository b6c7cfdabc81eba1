"""The functions of the files as Python has loaded them, and how one is given other code."""

import ast
import gc
import importlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import CodeType, FunctionType

from numpynet.learn.lessons.mutants import Function, code_of, functions
from tests.mutation.targets import FUNCTIONS_LEFT_OUT, ROOT, Group


@dataclass(frozen=True)
class Target:
    """One function: of which file, the objects that Python made of it, and the functions that it has made itself.

    The latter were made while the files were loaded, as the loops of a kernel are.
    """

    path: Path
    name: str
    group: Group
    tree: ast.Module = field(repr=False)
    node: Function = field(repr=False)
    objects: tuple[FunctionType, ...] = field(repr=False)
    inner: tuple[FunctionType, ...] = field(repr=False, default=())

    @property
    def module(self) -> str:
        """Its file's dotted name."""
        return dotted(self.path)

    @property
    def key(self) -> str:
        """Its own dotted name."""
        return f"{self.module}.{self.name}"

    def become(self) -> None:
        """Give the function the code of its node, as that is by now, and those that it has made theirs."""
        self.outer_become()
        self.inner_become()

    def outer_become(self) -> None:
        """Give the function alone the code of its node."""
        if "__class__" in self.objects[0].__code__.co_freevars:  # which a mutant without `super()` would not have
            self.node.body.insert(0, ast.parse("if False: super").body[0])
        code = code_of(self.tree, str(self.path), self.node)
        for made in self.objects:
            made.__code__ = code

    def inner_become(self) -> None:
        """Give the functions that it has made the code that they have in its node."""
        outer = {beginning(made.__code__): made.__code__.co_freevars for made in self.inner}
        for node in self.inner_nodes():
            if names := outer.get((node.name, first_line(node))):  # which a mutant may not use, but Python keeps count
                node.body.insert(0, ast.parse(f"if False: {', '.join(names)}").body[0])
        if self.inner:
            codes = {beginning(code): code for code in codes_below(code_of(self.tree, str(self.path), self.node))}
            for made in self.inner:
                made.__code__ = codes[beginning(made.__code__)]

    def inner_nodes(self) -> list[Function]:
        """The functions within it."""
        return [node for node in ast.walk(self.node) if isinstance(node, Function) and node is not self.node]


def first_line(node: Function) -> int:
    """Where Python says that a function begins: at its first decorator."""
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def beginning(code: CodeType) -> tuple[str, int]:
    """By what a function's code is found again: its name, and the line where it begins."""
    return code.co_name, code.co_firstlineno


def codes_below(code: CodeType) -> Iterator[CodeType]:
    """The code of each function within a function."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from codes_below(constant)


def dotted(path: Path) -> str:
    """numpynet/functional/conv2d.py -> numpynet.functional.conv2d"""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def targets_of(files: dict[Path, Group | str]) -> list[Target]:
    """Every function of these files that is not left out. LookupError if one was not made where its file says."""
    trees = {}
    for path, group in files.items():
        if isinstance(group, Group):
            importlib.import_module(dotted(path))
            trees[path] = (group, ast.parse(path.read_text("utf-8"), str(path)))
    made: dict[tuple[str, str, int], list[FunctionType]] = {}
    for thing in gc.get_objects():
        if type(thing) is FunctionType:
            code = thing.__code__
            made.setdefault((code.co_filename, *beginning(code)), []).append(thing)
    found = []
    for path, (group, tree) in trees.items():
        for name, node in functions(tree).items():
            if name.split(".")[-1] in FUNCTIONS_LEFT_OUT:
                continue
            objects = made.get((str(path), node.name, first_line(node)))
            if not objects:
                raise LookupError(f"{path}:{node.lineno}: {name} was not found among the loaded functions")
            target = Target(path, name, group, tree, node, tuple(objects))
            within = [(str(path), one.name, first_line(one)) for one in target.inner_nodes()]
            found.append(replace(target, inner=tuple(thing for key in within for thing in made.get(key, []))))
    return found
