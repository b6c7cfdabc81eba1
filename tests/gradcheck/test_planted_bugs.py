"""Common mistakes (numpynet/learn/lessons/bugs.toml): each is planted, and must be caught and named."""

import inspect

import numpy as np
import pytest

from numpynet.gradcheck.cases import CASES
from numpynet.learn.lessons.plant import bugs, planted
from tests.functional import test_by_definition

GRADIENT_BUGS = [name for name, bug in bugs().items() if bug.case]
OTHER_BUGS = [name for name, bug in bugs().items() if bug.test]


@pytest.mark.parametrize("name", GRADIENT_BUGS)
def test_gradient_bug_is_caught_and_named(name):
    bug = bugs()[name]
    assert all(finding.passed for finding in CASES[bug.case](np.random.default_rng(0), **bug.options))
    with planted(bug):
        findings = {finding.name: finding for finding in CASES[bug.case](np.random.default_rng(0), **bug.options)}
    assert not findings[bug.finding].passed
    assert findings[bug.finding].cause
    assert bug.words
    assert bug.words in findings[bug.finding].cause


@pytest.mark.parametrize("name", OTHER_BUGS)
def test_other_bug_fails_the_test_of_its_name(name):
    bug = bugs()[name]
    test = getattr(test_by_definition, bug.test)
    marks = {mark.args[0]: mark.args[1] for mark in getattr(test, "pytestmark", [])}
    rows = [dict(zip(names if isinstance(names, tuple) else (names,), values, strict=True)) if isinstance(names, tuple)
            else {names: values} for names, rows in marks.items() for values in rows] or [{}]  # fmt: skip
    for row in rows:
        test(**row)

    def run_all():
        for row in rows:
            test(**row)

    with planted(bug), pytest.raises(AssertionError):
        run_all()


def test_every_bug_is_caught_by_something_but_the_one_in_the_check_itself():
    assert [bug.name for bug in bugs().values() if not (bug.case or bug.test)] == ["cotangent_of_ones"]
    assert len(GRADIENT_BUGS) >= 22
    assert len(OTHER_BUGS) >= 8


def test_a_planted_bug_is_gone_afterwards():
    from numpynet import functional

    before = inspect.getsource(functional.relu_backward)
    bug = bugs()["relu_no_mask"]
    with planted(bug):
        assert functional.relu_backward.__code__.co_filename == "relu_no_mask.py"
    assert inspect.getsource(functional.relu_backward) == before
