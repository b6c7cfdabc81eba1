"""Points settle on the face."""

import base64
import re
import struct
import xml.etree.ElementTree as ET
import zlib

import numpy as np
import pytest

from numpynet.learn import faces
from numpynet.learn.__main__ import main
from numpynet.learn.errors import LearnError
from numpynet.learn.showing.face_picture import COLUMNS, POINT, as_svg, as_text
from numpynet.learn.showing.png import gray_uri
from numpynet.learn.showing.settle import _write, small_net, train


@pytest.mark.parametrize("seed", [0, 1])
def test_the_points_settle_within_a_pixel(seed):
    errors = [moment.error for moment in train(small_net(seed))]
    assert errors[0] > 20
    assert errors[-1] < 0.5


def test_it_prints_the_loss_and_the_error_and_draws_the_face(capsys):
    assert main(["settle", "--steps", "5", "--every", "2"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 100
    assert [int(step) for step in re.findall(r"^ +(\d+)  \d\.\d{6} +[\d.]+ pixels$", out, re.MULTILINE)] == [
        0,
        1,
        2,
        4,
        5,
    ]
    assert len(re.findall(POINT, out)) > 3 * 30  # three faces; some of the 68 points share a character


def test_the_picture_in_text_has_a_mark_where_a_point_is():
    image = np.zeros((96, 96), np.float32)
    text = as_text(image, np.array([[-0.5, -0.5], [95.4, 95.4], [47.6, 23.6], [-3, 5], [200, 2]], np.float32))
    lines = text.split("\n")
    assert len(lines) == COLUMNS // 2
    marks = [(row, column - 2) for row, line in enumerate(lines) for column, sign in enumerate(line) if sign == POINT]
    assert marks == [(0, 0), (8, 32), (31, 63)]


def test_bright_is_shown_by_fuller_signs():
    image = np.tile(np.linspace(0, 1, 96, dtype=np.float32), (96, 1))
    line = as_text(image, np.empty((0, 2), np.float32)).split("\n")[0]
    assert re.fullmatch(r"  + \.+:+-+=+\++", line)


def test_a_png_holds_the_image():
    image = np.random.default_rng(0).random((5, 7)).astype(np.float32)
    data = base64.b64decode(gray_uri(image).removeprefix("data:image/png;base64,"))
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    parts, at = {}, 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length]) == (zlib.crc32(kind + content),)
        parts[kind], at = content, at + 12 + length
    assert struct.unpack(">IIBBBBB", parts[b"IHDR"]) == (7, 5, 8, 0, 0, 0, 0)
    rows = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(5, 8)
    assert rows[:, 0].tolist() == [0] * 5
    np.testing.assert_array_equal(rows[:, 1:], np.rint(image * 255))


def test_the_svg_ends_at_the_last_points_and_stops_for_reduced_motion(tmp_path):
    images, points = faces.crops()
    text = as_svg(images[0, 0], [(0, points[1]), (10, points[2]), (20, points[0])])
    root = ET.fromstring(text)
    circles = root.findall("{http://www.w3.org/2000/svg}circle")
    ends = np.array([[float(c.get("cx")), float(c.get("cy"))] for c in circles])
    np.testing.assert_allclose(ends, points[0] + 0.5, atol=0.01)
    assert "@media (prefers-reduced-motion:reduce){circle,text{animation:none}}" in text
    x, y = points[1, 0] - points[0, 0]
    assert f"@keyframes p0{{0.0%{{transform:translate({x:.1f}px,{y:.1f}px)}}" in text
    shown = [t.text for t in root.findall("{http://www.w3.org/2000/svg}text") if t.get("opacity") == "1"]
    assert shown == ["step 20"]


def test_the_svg_is_written_once_and_never_over_another_file(tmp_path, capsys):
    file = tmp_path / "settle.svg"
    assert main(["settle", "--steps", "1", "--svg", str(file)]) == 0
    text = file.read_text()
    assert ET.fromstring(text).tag.endswith("svg")
    capsys.readouterr()
    assert main(["settle", "--steps", "1", "--svg", str(file)]) == 2
    assert capsys.readouterr().err == f"python -m numpynet.learn settle: --svg {file}: exists; name a new file\n"
    assert file.read_text() == text


def test_a_file_that_appears_during_the_training_is_not_overwritten(tmp_path):
    file = tmp_path / "settle.svg"
    file.write_text("mine")
    with pytest.raises(LearnError, match="exists; name a new file"):
        _write(file, "<svg/>")
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "0"], "--steps must be from 1 to 10000, got 0"),
        (["--steps", "10001"], "--steps must be from 1 to 10000, got 10001"),
        (["--every", "0"], "--every must be at least 1, got 0"),
        (["--seed", "-1"], "--seed must be at least 0, got -1"),
        (["--lr", "nan"], "--lr must be above 0 and at most 10, got nan"),
        (["--svg", "no/such/folder.svg"], "--svg no/such/folder.svg: there is no folder no/such; make it first"),
    ],
)
def test_bad_options_are_refused_in_one_line(arguments, message, capsys):
    assert main(["settle", *arguments]) == 2
    assert capsys.readouterr().err == f"python -m numpynet.learn settle: {message}\n"
