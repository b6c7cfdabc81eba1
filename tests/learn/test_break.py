"""`python -m numpynet.learn break`: the lessons, the bugs by seed, the table, and what they say to bad input."""

import ast
import importlib
import inspect
import json
from pathlib import Path

import numpy as np
import pytest

from numpynet.gradcheck.cases import CASES
from numpynet.learn.__main__ import main
from numpynet.learn.lessons import check_copy, loss_table
from numpynet.learn.lessons.bugs_by_seed import bug_of_seed, candidates, spliced
from numpynet.learn.lessons.gradcheck_verdicts import wrong_verdicts
from numpynet.learn.lessons.loss_chart import chart
from numpynet.learn.lessons.mutants import functions, mutants
from numpynet.learn.lessons.plant import Bug, LearnError, bugs, copy_of, load, planted, source_of
from numpynet.learn.lessons.trials import crops, small_net, trial
from numpynet.learn.listing import PAGES

DOCS = Path(__file__).parents[2] / "docs" / "learn"
THEIRS = "from numpynet.functional.relu import relu_backward as theirs\n"
LESSONS = [bug.name for bug in bugs().values() if bug.lesson]


def right_copy(bug):
    return copy_of(bug.module, bug.function, source_of(bug.module))


def test_there_are_twelve_lessons_with_a_page_each():
    assert {bug.lesson for bug in bugs().values() if bug.lesson} == set(range(1, 13))
    assert len(LESSONS) == 13
    pages = {page.file for page in PAGES}
    assert [name for name in LESSONS if bugs()[name].page not in pages or not bugs()[name].sees] == []
    assert [bug.name for bug in bugs().values() if bool(bug.issue) != bool(bug.story)] == []


def test_without_a_name_every_lesson_is_listed(capsys):
    assert main(["break"]) == 0
    out = capsys.readouterr().out
    assert [name for name in LESSONS if name not in out] == []
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize("name", LESSONS)
def test_the_planted_copy_is_refused_and_the_right_one_passes(name, tmp_path, capsys):
    bug, path = bugs()[name], tmp_path / "copy.py"
    path.write_text(bug.copy(), "utf-8")
    assert not check_copy.check(path, bug)
    out = capsys.readouterr().out
    assert "WRONG" in out
    assert bug.words in out
    path.write_text(right_copy(bug), "utf-8")
    assert check_copy.check(path, bug)
    assert "WRONG" not in capsys.readouterr().out


def test_a_check_with_a_dout_of_ones_is_blind_once_and_wrong_once():
    assert wrong_verdicts() == []
    with planted(bugs()["cotangent_of_ones"]):
        blind, false = wrong_verdicts()
    assert blind == "accepts a wrong one: ReLU backward: the gradient that arrives is dropped"
    assert false == "calls the right batch_norm wrong"


def test_a_lesson_from_its_beginning_to_its_end(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("numpynet.learn.lessons.break_it.STEPS", 8)
    where = ["--dir", str(tmp_path / "new")]
    assert main(["break", "relu_no_mask", *where]) == 0
    out = capfd.readouterr().out
    assert "Which one is broken, A or B?" in out  # and it does not wait for an answer without a terminal
    assert "is broken." not in out
    path = tmp_path / "new" / "broken_relu_no_mask.py"
    assert [file.name for file in tmp_path.rglob("*")] == ["new", path.name]
    assert main(["break", "relu_no_mask", "--check", *where]) == 1
    assert "WRONG" in capfd.readouterr().out
    assert main(["break", "relu_no_mask", "--answer", *where]) == 0
    assert "+    return np.where(cache.passed, dout, dout.dtype.type(0))" in capfd.readouterr().out
    path.write_text(path.read_text("utf-8").replace("dout.copy()", "dout * cache.passed"), "utf-8")
    assert main(["break", "relu_no_mask", "--check", *where]) == 0
    assert "Repaired." in capfd.readouterr().out


def test_a_file_that_is_there_is_left_as_it_is(tmp_path, capsys):
    path = tmp_path / "broken_seed_3.py"
    path.write_text("mine", "utf-8")
    assert main(["break", "--seed", "3", "--dir", str(tmp_path)]) == 0
    assert "is there already and is left as it is" in capsys.readouterr().out
    assert path.read_text("utf-8") == "mine"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def relu_backward(dout, cache:", "line 1"),
        ("import nothing_of_this_name", "ModuleNotFoundError"),
        ("def other(): pass", "has no function relu_backward"),
        ("def relu_backward(dout, cache):\n    pass", "it must be an array, and is None"),
        ("def relu_backward(dout, cache):\n    return cache.mask", "line 2: AttributeError"),
        ("def relu_backward(dout, cache):\n    return dout[:1]", "WRONG"),
        ("def relu_backward(dout, cache):\n    exit()", "SystemExit"),
        (
            THEIRS + "def relu_backward(dout, cache):\n    return theirs(dout, cache)",
            "calls numpynet's own relu_backward",
        ),
        (
            THEIRS + "def relu_backward(dout, cache):\n    try:\n        return theirs(dout, cache)\n"
            "    except Exception:\n        return dout * cache.passed",
            "calls numpynet's own relu_backward",
        ),
        ("while True: pass", "did not finish within 2 s"),
    ],
)
def test_a_copy_that_cannot_be_checked(text, words, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(check_copy, "SECONDS", 2 if "while" in text else 60)
    (tmp_path / "broken_relu_no_mask.py").write_text(text, "utf-8")
    assert main(["break", "relu_no_mask", "--check", "--dir", str(tmp_path)]) in (1, 2)
    out, err = capfd.readouterr()
    assert words in out
    assert "Traceback" not in out + err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pool_assign"], "there is no lesson 'pool_assign'; did you mean pool_assigns?"),
        (["zzz"], "there is no lesson 'zzz'; `python -m numpynet.learn break` lists them"),
        (["pool_assigns", "--seed", "1"], "give a lesson or --seed, not both"),
        (["--seed", "-1"], "--seed must be at least 0, got -1"),
        (["--check"], "name a lesson"),
        (["pool_assigns", "--table"], "--table takes no lesson"),
        (["--table", "--seeds", "0"], "--seeds must be at least 1, got 0"),
        (["pool_assigns", "--check", "--dir", "nowhere"], "there is no nowhere"),
    ],
)
def test_bad_arguments_get_one_line(arguments, words, capsys):
    assert main(["break", *arguments]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1


def test_a_seed_gives_the_same_bug_each_time_and_seeds_differ():
    found = [bug_of_seed(seed) for seed in range(6)]
    assert found == [bug_of_seed(seed) for seed in range(6)]
    assert len({(bug.function, bug.wrong) for bug in found}) == 6
    for bug in found:
        with planted(bug):
            assert not all(finding.passed for finding in CASES[bug.case](np.random.default_rng(0)))
        assert load(right_copy(bug), "here")


def test_every_mutant_is_written_into_the_source_as_it_is_meant():
    """The text that `spliced` gives is what the mutant's syntax tree says, and differs in few lines."""
    seen = 0
    for _, module, function in candidates()[::3]:
        source = source_of(module)
        for number in range(0, sum(1 for _ in mutants(ast.parse(source), function)), 5):
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


def test_a_copy_has_the_callers_that_must_see_the_mistake():
    assert list(load(bugs()["conv_fold_assigns"].copy(), "here")) == ["conv2d_backward", "fold"]


def test_the_table_names_what_gradcheck_says():
    found = {row.name: row for row in loss_table.rows(2, 8, ["linear_bias_averaged", "zero_grad_forgotten"])}
    assert list(found) == ["nothing", "linear_bias_averaged", "zero_grad_forgotten"]
    assert found["nothing"].losses[0][-1] < found["nothing"].losses[0][0] / 3
    assert found["linear_bias_averaged"].losses[1] == pytest.approx(found["nothing"].losses[1], rel=0.01)
    assert found["zero_grad_forgotten"].losses[0][-1] > found["nothing"].losses[0][-1]
    assert "0.25 times" in found["linear_bias_averaged"].gradcheck
    assert found["zero_grad_forgotten"].gradcheck.endswith("zero_grad is missing")
    text = loss_table.text(list(found.values()))
    mean = np.mean([losses[4] for losses in found["nothing"].losses])
    assert f"{mean:.5f}±" in text.splitlines()[3]
    assert max(map(len, text.splitlines())) <= 100


def test_the_measured_table_is_of_these_mistakes_and_of_what_gradcheck_says_today():
    rows = json.loads((DOCS / "planted.json").read_text("utf-8"))["rows"]
    assert [row["name"] for row in rows] == ["nothing", *(bug.name for bug in bugs().values() if bug.table)]
    for row in rows[1:]:
        assert row["gradcheck"] == loss_table.verdict(bugs()[row["name"]])
    assert trial(None, 0, 4).losses == pytest.approx(rows[0]["losses"][0][:5], rel=1e-3)
    assert {(len(row["losses"]), len(row["new_crops"]), len(row["losses"][4])) for row in rows} == {(5, 5, 81)}


def test_a_mistake_changes_the_training_and_ends_with_it():
    right = trial(None, 0, 3).losses
    wrong = trial(bugs()["relu_drops_upstream"], 0, 3).losses
    assert wrong[0] == right[0]
    assert wrong[1:] != right[1:]
    assert trial(None, 0, 3).losses == right


def test_new_crops_are_the_same_faces_elsewhere():
    """Moved by 4 pixels, which are 2 of the halved crop and 4 * 2 / 96 of a target."""
    images, targets, new_images, new_targets = crops()
    np.testing.assert_allclose(new_images[1][:, :, :-2], images[1][:, :, 2:], rtol=1e-6)
    np.testing.assert_allclose(targets[1] - new_targets[1], np.tile([8 / 96, 0], 68), atol=1e-6)
    np.testing.assert_allclose(new_images[2][:, 2:], images[2][:, :-2], rtol=1e-6)
    np.testing.assert_allclose(targets[2] - new_targets[2], np.tile([0, -8 / 96], 68), atol=1e-6)
    assert small_net(0)(images).shape == targets.shape


def test_chart_draws_each_curve_and_marks_where_they_meet():
    lines = chart({"A": [1.0, 0.1, 0.01], "B": [1.0, 0.1, 0.1]}).splitlines()
    assert lines[0] == "  1.00000 |*"
    assert lines[6].rstrip().endswith("*" + " " * 31 + "B")
    assert lines[12].rstrip().endswith("A")
    assert "0.01000 |" in lines[12]


# What the copy begins with, the exit status, and words of what is said.
ENDINGS = {
    "os._exit(0)": ("import os; os._exit(0)\n", 1, "ended the process (exit status 0)"),
    "Ctrl-C of the file": ("raise KeyboardInterrupt\n", 1, "line 1: KeyboardInterrupt: without a message"),
    "many lines": ("raise ValueError('a\\nb')\n", 2, "cannot be imported: ValueError: a\n"),
    "a byte order mark": ("\ufeff", 0, "Repaired."),
    "not text": (b"\xff\xfe", 2, "is not text in UTF-8"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_copy_that_ends_the_process_is_not_repaired(ending, tmp_path, capfd):
    begins, status, words = ENDINGS[ending]
    begins = begins if isinstance(begins, bytes) else begins.encode()
    (tmp_path / "broken_relu_no_mask.py").write_bytes(begins + right_copy(bugs()["relu_no_mask"]).encode())
    assert main(["break", "relu_no_mask", "--check", "--dir", str(tmp_path)]) == status
    said = capfd.readouterr()
    assert words in said.out + said.err
    assert ("Repaired." in said.out) == (status == 0)
    assert "Traceback" not in said.err


def test_a_file_in_the_place_of_the_folder(tmp_path, capsys):
    (tmp_path / "afile").write_text("mine", "utf-8")
    assert main(["break", "relu_no_mask", "--dir", str(tmp_path / "afile")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.endswith("afile is not a folder and cannot be made: File exists\n")


def test_the_printed_command_names_a_folder_with_spaces(tmp_path, capsys):
    folder = tmp_path / "my folder"
    folder.mkdir()
    assert main(["start", "fold", "--dir", str(folder)]) == 0
    assert capsys.readouterr().out.endswith(f"check fold --dir '{folder}'\n")
    assert main(["break", "--seed", "7", "--dir", str(folder)]) == 0
    assert capsys.readouterr().out.endswith(f"break --seed 7 --dir '{folder}' --check\n")
