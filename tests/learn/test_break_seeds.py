"""`python -m numpynet.learn break --seed`: mistakes by seed, and how a mistake is planted."""

import ast
import importlib
import inspect
import re

import numpy as np
import pytest

from numpynet import functional
from numpynet.functional import conv2d as conv2d_function
from numpynet.gradcheck.cases import CASES
from numpynet.learn import listing
from numpynet.learn.exercises import exercises
from numpynet.learn.lessons.bugs_by_seed import PAGES, bug_of_seed, candidates, spliced
from numpynet.learn.lessons.mutants import functions, mutants
from numpynet.learn.lessons.plant import Bug, LearnError, bugs, load, planted, source_of
from tests.learn.copies import DOCS, right_copy


def test_a_seed_gives_the_same_bug_each_time_and_seeds_differ():
    found = [bug_of_seed(seed) for seed in range(6)]
    assert found == [bug_of_seed(seed) for seed in range(6)]
    assert len({(bug.function, bug.wrong) for bug in found}) == 6
    for bug in found:
        with planted(bug):
            assert not all(finding.passed for finding in CASES[bug.case](np.random.default_rng(0)))
        assert load(right_copy(bug), "here", bug.function)


def test_a_random_mistake_is_in_a_function_that_a_page_or_an_exercise_explains():
    asked = {exercise.function: exercise.page for exercise in exercises().values()}
    source = re.compile(r'cog source\("numpynet\.functional\.\w+", "(\w+)"')
    texts = {page.file: (DOCS / page.file).read_text("utf-8") for page in listing.PAGES}
    shown = {function: file for file, text in texts.items() for function in source.findall(text)}
    assert {function for _, _, function in candidates()} <= {*asked, *shown}
    assert {function: page for function, page in PAGES.items() if (shown | asked)[function] != page} == {}
    assert bug_of_seed(7).page == PAGES[bug_of_seed(7).function]


def test_every_mutant_is_written_into_the_source_as_it_is_meant():
    """The text that `spliced` gives is what the mutant's syntax tree says, and differs in few lines."""
    seen = 0
    for _, module, function in candidates()[::3]:
        source = source_of(module)
        for number in range(0, sum(1 for _ in mutants(ast.parse(source), function)), 4):
            tree = ast.parse(source)
            list(mutants(tree, function))[number].apply()
            _, right, wrong = spliced(source, function, number)
            assert ast.unparse(ast.parse(wrong)) == ast.unparse(functions(tree)[function])
            assert right in inspect.getsource(importlib.import_module(module))
            seen += 1
    assert seen > 40


def test_a_mistake_without_a_place_is_an_error():
    bug = Bug("none", "", "numpynet.functional.relu", "relu_backward", "no such text", "")
    with pytest.raises(LearnError, match=r"occurs 0 times in numpynet\.functional\.relu"):
        bug.copy()


def test_a_mistake_in_a_function_that_others_call_is_made_by_them():
    """fold is called by conv2d_backward of its own module, which stays numpynet's own."""
    rng = np.random.default_rng(0)
    out, cache = conv2d_function(rng.standard_normal((1, 1, 4, 4)), rng.standard_normal((1, 1, 2, 2)))
    right = functional.conv2d_backward(np.ones(out.shape), cache)[0]
    with planted(bugs()["conv_fold_assigns"]):
        wrong = functional.conv2d_backward(np.ones(out.shape), cache)[0]
    assert (wrong != right).sum() > 5
    np.testing.assert_array_equal(functional.conv2d_backward(np.ones(out.shape), cache)[0], right)
