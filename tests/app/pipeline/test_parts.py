"""`--parts`: results as JSON Lines that are written during a run, and from which the same command goes on."""

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from fkp_app.media.images import write_image
from fkp_app.pipeline import parts as parts_module
from tests.app.test_ended import begin, wait_for
from tests.videos import write_avi


@pytest.fixture
def album(tmp_path):
    """Four pictures without a face, and a bad file."""
    folder = tmp_path / "album"
    folder.mkdir()
    for name in "abcd":
        write_image(folder / f"{name}.png", np.full((50, 40, 3), 90, np.uint8))
    (folder / "bad.jpg").write_bytes(b"")
    return folder


def lines_of(folder, kind="part"):
    return [
        json.loads(line)
        for path in sorted(folder.glob(f"{kind}-*.jsonl"))
        for line in path.read_text().split("\n")[:-1]
    ]


def names_of(folder):
    return sorted(Path(line["image"]).name for line in lines_of(folder))


@pytest.mark.parametrize("workers", [1, 2])
def test_each_file_has_one_line_and_bad_files_are_listed(workers, album, tmp_path, fkp):
    folder = tmp_path / "parts"
    ended = fkp("detect", album, tmp_path / "gone.jpg", "--parts", folder, "--workers", workers)
    assert ended.code == 1
    assert ended.out.splitlines()[-1].startswith("4 images, no faces (4 images without any); 2 sources failed; ")
    assert names_of(folder) == ["a.png", "b.png", "c.png", "d.png"]
    assert lines_of(folder)[0] == {"image": f"{album}/a.png", "width": 40, "height": 50, "faces": []}
    problems = {line["image"]: line["problem"] for line in lines_of(folder, "failed")}
    assert problems == {
        f"{album}/bad.jpg": f"{album}/bad.jpg: is empty",
        f"{tmp_path}/gone.jpg": f"{tmp_path}/gone.jpg: no such file",
    }
    assert sorted(path.name for path in folder.iterdir()) == [
        "failed-000000.jsonl",
        "part-000000.jsonl",
        "settings.json",
    ]


def test_lines_are_what_json_holds(album, tmp_path, fkp):
    fkp("detect", album, "--parts", tmp_path / "parts")
    fkp("detect", album, "--json", tmp_path / "a.json")
    assert lines_of(tmp_path / "parts") == json.loads((tmp_path / "a.json").read_text())


def test_a_second_call_does_what_is_missing_and_what_failed(album, tmp_path, fkp):
    folder = tmp_path / "parts"
    assert fkp("detect", album / "a.png", album / "b.png", album / "bad.jpg", "--parts", folder).code == 1
    first = (folder / "part-000000.jsonl").read_bytes()
    write_image(album / "bad.jpg", np.full((50, 40, 3), 90, np.uint8))
    ended = fkp("detect", album, "--parts", folder)
    assert (ended.code, ended.err) == (0, "fkp: 2 of 5 sources were done before\n")
    assert (folder / "part-000000.jsonl").read_bytes() == first
    assert names_of(folder) == ["a.png", "b.png", "bad.jpg", "c.png", "d.png"]
    assert lines_of(folder, "failed") == []
    ended = fkp("detect", album, "--parts", folder)
    assert (ended.code, ended.err) == (0, "fkp: 5 of 5 sources were done before\n")
    assert len(lines_of(folder)) == 5


def test_videos_are_lines_too(tmp_path, fkp):
    video = write_avi(tmp_path / "a.avi", [np.full((48, 64, 3), 90, np.uint8)] * 3)
    for _ in range(2):
        assert fkp("detect", video, "--parts", tmp_path / "parts").code == 0
        (line,) = lines_of(tmp_path / "parts")
        assert (line["video"], len(line["frames"])) == (str(video), 3)


def test_a_part_has_a_limited_number_of_lines(album, tmp_path, monkeypatch, fkp):
    monkeypatch.setattr(parts_module, "LINES", 2)
    fkp("detect", album, "--parts", tmp_path / "parts")
    written = {path.name: path.read_text().count("\n") for path in (tmp_path / "parts").glob("*.jsonl")}
    assert sorted(written.items()) == [
        ("failed-000000.jsonl", 1),  # the third of the files, as they are sorted
        ("part-000000.jsonl", 2),
        ("part-000001.jsonl", 1),
        ("part-000002.jsonl", 1),
    ]


def test_names_of_all_kinds_are_found_again(tmp_path, fkp):
    names = ['a"b\\.png', "ü\u2028.png", os.fsdecode(b"\xff.png"), "x}\n.png"]
    for name in names:
        write_image(tmp_path / name, np.full((50, 40, 3), 90, np.uint8))
    fkp("detect", tmp_path, "--parts", tmp_path / "parts")
    assert len(lines_of(tmp_path / "parts")) == len(names)
    assert "4 of 4 sources were done before" in fkp("detect", tmp_path, "--parts", tmp_path / "parts").err


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--quality", "best"), 'was begun with quality "fast", now it is "best"; name a new folder'),
        (("--min-confidence", "0.5"), "was begun with min_confidence null, now it is 0.5; name a new folder"),
        (("--out", "out"), "was begun with out null, now it is "),
    ],
)
def test_results_that_depend_on_other_settings_are_not_mixed(options, line, album, tmp_path, monkeypatch, fkp):
    monkeypatch.chdir(tmp_path)
    fkp("detect", album, "--parts", "parts")
    ended = fkp("detect", album, "--parts", "parts", *options)
    assert ended.code == 2
    assert ended.err.startswith(f"fkp: --parts parts: {line}")
    assert ended.err.count("\n") == 1


def test_other_weights_under_the_same_name_are_noticed(album, tmp_path, fkp):
    from fkp_app.pipeline.run_options import RunOptions

    options = RunOptions(lambda image, faces: image, [], weights=tmp_path / "w.safetensors")
    (tmp_path / "w.safetensors").write_bytes(b"one")
    before = options.settings()
    (tmp_path / "w.safetensors").write_bytes(b"two")
    assert [name for name, value in options.settings().items() if value != before[name]] == ["weights"]


@pytest.mark.parametrize(
    "line",
    [
        *(b"{}\n", b"nonsense", b'{"image": "a', b'{"image": 7}\n', b"\n", b'{"image": "a"}'),
        *(b'{"image": "\\q"}\n', b'{"image": "\x01"}\n', b'{"image": "\xff"}\n'),
    ],
)
def test_a_damaged_part_is_named(line, album, tmp_path, fkp):
    fkp("detect", album, "--parts", tmp_path / "parts")
    path = tmp_path / "parts" / "part-000000.jsonl"
    path.write_bytes(path.read_bytes() + line)
    ended = fkp("detect", album, "--parts", tmp_path / "parts")
    why = "line 5 is no result; delete this file, and its sources are done again"
    assert (ended.code, ended.out, ended.err) == (1, "", f"fkp: {path}: {why}\n")
    path.unlink()
    fkp("detect", album, "--parts", tmp_path / "parts")
    assert len(lines_of(tmp_path / "parts")) == 4


@pytest.mark.parametrize("text", ["[]", "{", '{"a": 1, "a": 2}', "[" * 9999, '{"a": "' + "x" * 70000 + '"}'])
def test_damaged_settings_are_named(text, album, tmp_path, fkp):
    fkp("detect", album, "--parts", tmp_path / "parts")
    (tmp_path / "parts" / "settings.json").write_text(text)
    ended = fkp("detect", album, "--parts", tmp_path / "parts")
    assert ended.code == 1
    assert ended.err.startswith(f"fkp: {tmp_path}/parts/settings.json: cannot be read (")
    assert ended.err.count("\n") == 1


def test_what_does_not_go_together(album, tmp_path, fkp):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").touch()
    for arguments, line in (
        (
            ("--parts", "p", "--json", "a.json"),
            "--parts keeps no results in memory for --json or --csv; give one or the ",
        ),
        (("--parts", tmp_path / "other"), f"--parts {tmp_path}/other: holds other files (mine.txt); name a new folder"),
        (("--parts", album / "a.png"), f"--parts {album}/a.png: is a file or lies in one; name a folder"),
    ):
        ended = fkp("detect", album, *arguments)
        assert (ended.code, ended.err.count("\n")) == (2, 1)
        assert ended.err.startswith(f"fkp: {line}")
    assert fkp("detect", "camera:0", "--parts", tmp_path / "p").code == 2


def test_a_full_disk_ends_the_run_and_what_is_written_stays(album, tmp_path, monkeypatch, fkp):
    monkeypatch.setattr(parts_module, "LINES", 2)
    write = parts_module.write_result

    def full(path, text):
        if path.name == "part-000001.jsonl":
            from fkp_app.errors import FkpError

            raise FkpError(f"{path}: cannot be written (No space left on device); choose another place")
        write(path, text)

    monkeypatch.setattr(parts_module, "write_result", full)
    ended = fkp("detect", album, "--parts", tmp_path / "parts")
    assert ended.code == 1
    assert ended.err.splitlines()[-1].startswith(
        f"fkp: {tmp_path}/parts/part-000001.jsonl: cannot be written (No space"
    )
    monkeypatch.setattr(parts_module, "write_result", write)
    assert names_of(tmp_path / "parts") == ["a.png", "b.png"]
    assert "fkp: 2 of 5 sources were done before" in fkp("detect", album, "--parts", tmp_path / "parts").err
    assert names_of(tmp_path / "parts") == ["a.png", "b.png", "c.png", "d.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_ended_goes_on(number, album, tmp_path, fkp):
    count = 400
    for i in range(count):
        os.link(album / "a.png", album / f"{i}.png")
    (album / "bad.jpg").unlink()
    folder = tmp_path / "parts"
    process = begin("detect", album, "--parts", folder, before=(sys.executable, "-c", SMALL_PARTS))
    wait_for(lambda: len(list(folder.glob("part-*"))) >= 3)
    os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=60)
    done = len(lines_of(folder))
    assert 30 <= done < count
    if number != signal.SIGKILL:
        kept = "and what was found in them is written; the same command goes on from there"
        assert errors.decode().splitlines()[0] == f"fkp: {done} of {count + 4} sources were done, {kept}"
    before = {path.name: path.read_bytes() for path in folder.glob("part-*")}
    ended = fkp("detect", album, "--parts", folder)
    assert (ended.code, ended.err.splitlines()[-1]) == (0, f"fkp: {done} of {count + 4} sources were done before")
    assert all((folder / name).read_bytes() == content for name, content in before.items())
    names = names_of(folder)
    assert len(names) == len(set(names)) == count + 4


SMALL_PARTS = """
import runpy, sys
from fkp_app.pipeline import parts
parts.LINES = 10
sys.argv = sys.argv[3:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
"""Runs `python -m MODULE ...` with parts of 10 lines; sys.argv[1:3] are the interpreter and -m."""


def test_a_second_run_in_the_same_folder_is_refused(album, tmp_path, fkp):
    from fkp_app.locks import locked

    fkp("detect", album, "--parts", tmp_path / "parts")
    with locked(tmp_path / "parts", "fkp detect"):
        ended = fkp("detect", album, "--parts", tmp_path / "parts")
    assert ended.code == 2
    assert ended.err == f"fkp: {tmp_path}/parts: another fkp detect is at work there; wait until it ends\n"
