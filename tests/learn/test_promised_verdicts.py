"""What the pages say that `check` prints, it prints."""

import re
import textwrap

import numpy as np
import pytest

from numpynet.functional.conv2d import conv2d_backward
from numpynet.learn.exercises import Exercise, exercises, find
from numpynet.learn.exercises.cases import cases_of
from numpynet.learn.exercises.judge import Check, judge
from numpynet.learn.exercises.judging_process import Verdict
from numpynet.learn.exercises.verdict_text import text
from numpynet.learn.replacement import copy_of
from tests.learn.pages.markdown import LEARN, fences


def page_of(exercise: Exercise) -> str:
    return (LEARN / exercise.page).read_text()


def success(exercise: Exercise) -> str:
    """What `check` prints if every check of the exercise is right."""
    right = [Check(case.says, case.hidden) for case in cases_of(exercise)]
    return text(Verdict(exercise, LEARN / exercise.file, right))


PROMISE = re.compile(r"\bAll (\S+) (checks are right\b)")
PROMISING = sorted({exercise.page for exercise in exercises().values() if PROMISE.search(page_of(exercise))})


def test_some_pages_promise():
    assert len(PROMISING) >= 6


@pytest.mark.parametrize("page", PROMISING)
def test_the_page_ends_its_exercises_as_check_ends_them(page):
    """A page may leave out the number of checks: `...`."""
    printed = [PROMISE.search(success(exercise)) for exercise in exercises().values() if exercise.page == page]
    assert all(printed)
    counts = {match[1] for match in printed if match}
    promised = {count for count, _ in PROMISE.findall((LEARN / page).read_text())}
    assert promised <= {*counts, "..."}


def test_with_the_first_lines_of_page_7_check_sees_a_first_step():
    page = fences((LEARN / "07-convolution-backward.md").read_text())
    (lines,) = (fence.body for fence in page if fence.skip)
    (told,) = (fence.body for fence in page if fence.language == "text" and "WRONG" in fence.body)
    names = {"np": np, "rest": copy_of(conv2d_backward)}
    exec(f"def mine(dout, cache):\n{textwrap.indent(lines, '    ')}    return rest(dout, cache)", names)
    seen = [
        (check.says, "WRONG" if check.wrong else "right") for check in judge(find("conv2d_backward"), names["mine"])
    ]
    assert seen[:3] == re.findall(r"^  (.+?) {2,}(right|WRONG)$", told, re.MULTILINE)
