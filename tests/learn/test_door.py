"""`python -m numpynet.learn`: the list, and what it says to a command that does not exist."""

import os
import subprocess
import sys

import pytest

from numpynet.learn import listing
from numpynet.learn.__main__ import main
from numpynet.learn.commands import COMMANDS
from numpynet.learn.listing import PAGES


def test_without_a_command_it_lists_every_page_and_every_command(capsys):
    assert main([]) == 0
    out = capsys.readouterr().out
    assert [page.file for page in PAGES if f" {page.file.removesuffix('.md')} " not in out] == []
    assert [name for name in COMMANDS if f"  {name} " not in out] == []


def test_an_unknown_command_is_refused_in_one_line(capsys):
    assert main(["zzz"]) == 2
    assert capsys.readouterr().err == (
        "python -m numpynet.learn: there is no command 'zzz'; `python -m numpynet.learn` lists them\n"
    )


def test_an_unknown_command_gets_the_nearest_one_suggested(capsys):
    assert main(["one_point"]) == 2
    assert capsys.readouterr().err == (
        "python -m numpynet.learn: there is no command 'one_point'; did you mean one-point?\n"
    )


@pytest.mark.parametrize(
    ("given", "hint"), [("--nugde", "did you mean --nudge?"), ("--qqqqqq", "--help lists the options")]
)
def test_an_unknown_option_gets_the_nearest_one_suggested(given, hint, capsys):
    with pytest.raises(SystemExit) as left:
        main(["one-point", given, "x[0,0]"])
    assert left.value.code == 2
    assert capsys.readouterr().err == f"python -m numpynet.learn one-point: there is no option {given}; {hint}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["settle", "--steps", "1e20"], "--steps must be a whole number, got '1e20'"),
        (["settle", "--lr", "x"], "--lr must be a number, got 'x'"),
        (["hint", "fold", "one"], "number must be a whole number, got 'one'"),
        (["check", "fold", "fold.py", "fold"], "there is no argument 'fold'; --help lists the arguments"),
        (["graduate", "--dri", "x"], "there is no option --dri; did you mean --dir?"),
    ],
)
def test_a_bad_argument_is_one_line(words, said, capsys):
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    assert capsys.readouterr().err == f"python -m numpynet.learn {words[0]}: {said}\n"


def test_the_list_fits_on_a_screen_and_begins_with_what_to_type():
    lines = listing.text().splitlines()
    assert len(lines) <= 45
    assert max(map(len, lines)) <= 100
    assert "python -m numpynet.learn one-point" in lines[2]


def test_every_command_has_arguments_and_a_help_text(capsys):
    for name, command in COMMANDS.items():
        with pytest.raises(SystemExit) as left:
            main([name, "--help"])
        assert left.value.code == 0
        assert command.help.split()[0] in capsys.readouterr().out


def test_a_wrong_name_in_the_environment_is_refused_in_one_line():
    done = subprocess.run(
        [sys.executable, "-m", "numpynet.learn", "one-point"],
        capture_output=True, text=True, check=False, env=os.environ | {"NUMPYNET_OPS": "quick"},
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("python -m numpynet.learn one-point: NUMPYNET_OPS: choose one of 'readable', 'fast'")
    assert done.stderr.count("\n") == 1


def test_where_the_pages_are_is_said_if_they_are_not_beside_the_package(monkeypatch, tmp_path):
    assert "archive" not in listing.text()
    monkeypatch.setattr(listing.numpynet, "__file__", str(tmp_path / "numpynet" / "__init__.py"))
    assert "its repository, or its archive, numpynet_fkp-*.tar.gz" in listing.text()
    assert max(map(len, listing.text().splitlines())) <= 100


def test_a_folder_numpynet_where_python_starts_is_one_line_at_most(tmp_path):
    """It hides an installation that pip made with -e; any other kind of installation wins over the folder."""
    (tmp_path / "numpynet").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "numpynet.learn"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    hidden = f"python -m numpynet.learn: {tmp_path} is no folder to start Python in: its folder `numpynet` hides the"
    assert (done.returncode, done.stderr) == (0, "") or (done.returncode == 2 and done.stderr.startswith(hidden))
    assert len(done.stderr.splitlines()) <= 1
