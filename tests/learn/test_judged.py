"""The judge judged: every mutant of every function that is an exercise is rejected, unless it computes the same."""

import os

import pytest

from tests.learn.judged import judged, reasons


@pytest.fixture(scope="module")
def verdicts():
    return judged(workers=os.cpu_count() or 1)


def test_every_mutant_that_computes_something_else_is_rejected(verdicts):
    assert len(verdicts) > 500
    known = reasons()
    passed = [v for v in verdicts if not v.rejected and (v.exercise, v.change) not in known]
    assert [f"{v.exercise}: {v.change}" for v in passed] == []


def test_every_reason_is_needed(verdicts):
    passed = {(v.exercise, v.change) for v in verdicts if not v.rejected}
    assert [key for key in reasons() if key not in passed] == []
