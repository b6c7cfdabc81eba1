"""JSON and CSV, compared character by character."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fkp_app.errors import FkpError
from fkp_app.faces.keypoints import Face
from fkp_app.pipeline.results import ImageResult, to_csv, to_json, write_result
from numpynet.files import atomic


def face(box=(3, 4, 50, 60), confidence=None):
    points = np.stack([np.arange(68) + 0.25, 100 - np.arange(68) / 2], axis=1).astype(np.float32)
    return Face(box, confidence, points)


RESULTS = [
    ImageResult("a, b.jpg", 640, 480, [face(), face((1, 2, 30, 30), 0.75)]),
    ImageResult("köpfe/Ω.png", 1, 1, []),
]


def test_json_is_a_list_with_one_object_per_image():
    first, second = json.loads(to_json(RESULTS))
    assert list(first) == ["image", "width", "height", "faces"]
    assert (first["image"], first["width"], first["height"]) == ("a, b.jpg", 640, 480)
    assert list(first["faces"][0]) == ["box", "confidence", "keypoints"]
    assert first["faces"][0]["box"] == [3, 4, 50, 60]
    assert first["faces"][0]["confidence"] is None
    assert first["faces"][1]["confidence"] == 0.75
    keypoints = first["faces"][0]["keypoints"]
    assert len(keypoints) == 68
    assert keypoints[0] == [0.25, 100.0]
    assert keypoints[67] == [67.25, 66.5]
    assert second == {"image": "köpfe/Ω.png", "width": 1, "height": 1, "faces": []}
    assert json.loads(to_json([])) == []


def test_csv_has_a_header_and_one_row_per_face():
    header, *rows = csv.reader(to_csv(RESULTS).splitlines())
    assert header[:9] == ["image", "face", "x", "y", "w", "h", "confidence", "x0", "y0"]
    assert header[-5:] == ["x67", "y67", "frame", "time", "track"]
    assert len(header) == 7 + 136 + 3
    assert [row[:7] for row in rows] == [
        ["a, b.jpg", "0", "3", "4", "50", "60", ""],
        ["a, b.jpg", "1", "1", "2", "30", "30", "0.75"],
    ]
    assert rows[0][-3:] == ["", "", ""]
    numbers = dict(zip(header[7:-3], map(float, rows[0][7:-3]), strict=True))
    assert numbers["x0"] == 0.25
    assert numbers["y0"] == 100.0
    assert numbers["x67"] == 67.25
    assert numbers["y67"] == 66.5


def test_numbers_keep_a_thousandth_of_a_pixel():
    points = np.full((68, 2), 1234.5678, np.float32)
    (result,) = json.loads(to_json([ImageResult("x", 1, 1, [Face((0, 0, 1, 1), None, points)])]))
    assert result["faces"][0]["keypoints"][0] == [1234.568, 1234.568]


def test_confidence_is_written_to_a_thousandth():
    results = [ImageResult("x", 1, 1, [face(confidence=0.98765)])]
    (result,) = json.loads(to_json(results))
    assert result["faces"][0]["confidence"] == 0.988
    assert to_csv(results).splitlines()[1].split(",")[6] == "0.988"


def test_a_file_is_written_in_utf_8(tmp_path):
    write_result(tmp_path / "größe.json", "é\n")
    assert (tmp_path / "größe.json").read_bytes() == b"\xc3\xa9\n"
    assert [path.name for path in tmp_path.iterdir()] == ["größe.json"]


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "out.json"
    target.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(FkpError, match=r"out\.json: cannot be written \(No space left on device\)"):
        write_result(target, "new")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


@pytest.mark.parametrize("name", ["nowhere/out.json", "folder"])
def test_an_impossible_place_is_named(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(FkpError, match=rf"{name}: cannot be written \([^\n]+\); choose another place$"):
        write_result(tmp_path / name, "x")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-16", "utf-8"])
@pytest.mark.parametrize("render", [to_json, to_csv])
def test_standard_output_is_utf_8_whatever_its_encoding(render, encoding, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding, errors="backslashreplace", newline="\r\n"))
    results = [ImageResult("köpfe/海.png", 1, 1, [face()])]
    write_result(Path("-"), render(results))
    assert raw.getvalue() == render(results).encode("utf-8")
    assert "köpfe/海.png".encode() in raw.getvalue()
    assert b"\r" not in raw.getvalue()


def test_lines_that_were_printed_before_come_before(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, "ascii"))
    print("line")
    write_result(Path("-"), "text\n")
    assert raw.getvalue() == b"line\ntext\n"


def test_a_standard_output_without_bytes(monkeypatch):
    monkeypatch.setattr("sys.stdout", io.StringIO())
    write_result(Path("-"), "köpfe\n")
    import sys

    assert sys.stdout.getvalue() == "köpfe\n"


@pytest.mark.parametrize("name", ["a\ud800.png", "a\n\t\x1b.png", 'a"\\,;.png', "\U0001f642.png"])
def test_names_of_any_characters_come_back(name, tmp_path):
    results = [ImageResult(name, 1, 1, [face()])]
    write_result(tmp_path / "a.json", to_json(results))
    assert json.loads((tmp_path / "a.json").read_bytes().decode("utf-8"))[0]["image"] == name
    write_result(tmp_path / "a.csv", to_csv(results))
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["image"] == name.encode("utf-8", "backslashreplace").decode()


def test_a_file_has_no_newlines_of_windows(tmp_path, monkeypatch):
    monkeypatch.setattr("os.linesep", "\r\n")
    write_result(tmp_path / "a.csv", to_csv(RESULTS))
    assert b"\r" not in (tmp_path / "a.csv").read_bytes()


def test_a_pipe_or_device_is_written_to_and_not_replaced(tmp_path):
    import os
    import threading

    os.mkfifo(tmp_path / "pipe")
    heard = []
    reader = threading.Thread(target=lambda: heard.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write_result(tmp_path / "pipe", "text\n")
    reader.join(10)
    assert heard == [b"text\n"]
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
    write_result(Path("/dev/null"), "text\n")
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("name", ["/dev/stderr", "/dev/fd/2", "/proc/self/fd/2"])
def test_open_files_are_written_to_and_not_replaced(name, tmp_path):
    code = (
        "from fkp_app.pipeline.results import write_result; from pathlib import Path; write_result(Path('{}'), 'text')"
    )
    with (tmp_path / "errors").open("wb") as file:
        file.write(b"before ")
        file.flush()
        subprocess.run([sys.executable, "-c", code.format(name)], stderr=file, check=True)
        file.write(b" after")
    assert (tmp_path / "errors").read_bytes() == b"before text after"


def test_a_link_below_dev_stays(tmp_path):
    """/dev/stdout and /dev/stderr are links that every program of the system uses."""
    link = Path("/dev/shm") / f"link-{tmp_path.name}-{os.getpid()}"
    if not link.parent.is_dir():
        pytest.skip("there is no /dev/shm here")
    link.symlink_to(tmp_path / "file")
    try:
        with atomic(link) as temporary:
            temporary.write_text("text")
        assert link.is_symlink()
    finally:
        link.unlink()
    assert (tmp_path / "file").read_text() == "text"


def test_a_dash_is_standard_output(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_result(Path("-"), "text\n")
    assert capsys.readouterr().out == "text\n"
    assert not list(tmp_path.iterdir())
