"""Many visitors at once, well behaved or not: each gets the right answer, and nothing is left behind."""

import json
import sys

import pytest

from benchmarks.__main__ import main
from benchmarks.page.load import STOPPED, Report
from benchmarks.page.photos import Photo
from benchmarks.page.visitor import Answer, LimitedError, UnansweredError

pytest.importorskip("gradio", reason="Gradio is not installed (the extra `web`)")


@pytest.mark.skipif(sys.platform != "linux", reason="the server is watched through /proc")
def test_three_clients_one_in_a_hurry_slow_uploads_and_those_who_break_off(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    figures = tmp_path / "figures.json"
    options = ["--clients", "3", "--minutes", "0.05", "--requests", "90", "--small", "--json", str(figures)]
    code = main(["page", *options])
    printed, complaints = capfd.readouterr()
    assert (code, complaints) == (0, ""), printed
    assert " 0 wrong, 0 lost; 0 refused by the limit" in printed
    assert "5 still sending" in printed
    assert "refused by the limit" in printed.partition("quick requests")[2]
    assert "files left behind: 0" in printed
    assert "problems: none" in printed
    assert json.loads(figures.read_text("utf-8"))["slow"] == {"still sending": 5}
    assert list(tmp_path.iterdir()) == [figures]


def test_a_wrong_or_lost_answer_a_file_left_behind_and_words_on_the_console_are_problems():
    assert Report(3, 1.0, console=STOPPED).problems() == []
    photo = Photo("a.png", b"", {"image": "a.png", "faces": [1]})
    found = Report(3, 1.0, left=["b.png"], console="Traceback", hasty={"failed: 500": 1, "let through": 2})
    found.tally.note(photo, Answer("", [{"image": "other.png", "faces": [1]}], 0.1))
    found.tally.note(photo, Answer("", [{"image": "a.png", "faces": [2]}], 0.1))
    found.tally.note(photo, UnansweredError("no"))
    found.tally.note(photo, LimitedError(3))
    assert (found.tally.right, found.tally.limited) == (1, 1)
    assert len(found.problems()) == 5
