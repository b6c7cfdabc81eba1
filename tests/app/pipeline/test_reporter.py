"""The output of commands, on a terminal and elsewhere."""

import os
import pty
import re
import subprocess
import sys

import numpy as np
import pytest

from fkp_app.media.images import write_image
from fkp_app.pipeline.reporter import Reporter, Stopwatch, printable
from tests.videos import write_avi


@pytest.fixture
def album(tmp_path):
    """Some pictures without a face."""
    folder = tmp_path / "album"
    folder.mkdir()
    for i in range(4):
        write_image(folder / f"{i}.png", np.full((60, 80, 3), 90, np.uint8))
    return folder


def on_a_terminal(*arguments, stdout=None):
    """All that `fkp` writes to a terminal: its standard error, and its standard output unless `stdout` is given."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "fkp_app", *map(str, arguments)]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "150"}
    process = subprocess.Popen(command, stdout=stdout or theirs, stderr=theirs, env=environment)
    os.close(theirs)
    seen = b""
    try:
        while part := os.read(ours, 4096):
            seen += part
    except OSError:  # Linux raises this when the other side has closed
        pass
    os.close(ours)
    assert process.wait() == 0
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen.decode())


def test_a_bar_with_count_and_rate_on_a_terminal_and_lines_above_it(album):
    seen = on_a_terminal("detect", album)
    assert "4/4" in seen
    assert re.search(r"\d images/s", seen)
    for i in range(4):
        assert f"{album}/{i}.png: no faces found" in seen


def test_no_bar_where_quiet_or_for_a_single_image(album):
    assert on_a_terminal("detect", album, "--quiet") == ""
    assert "1/1" not in on_a_terminal("detect", album / "0.png")


def test_lines_reach_a_file_though_the_bar_is_on_a_terminal(album, tmp_path):
    with (tmp_path / "lines").open("wb") as file:
        seen = on_a_terminal("detect", album, stdout=file)
    lines = (tmp_path / "lines").read_text().splitlines()
    assert [line.partition(": ")[2] for line in lines[:4]] == ["no faces found"] * 4
    assert len(lines) == 5
    assert "no faces found" not in seen
    assert "4/4" in seen


def test_neither_bar_nor_colour_where_there_is_no_terminal(album, fkp):
    ended = fkp("detect", album)
    assert ended.err == ""
    assert "\x1b" not in ended.out
    assert len(ended.out.splitlines()) == 5


@pytest.mark.parametrize(
    ("options", "out", "err"),
    [
        ({}, ["line"], ["fkp: a note", "fkp: a\\n  problem"]),
        ({"verbose": True}, ["line", "  detail"], ["fkp: a note", "fkp: a\\n  problem"]),
        ({"quiet": True, "verbose": True}, [], ["fkp: a\\n  problem"]),
        ({"lines_to_stdout": False}, [], ["fkp: a note", "fkp: a\\n  problem"]),
        ({"lines_to_stdout": False, "verbose": True}, [], ["  detail", "fkp: a note", "fkp: a\\n  problem"]),
    ],
)
def test_which_lines_go_to_stdout_and_stderr(options, out, err, capsys):
    reporter = Reporter(**options)
    reporter.line("line")
    reporter.detail("detail")
    reporter.note("a note")
    reporter.problem(ValueError("a\n  problem"))
    captured = capsys.readouterr()
    assert (captured.out.splitlines(), captured.err.splitlines()) == (out, err)


def test_a_stopwatch_counts_from_with_to_its_end(monkeypatch):
    times = iter([10.0, 12.5])
    monkeypatch.setattr("fkp_app.pipeline.reporter.time.perf_counter", lambda: next(times))
    with Stopwatch() as watch:
        pass
    assert watch.seconds == 2.5


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb.jpg: is empty", r"a\nb.jpg: is empty"),
        ("\x1b[31mred\x07\x9b", r"\x1b[31mred\x07\x9b"),
        ("a\u202egpj.exe\u2066", r"a\u202egpj.exe\u2066"),
        ("b\udcff.jpg \ud800", r"b\xff.jpg \ud800"),
        ("köpfe 海 👩‍👩‍👧 🏳️‍🌈 é.jpg", "köpfe 海 👩‍👩‍👧 🏳️‍🌈 é.jpg"),
    ],
)
def test_control_characters_in_names_do_not_reach_the_terminal(text, shown, capsys):
    assert printable(text) == shown
    reporter = Reporter(verbose=True)
    for say in (reporter.line, reporter.detail, reporter.note, reporter.problem):
        say(text)
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [shown, f"  {shown}"]
    assert captured.err.splitlines() == [f"fkp: {shown}"] * 2


def test_a_name_that_a_bar_could_take_for_its_markup(tmp_path):
    video = write_avi(tmp_path / "a[red]b.avi", [np.full((48, 64, 3), 90, np.uint8)] * 5)
    seen = on_a_terminal("detect", video)
    assert re.search(r"(?<!/)a\[red\]b\.avi ", seen)  # in the bar, which shows the name without its folder
    assert f"{video}: faces in 0 of 5 frames" in seen
