"""Every function is mutated or left out with a reason; a mutant is what it says, in the place that it names."""

import ast
import contextlib
from pathlib import Path

import pytest

pytest.importorskip("resource")  # which only Unix has, as it alone can fork

from numpynet.learn.lessons.mutants import functions, mutants
from tests.mutation import report, targets
from tests.mutation.loaded import Target, targets_of


def test_every_file_is_a_target_or_left_out_with_a_reason():
    places = targets.files()
    assert all(isinstance(place, targets.Group) or len(place) > 4 for place in places.values())
    assert len({path for path, place in places.items() if isinstance(place, targets.Group)}) > 30


@pytest.mark.parametrize(
    ("path", "group"),
    [("functional/new.py", "functions"), ("kernels/new.py", "kernels"), ("layers.py", "layers")],
)
def test_a_new_file_is_a_target(path, group):
    assert targets.place_of(Path(path)).name == group


def test_a_file_that_nothing_names_is_an_error():
    with pytest.raises(LookupError, match=r"numpynet/new\.py is in no group"):
        targets.place_of(Path("new.py"))


def test_no_pattern_is_idle():
    paths = [path.relative_to(targets.PACKAGE) for path in targets.files()]
    patterns = [*targets.FILES_LEFT_OUT, *(pattern for group in targets.GROUPS for pattern in group.files)]
    assert [pattern for pattern in patterns if not any(targets.fits(path, pattern) for path in paths)] == []


def test_the_tests_that_are_named_exist():
    named = [*targets.TESTS_LEFT_OUT, *(judge for group in targets.GROUPS for judge in group.judges)]
    assert [name for name in named if not exists(name)] == []


def exists(name):
    """Whether there is this file or folder or, with `::`, this function in a file."""
    path, _, function = name.partition("::")
    return (targets.ROOT / path).exists() and f"def {function}" in (
        (targets.ROOT / path).read_text("utf-8") if function else "def "
    )


def test_every_function_of_the_files_is_a_target():
    found = {(target.path, target.node.lineno) for target in targets_of(targets.files())}
    missed = []
    for path, place in targets.files().items():
        if isinstance(place, targets.Group):
            for node in outer_functions(ast.parse(path.read_text("utf-8"))):
                if node.name not in targets.FUNCTIONS_LEFT_OUT and (path, node.lineno) not in found:
                    missed.append(f"{path}:{node.lineno} {node.name}")
    assert missed == []


def outer_functions(node):
    """The functions below a node, wherever they stand, but none within another."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
        else:
            yield from outer_functions(child)


def test_every_reason_is_of_a_function_that_there_is():
    rooms = {}
    for target in targets_of(targets.files()):
        room = target.module.split(".")[1]
        rooms.setdefault(room if room in ("functional", "kernels") else "", set()).add(target.name)
    named = {(room, function) for room, function, _ in report.reasons()}
    assert [pair for pair in sorted(named) if pair[1] not in rooms[pair[0]]] == []


SOURCE = """
class Outer:
    class Inner:
        if True:
            def method(self, a: int = 3) -> int:
                'Says nothing.'
                if a < 0:
                    raise ValueError(1 + 2)
                return len(super().__repr__()) * 0 + a
"""
NAME = "Outer.Inner.method"


def test_every_mutant_of_a_starred_result_is_python():
    source = "def sizes(x):\n    return (0, *x.shape)"
    changes = []
    for number, mutant in enumerate(mutants(ast.parse(source), "sizes")):
        tree = ast.parse(source)
        list(mutants(tree, "sizes"))[number].apply()
        compile(ast.fix_missing_locations(tree), "here", "exec")
        changes.append(mutant.change)
    assert "return (0, *x.shape)  ->  return (0, *x.shape[::-1])" in changes


def test_a_mutant_computes_what_it_says():
    """Neither the default value nor what `raise` says is changed; `super()` may go, or its argument."""
    results = {}
    for number, listed in enumerate(mutants(ast.parse(SOURCE), NAME)):
        spaces, tree = {}, ast.parse(SOURCE)
        exec(compile(tree, "here", "exec"), spaces)
        inner = spaces["Outer"].Inner
        mutant = list(mutants(tree, NAME))[number]
        assert (mutant.change, mutant.line) == (listed.change, listed.line)
        mutant.apply()
        Target(Path("here"), NAME, targets.GROUPS[0], tree, functions(tree)[NAME], (inner.method,)).become()
        try:
            results[mutant.change] = inner().method(10)
        except Exception as error:  # of whatever kind: numbers cannot be turned round as arrays, or divided by 0
            results[mutant.change] = str(error)
    whole = "len(super().__repr__()) * 0 + a"
    assert results[f"{whole}  ->  a"] == 10
    assert results[f"{whole}  ->  len(super().__repr__()) * 0"] == 0
    assert results[f"{whole}  ->  len(super().__repr__()) * 0 - a"] == -10
    assert results[f"return {whole}  ->  return 2 * ({whole})"] == 20
    assert results["a < 0  ->  a > 0"] == "3"
    assert {place for place in results if place.startswith("1 ")} == set()


def test_a_function_that_was_made_before_becomes_its_mutant_too():
    """With the values that it took from the outer one, whether the mutant uses them or not."""
    source = "def outer(a, b):\n    def inner(x):\n        return x + a * b\n    return inner"
    results = set()
    for number, listed in enumerate(mutants(ast.parse(source), "outer")):
        spaces, tree = {}, ast.parse(source)
        exec(compile(source, "here", "exec"), spaces)
        made = spaces["outer"](3, 5)
        list(mutants(tree, "outer"))[number].apply()
        Target(
            Path("here"), "outer", targets.GROUPS[0], tree, functions(tree)["outer"], (spaces["outer"],), (made,)
        ).become()
        with contextlib.suppress(TypeError, AttributeError):  # numbers cannot be turned round as arrays
            results.add((listed.change, made(100)))
    assert {("x + a * b  ->  x", 100), ("x + a * b  ->  a * b", 15), ("a * b  ->  b", 105)} <= results
