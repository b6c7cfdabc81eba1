"""`fkp data`: show, verify and download, and their errors."""

import hashlib
import http.server
import threading
import zipfile

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from fkp_app.cli import main
from fkp_app.commands.data import data_app
from fkp_app.data import archive
from fkp_app.data.dataset import load_split
from fkp_app.data.pictures import LINES, mean_shape, statistics
from fkp_app.errors import FkpError, UsageError
from fkp_app.geometry.keypoint_layout import RANGES
from tests.drawn import VALIDATION_PEOPLE, face_shape, write_dataset


def data(*arguments):
    return CliRunner().invoke(data_app, [str(argument) for argument in arguments])


def refused(result, kind, *words):
    """The command ended with this error: one line that contains these words."""
    assert isinstance(result.exception, kind), result.exception
    assert type(result.exception) is not FkpError or kind is FkpError
    message = str(result.exception)
    assert "\n" not in message
    for word in words:
        assert str(word) in message
    return message


def test_show_writes_the_picture_and_prints_statistics(drawn_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = data("show", drawn_data)
    assert result.exit_code == 0, result.output
    rows = {line.split()[0]: line.split()[1:3] for line in result.output.splitlines()}
    assert rows["training"] == ["18", "3"]
    assert rows["validation"] == ["10", "1"]
    assert rows["report"] == ["10", "1"]
    assert rows["test"] == ["20", "5"]
    with Image.open(tmp_path / "data.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 1000
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    colours = {tuple(int(v) for v in colour) for colour in np.unique(pixels, axis=0)}
    assert {(0x25, 0x63, 0xEB), (0xDC, 0x26, 0x26), (0x22, 0xFF, 0x66)} <= colours  # jaw, mouth, points on frames
    assert [path.name for path in tmp_path.iterdir()] == ["data.png"]


def test_show_takes_its_frames_by_count_and_seed(drawn_data, tmp_path):
    for name, options in {"a": [], "b": ["--seed", 1], "c": ["--count", 1], "d": ["--count", 9], "e": []}.items():
        result = data("show", drawn_data, "--out", tmp_path / f"{name}.png", "--count", 3, *options)
        assert result.exit_code == 0, result.output
    pictures = {path.stem: path.read_bytes() for path in tmp_path.iterdir()}
    assert pictures["a"] == pictures["e"]
    assert len(set(pictures.values())) == 4
    sizes = {name: Image.open(tmp_path / f"{name}.png").size for name in pictures}
    assert sizes["c"][0] < sizes["a"][0]
    assert sizes["d"][1] > sizes["a"][1]


def test_show_of_validation_people_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.drawn.TRAINING_PEOPLE", VALIDATION_PEOPLE)
    monkeypatch.setattr("tests.drawn.VALIDATION_PEOPLE", VALIDATION_PEOPLE[1:])
    write_dataset(tmp_path / "data", people=2, videos=1, frames=1, test_frames=1)
    result = data("show", tmp_path / "data", "--out", tmp_path / "a.png")
    assert result.exit_code == 0, result.output
    assert "training          0" in result.output


def test_statistics_of_known_faces(drawn_data):
    dataset = load_split(drawn_data, "training").subset([0, 1, 2])
    upright = face_shape()
    turn = np.deg2rad(20)
    turned = upright @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    dataset.keypoints = np.stack([100 * upright, 100 * turned, 200 * upright]).astype(np.float32)
    line = statistics({"three": dataset}).splitlines()[1].split()
    assert line[:3] == ["three", "3", "1"]
    assert line[4] == "64.0"  # median of 64, 64 and 128: the eyes of the drawn shape are 0.64 apart
    assert line[-1] == "1"


def test_the_diagram_joins_points_of_one_range_and_misses_none():
    assert {number for line in LINES for number in line} == set(range(68))
    for line in LINES:
        assert sum(set(line) <= set(numbers) for numbers in RANGES.values()) == 1
    shapes = np.stack([50 * face_shape() + 90, 20 * face_shape() - 3]).astype(np.float32)
    mean = mean_shape(shapes)
    assert np.ptp(mean, axis=0).max() == pytest.approx(1)
    expected = (face_shape() - face_shape()[8]) / np.ptp(face_shape(), axis=0).max()
    np.testing.assert_allclose(mean - mean[8], expected, atol=1e-5)


def test_show_refuses_numbers_out_of_range(drawn_data, tmp_path, monkeypatch, fkp):
    monkeypatch.chdir(tmp_path)
    count = "between 1 and 100"
    for option, value, allowed in (("--count", 0, count), ("--count", 101, count), ("--seed", -1, "at least 0")):
        ended = fkp("data", "show", drawn_data, option, value)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert ended.err.startswith(f"fkp: Invalid value for '{option}': must be {allowed}, got {value} (see ")
    assert list(tmp_path.iterdir()) == []


def test_show_refuses(drawn_data, tmp_path):
    refused(data("show", tmp_path / "none"), FkpError, tmp_path / "none", "no such directory", "fkp data download")
    refused(data("show", tmp_path), FkpError, "test_frames_keypoints.csv: no such file")
    out = tmp_path / "a.unknown"
    refused(data("show", drawn_data, "--out", out, "--count", 1), UsageError, f"--out {out}: cannot be written")
    out = tmp_path / "none" / "a.png"
    refused(data("show", drawn_data, "--out", out), UsageError, f"--out {out}: there is no folder {out.parent}")
    refused(data("show", drawn_data, "--out", tmp_path), UsageError, f"--out {tmp_path}: is a folder; name a file")
    assert list(tmp_path.iterdir()) == []


def test_show_names_a_broken_frame(tmp_path):
    write_dataset(tmp_path / "data", people=2, videos=1, frames=1)
    for path in (tmp_path / "data" / "training").iterdir():
        path.write_bytes(path.read_bytes()[:500])
    refused(data("show", tmp_path / "data", "--out", tmp_path / "a.png"), FkpError, ".jpg: is truncated or damaged")
    assert not (tmp_path / "a.png").exists()


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Replaces the published data set by a small one, tmp_path / "data"; returns its archive's address on loopback."""
    root = write_dataset(tmp_path / "data", people=2, videos=1, frames=1, test_frames=1)
    names = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
    contents = {name: (root / name).read_bytes() for name in names}
    manifest = {name: (len(data), hashlib.sha256(data).hexdigest()[:16]) for name, data in contents.items()}
    with zipfile.ZipFile(tmp_path / "served.zip", "w") as pack:
        for name, content in contents.items():
            pack.writestr(f"data/{name}", content)
    handler = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *args: None})
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0),
        lambda *args: handler(*args, directory=str(tmp_path)),
    )
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/served.zip"
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(archive, "load_manifest", lambda: manifest)
    monkeypatch.setattr(archive, "BYTES", (tmp_path / "served.zip").stat().st_size)
    monkeypatch.setattr(archive, "URL", url)
    yield url
    server.shutdown()
    server.server_close()


def test_verify_an_intact_directory(published, tmp_path):
    result = data("verify", tmp_path / "data")
    assert result.exit_code == 0
    # In each folder two people's frames and an unlabelled one; two CSV files.
    assert result.stdout == f"{tmp_path / 'data'}: 8 as published, 0 missing, 0 changed, 0 others (no fault)\n"


def test_verify_names_what_is_missing_and_what_was_changed(published, tmp_path):
    (tmp_path / "data" / "test" / "Gus_Cube_00.jpg").unlink()
    with (tmp_path / "data" / "training_frames_keypoints.csv").open("a") as file:
        file.write("x")
    result = data("verify", tmp_path / "data")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "missing  test/Gus_Cube_00.jpg",
        "changed  training_frames_keypoints.csv",
        f"{tmp_path / 'data'}: 6 as published, 1 missing, 1 changed, 0 others (no fault)",
    ]
    refused(result, FkpError, tmp_path / "data", "is not the published data set", "fkp data download")


def test_verify_of_no_directory(tmp_path):
    refused(data("verify", tmp_path / "none"), FkpError, tmp_path / "none", "no such directory")


def test_download_fetches_once_and_verifies(published, tmp_path):
    result = data("download", tmp_path / "new")
    assert result.exit_code == 0, result.exception
    assert "new: 8 files, all as published" in result.stdout
    assert data("verify", tmp_path / "new").exit_code == 0
    (tmp_path / "served.zip").unlink()
    result = data("download", tmp_path / "new")
    assert result.exit_code == 0
    assert "holds all 8 published files already" in result.stdout
    again = data("download", tmp_path / "another", "--url", published)
    refused(again, FkpError, published, "HTTP status 404", "try again")


def test_errors_end_in_one_line_and_an_exit_code(drawn_data, tmp_path, capfd):
    """Through `fkp` itself: standard error has nothing else and no traceback."""
    for code, arguments in {
        1: ["verify", tmp_path / "none"],
        2: ["show", drawn_data, "--count", "0"],
    }.items():
        assert main(["data", *map(str, arguments)]) == code
        err = capfd.readouterr().err
        assert err.startswith("fkp: ")
        assert err.count("\n") == 1
    for arguments in (["show"], ["show", str(drawn_data), "--count", "many"], ["forget", "x"]):
        assert main(["data", *arguments]) == 2
        assert capfd.readouterr().err.count("\n") == 1


def test_help_says_what_each_does():
    text = data("--help").output
    for command in ("show", "verify", "download"):
        assert command in text
        assert data(command, "--help").exit_code == 0


def test_show_of_real_frames(real_data, tmp_path):
    result = data("show", real_data, "--out", tmp_path / "a.png", "--count", 2)
    assert result.exit_code == 0, result.output
    rows = {line.split()[0]: [int(v) for v in line.split()[1:3]] for line in result.output.splitlines()[1:5]}
    assert rows["test"] == [693, 312]
    assert rows["training"][1] + rows["validation"][1] + rows["report"][1] == 312
    assert (tmp_path / "a.png").stat().st_size > 10_000
