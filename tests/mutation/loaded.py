"""The functions of the files as Python has loaded them, and how one is given other code."""

import ast
import gc
import importlib
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType

from numpynet.learn.lessons.mutants import Function, code_of, functions
from tests.mutation.targets import FUNCTIONS_LEFT_OUT, ROOT, Group


@dataclass(frozen=True)
class Target:
    """One function: of which file, and the objects that Python made of it."""

    path: Path
    name: str
    group: Group
    tree: ast.Module = field(repr=False)
    node: Function = field(repr=False)
    objects: tuple[FunctionType, ...] = field(repr=False)

    @property
    def module(self) -> str:
        """Its file's dotted name."""
        return dotted(self.path)

    @property
    def key(self) -> str:
        """Its own dotted name."""
        return f"{self.module}.{self.name}"

    def become(self) -> None:
        """Give the function the code of its node, as that is by now."""
        if "__class__" in self.objects[0].__code__.co_freevars:  # which a mutant without `super()` would not have
            self.node.body.insert(0, ast.parse("if False: super").body[0])
        code = code_of(self.tree, str(self.path), self.node)
        for made in self.objects:
            made.__code__ = code


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
            made.setdefault((code.co_filename, code.co_name, code.co_firstlineno), []).append(thing)
    found = []
    for path, (group, tree) in trees.items():
        for name, node in functions(tree).items():
            if name.split(".")[-1] in FUNCTIONS_LEFT_OUT:
                continue
            line = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            objects = made.get((str(path), node.name, line))
            if not objects:
                raise LookupError(f"{path}:{node.lineno}: {name} was not found among the loaded functions")
            found.append(Target(path, name, group, tree, node, tuple(objects)))
    return found
