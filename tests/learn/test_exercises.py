"""The exercises: what `start` writes, what `check` says to right answers, and that each file is a pleasure to read."""

import ast
import re

import pytest

from numpynet.learn.__main__ import main
from numpynet.learn.exercises import exercises
from numpynet.learn.exercises.cases import cases_of
from numpynet.learn.exercises.file_loader import function_of
from numpynet.learn.exercises.judge import judge
from numpynet.learn.exercises.starting_file import text_of
from numpynet.learn.listing import PAGES
from tests.learn.solved import solved, write_solved

ALL = pytest.mark.parametrize("exercise", exercises().values(), ids=exercises())


def test_there_are_sixteen_and_their_pages_are_on_the_path():
    assert len({exercise.group or exercise.name for exercise in exercises().values()}) == 16
    pages = [page.file for page in PAGES]
    assert [e.name for e in exercises().values() if e.page not in pages] == []
    assert [e.name for e in exercises().values() if len(e.hints) != 3] == []


@ALL
def test_the_starting_file_can_be_read_and_run(exercise):
    text = text_of(exercise)
    assert [line for line in text.splitlines() if len(line) > 120] == []
    namespace = {}
    exec(text, namespace)
    assert callable(namespace[exercise.name])
    blank = ast.parse(text).body[-1]
    assert isinstance(blank, ast.FunctionDef)
    assert blank.name == exercise.name
    assert ast.unparse(blank.body[-1]) == "raise NotImplementedError"
    assert "of_forward" not in text  # the checks of arguments are left out
    own = solved(exercise).split(f"def {exercise.name}(")[1].split("\n", 1)[1]
    assert max(own.splitlines(), key=len) not in text  # nor does it give the answer away


@ALL
def test_the_starting_file_says_all_that_one_needs(exercise):
    text = text_of(exercise)
    blank = ast.parse(text).body[-1]
    assert isinstance(blank, ast.FunctionDef)
    task = ast.get_docstring(blank)
    for argument in (a.arg for a in blank.args.args if a.arg not in ("self", "cache", "net", "criterion", "optimizer")):
        assert re.search(rf"\b{argument}\b", task), argument
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef):
            for field in (part.target.id for part in node.body if isinstance(part, ast.AnnAssign)):
                assert f"cache.{field}" in task, field
    if len(exercise.gives) > 1:
        order = [task.split("Returns")[1].find(name) for name in exercise.gives]
        assert exercise.kind == "staged" or order == sorted(order)
        assert -1 not in order
    assert task.split("\n\n")[-1].startswith("First step: ")
    cases = cases_of(exercise)
    assert f"    All {len(cases)} checks are right.\n" in text
    assert all(f"\n    {case.says}" in text for case in cases if not case.hidden)
    assert not any(f"\n    {case.says}\n" in text for case in cases if case.hidden)
    hidden = sum(case.hidden for case in cases)
    assert f"\n    {hidden} hidden case{'s' * (hidden > 1)}\n" in text


@ALL
def test_between_three_and_eight_cases_some_of_them_hidden(exercise):
    cases = cases_of(exercise)
    assert 3 <= len(cases) <= 8
    assert 1 <= sum(case.hidden for case in cases) <= 4
    assert not cases[0].hidden
    assert sum(not case.hidden for case in cases) >= 2


@ALL
def test_numpynets_own_source_is_right(exercise, tmp_path):
    """In this process; test_start_check_hint_and_show judges in one of its own, as the command does."""
    path = write_solved(exercise, tmp_path)
    checks = judge(exercise, function_of(exercise, path))
    assert len(checks) == len(cases_of(exercise))
    assert [check for check in checks if check.wrong] == []
    assert [path.name for path in tmp_path.iterdir()] == [exercise.file]  # no __pycache__


def test_start_check_hint_and_show(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["start", "relu_backward"]) == 0
    assert main(["check", "relu_backward"]) == 1
    assert "not written yet" in capsys.readouterr().out
    assert main(["show", "relu_backward"]) == 1
    assert "np.where" not in capsys.readouterr().out
    assert main(["hint", "relu_backward"]) == 0
    assert "hint relu_backward 2" in capsys.readouterr().out
    write_solved(exercises()["relu_backward"], tmp_path)
    assert main(["check", "relu_backward"]) == 0
    assert "All 6 checks are right" in capsys.readouterr().out
    assert main(["show", "relu_backward"]) == 0
    assert "return np.where(cache.passed, dout, dout.dtype.type(0))" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["relu_backward.py"]


def test_progress(tmp_path, capsys):
    for name in ("linear", "linear_backward", "fold"):
        write_solved(exercises()[name], tmp_path)
    assert main(["start", "unfold", "--dir", str(tmp_path)]) == 0
    assert main(["check", "--dir", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "2 of 16 exercises are right" in out
    assert "unfold                       not written yet" in out
    (tmp_path / "unfold.py").unlink()
    assert main(["check", "--dir", str(tmp_path)]) == 0


def test_the_first_wrong_number_stands_beside_the_right_one(tmp_path, capsys):
    """The centre of the picture wins two windows of the one-point net: 0.75 + 0.375, of which `=` keeps the last."""
    exercise = exercises()["max_pool2d_backward"]
    text = solved(exercise)
    assert text.count("] += np.where") == 1
    (tmp_path / exercise.file).write_text(text.replace("] += np.where", "] = np.where"), "utf-8")
    assert main(["check", exercise.name, str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "dx[0, 0, 1, 1]: yours 0.75, right 1.125" in out or "dx[0, 0, 1, 1]: yours 0, right 1.125" in out
    assert "wrong only where windows overlap: += is needed, not =" in out
    assert f"{'kernel 2, stride 2: no overlap':70} right" in out


def test_full_runs_the_functions_own_tests(tmp_path, capfd):
    write_solved(exercises()["train_step"], tmp_path)
    assert main(["check", "train_step", str(tmp_path), "--full"]) == 0
    out = capfd.readouterr().out
    assert "numpynet's tests with your train_step: tests/learn/test_solutions.py" in out
    assert "1 passed" in out
