"""Endless bugs: a random mutant of a random backward function, the same for the same seed."""

import ast
import warnings
from collections.abc import Iterator

import numpy as np

from numpynet import functional
from numpynet.gradcheck.cases import CASES
from numpynet.learn.errors import LearnError
from numpynet.learn.exercises import exercises
from numpynet.learn.lessons.mutants import Mutant, functions, mutants
from numpynet.learn.lessons.plant import Bug, planted, source_of

TRIES = 200
"""How many mutants are tried for one seed; about one in two is caught."""
MOST_SEED = 999_999_999
MOVING = "11-moving-gradients.md"
PAGES = {exercise.function: exercise.page for exercise in exercises().values()} | {
    "flatten_backward": MOVING,
    "upsample_nearest2d_backward": MOVING,
}
"""The functions that a page explains, and the page: those of the exercises, and two without an exercise."""


def bug_of_seed(seed: int) -> Bug:
    """The bug of this seed. It is in a function of `candidates`.

    gradcheck catches it, so it does not compute the same as the right function.
    """
    if not 0 <= seed <= MOST_SEED:
        raise LearnError(f"--seed must be 0 to {MOST_SEED}, got {seed}")
    rng = np.random.default_rng(seed)
    places = candidates()
    for _ in range(TRIES):
        case, module, function = places[rng.integers(len(places))]
        source = source_of(module)
        count = sum(1 for _ in mutants(ast.parse(source), function))
        change, right, wrong = spliced(source, function, int(rng.integers(count)))
        bug = Bug(f"seed_{seed}", change, module, function, right, wrong, PAGES[function], case)
        if is_caught(bug):
            return bug
    raise LearnError(f"no bug was found for --seed {seed}; take another seed")


def candidates() -> list[tuple[str, str, str]]:
    """(gradcheck's case, module, function) of every backward function that a page explains, and of what it calls.

    What it calls must be explained on a page, too.
    """
    found = []
    for case in CASES:
        forward = getattr(functional, case, None)
        if forward is None or not hasattr(functional, f"{case}_backward"):  # a network, or a rule
            continue
        tree = ast.parse(source_of(forward.__module__))
        called = _called_by(f"{case}_backward", tree)
        found += [(case, forward.__module__, name) for name in functions(tree) if name in called & PAGES.keys()]
    return found


def _called_by(function: str, tree: ast.Module) -> set[str]:
    """The function itself, and the functions of its file that it calls, directly or through another."""
    nodes, called = functions(tree), {function}
    while more := {
        part.id
        for name in called
        for part in ast.walk(nodes[name])
        if isinstance(part, ast.Name) and part.id in nodes and part.id not in called
    }:
        called |= more
    return called


def spliced(source: str, function: str, number: int) -> tuple[str, str, str]:
    """What mutant `number` of a function changes, in words, and the function's text before and after it.

    The text keeps its comments and its layout: only the changed expression is written anew.
    """
    tree = ast.parse(source)
    node = functions(tree)[function]
    mutant = next(m for i, m in enumerate(mutants(tree, function)) if i == number)
    old, new = _expressions(mutant)
    # `mutants` gives some parts the place of a whole, so the places are read from another tree.
    turn = next(i for i, part in enumerate(ast.walk(node)) if part is old)
    place = list(ast.walk(functions(ast.parse(source))[function]))[turn]
    assert isinstance(place, ast.expr | ast.stmt)
    mutant.apply()
    wanted = ast.unparse(node)
    lines = source.splitlines(keepends=True)
    right = "".join(lines[node.lineno - 1 : node.end_lineno])
    for text in _texts(new):
        begin = _position(lines, place.lineno, place.col_offset)
        end = _position(lines, place.end_lineno or place.lineno, place.end_col_offset or 0)
        changed = source[:begin] + text + source[end:]
        try:
            after = functions(ast.parse(changed))[function]
        except SyntaxError:
            continue
        if ast.unparse(after) == wanted:
            return mutant.change, right, "".join(changed.splitlines(keepends=True)[after.lineno - 1 : after.end_lineno])
    raise LookupError(f"{function}: {mutant.change} cannot be written into the source")


def _expressions(mutant: Mutant) -> tuple[ast.AST, ast.AST]:
    """The part of the file that the mutant writes anew, and what it writes: of an `if` the condition alone."""
    holder, key = mutant.place
    old = holder[key] if isinstance(holder, list) else getattr(holder, key)
    if isinstance(old, ast.If) and isinstance(mutant.replacement, ast.If):
        return old.test, mutant.replacement.test
    return old, mutant.replacement


def _texts(node: ast.AST) -> Iterator[str]:
    text = ast.unparse(node)
    yield text
    yield f"({text})"


def _position(lines: list[str], line: int, column: int) -> int:
    """Where a place of the syntax tree, whose columns count bytes, lies in the text."""
    return sum(map(len, lines[: line - 1])) + len(lines[line - 1].encode()[:column].decode())


def is_caught(bug: Bug) -> bool:
    """Whether gradcheck finds a gradient wrong; one that it cannot run is none of the bugs of this page."""
    try:
        with planted(bug), np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            return not all(finding.passed for finding in CASES[bug.case](np.random.default_rng(0)))
    except Exception:  # of whatever kind: a mutant may call anything with anything
        return False
