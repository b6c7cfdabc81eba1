"""`python -m numpynet.learn break`: where its file is written, and what it says to bad arguments."""

import re

import pytest

from numpynet.learn.__main__ import main
from numpynet.learn.lessons.bugs_by_seed import MOST_SEED, bug_of_seed
from tests.learn.copies import DOCS, ROOT


def test_a_file_that_is_there_is_left_as_it_is(tmp_path, capsys):
    path = tmp_path / "seed_3.py"
    path.write_text("mine", "utf-8")
    assert main(["break", "--seed", "3", "--dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "is there already and is left as it is" in out
    assert out.startswith(f"Seed 3: {bug_of_seed(3).function}\n")
    assert path.read_text("utf-8") == "mine"


def test_a_file_in_the_place_of_the_folder(tmp_path, capsys):
    (tmp_path / "afile").write_text("mine", "utf-8")
    assert main(["break", "relu_no_mask", "--dir", str(tmp_path / "afile")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.endswith("afile: there is no such folder\n")


def test_a_folder_that_is_not_there_is_not_made(tmp_path, capsys):
    assert main(["break", "3", "--dir", str(tmp_path / "typo")]) == 2
    assert capsys.readouterr().err.endswith("typo: there is no such folder\n")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_the_file(tmp_path, capsys):
    (tmp_path / "lesson_3.py").mkdir()
    for more in ([], ["--check"]):
        assert main(["break", "3", *more, "--dir", str(tmp_path)]) == 2
        assert capsys.readouterr().err.endswith("lesson_3.py is not a file; move it away\n")


def test_the_printed_command_names_a_folder_with_spaces(tmp_path, capsys):
    folder = tmp_path / "my folder"
    folder.mkdir()
    assert main(["start", "fold", "--dir", str(folder)]) == 0
    assert capsys.readouterr().out.endswith(f"check fold --dir '{folder}'\n")
    assert main(["break", "--seed", "7", "--dir", str(folder)]) == 0
    assert capsys.readouterr().out.endswith(f"break --seed 7 --dir '{folder}' --check\n")


def test_git_ignores_what_a_reader_makes_in_the_project_itself():
    """Page 0 names a folder beside it, but a reader may type the commands here."""
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    folder = re.search(r"mkdir -p \.\./(\S+)", (DOCS / "00-start.md").read_text("utf-8"))[1]
    assert {"/lesson_*.py", "/seed_*.py", f"/{folder}/"} <= set(ignored)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pool_assign"], "there is no lesson 'pool_assign'; did you mean lesson 7?"),
        (["0"], "there is no lesson 0; the lessons are 1 to 13"),
        (["14", "--answer"], "there is no lesson 14; the lessons are 1 to 13"),
        (["lesson_99.py"], "there is no lesson 99; the lessons are 1 to 13"),
        (["9" * 5000], "there is no lesson '999"),
        (["zzz"], "there is no lesson 'zzz'; `python -m numpynet.learn break` lists them"),
        (["pool_assigns", "--seed", "1"], "give a lesson or --seed, not both"),
        (["--seed", "-1"], "--seed must be 0 to 999999999, got -1"),
        (["--seed", str(MOST_SEED + 1)], "--seed must be 0 to 999999999, got 1000000000"),
        (["--check"], "name a lesson"),
        (["pool_assigns", "--table"], "--table takes no lesson"),
        (["--table", "--seeds", "0"], "--seeds must be 1 to 50, got 0"),
        (["--table", "--seeds", "51"], "--seeds must be 1 to 50, got 51"),
        (["--table", "--steps", "1001"], "--steps must be 1 to 1000, got 1001"),
        (["--seeds", "3"], "--seeds and --steps are options of --table"),
        (
            ["pool_assigns", "--check", "--dir", "nowhere"],
            "there is no nowhere/lesson_7.py; `python -m numpynet.learn break 7 --dir",
        ),
    ],
)
def test_bad_arguments_get_one_line(arguments, words, capsys):
    assert main(["break", *arguments]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1
