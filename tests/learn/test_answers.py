"""Right answers in unusual styles are accepted; wrong ones that look right are rejected, with words that help."""

import collections

import pytest

from numpynet.learn import faces
from numpynet.learn.exercises import exercises, graduation
from numpynet.learn.exercises.graduate import USED
from numpynet.learn.exercises.judge import CannotJudgeError, judge
from tests.learn import right_answers_training, right_answers_windows
from tests.learn.right_answers import ANSWERS
from tests.learn.wrong_answers import WRONG

assert right_answers_training  # importing these two enters their answers
assert right_answers_windows


@pytest.mark.parametrize(("name", "answer"), ANSWERS, ids=[answer.__name__ for _, answer in ANSWERS])
def test_a_right_answer_is_accepted(name, answer):
    assert [check for check in judge(exercises()[name], answer) if check.wrong] == []


def test_every_exercise_has_two_of_them():
    count = collections.Counter(name for name, _ in ANSWERS)
    assert [name for name in exercises() if count[name] < 2] == []


@pytest.mark.parametrize("which", range(3))
def test_a_training_step_accepts_them_call_by_call(which):
    by_exercise = collections.defaultdict(list)
    for name, answer in ANSWERS:
        if name in USED:
            by_exercise[name].append(answer)
    assert set(by_exercise) == set(USED)
    functions = {name: (exercises()[name], found[which % len(found)]) for name, found in by_exercise.items()}
    images, points = faces.crops()
    calls = graduation.compare(functions, images[:1], faces.to_targets(points)[:1])
    assert set(calls) >= set(USED) - {"unfold", "fold"}  # a convolution may do without these two


@pytest.mark.parametrize(("name", "answer", "words"), WRONG, ids=[answer.__name__ for _, answer, _ in WRONG])
def test_a_wrong_answer_is_rejected(name, answer, words):
    try:
        said = [check.wrong for check in judge(exercises()[name], answer) if check.wrong]
    except CannotJudgeError as error:
        said = [str(error)]
    assert said
    assert any(words in line for line in said), said
