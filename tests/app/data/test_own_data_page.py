"""docs/own-data.md: each command on the page does what the page says, on drawn photos."""

import re
import subprocess
from pathlib import Path

import numpy as np

from fkp_app.data.dataset import load_data
from fkp_app.data.people import has_course_form
from fkp_app.media.images import write_image
from tests.drawn import write_own_photos
from tests.free_pictures import hopper

PAGE = Path(__file__).parents[3] / "docs" / "own-data.md"
QUICKER = {
    "detect photos --csv": "detect photos/IMG_0003.JPG --csv",
    "--start shipped": "--start shipped --epochs 1",
    "evaluate": "evaluate --threads 1",
}
"""The text that replaces each placeholder of the page's commands."""


def steps():
    """The page's commands in order, each with its printed lines."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line.removeprefix("$ "), []))
            elif line != "...":
                found[-1][1].append(line)
    return found


def masked(line):
    """A line without its numbers, which differ from run to run."""
    varies = line.startswith(("epoch", "weights of epoch", "|"))
    return re.sub(r"\s+", " ", re.sub(r"\d+(\.\d+)?", "#", line)) if varies else line


def test_every_command_of_the_page_prints_what_the_page_says(tmp_path, monkeypatch, fkp):
    write_own_photos(tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    commands = [command for command, _ in steps()]
    for name in ("data check", "data show", "train", "evaluate", "detect photos/"):
        assert any(command.startswith(f"fkp {name}") for command in commands)
    for command, expected in steps():
        if command.startswith("fkp "):
            for page, here in QUICKER.items():
                command = command.replace(page, here)
            ended = fkp(*command.split()[1:])
            assert ended.code == 0, (command, ended)
            printed = (ended.err + ended.out).splitlines()
        else:
            ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
            printed = ran.stdout.splitlines()
        rest = iter([masked(line) for line in printed])
        for line in expected:
            assert masked(line) in rest, (command, line, printed)  # `rest` continues after this line
    for name in ("found.csv", "labels.png", "run/weights.safetensors", "marked/IMG_0003.JPG.png"):
        assert (tmp_path / name).stat().st_size > 0


def test_the_csv_of_found_faces_is_one_of_labels(tmp_path, fkp):
    (tmp_path / "photos").mkdir()
    for i in range(3):
        write_image(tmp_path / "photos" / f"IMG_{i}.png", hopper()[i:, i:])
    assert fkp("detect", tmp_path / "photos", "--csv", tmp_path / "photos" / "keypoints.csv").code == 0
    data = load_data(tmp_path / "photos")
    assert sorted(name for part in data.splits.values() for name in part.names) == [
        str(tmp_path / "photos" / f"IMG_{i}.png") for i in range(3)
    ]
    eyes = [part.keypoints[0, 45] - part.keypoints[0, 36] for part in data.splits.values()]
    np.testing.assert_allclose(eyes, [eyes[0]] * 3, atol=3)
    assert 100 < eyes[0][0] < 125
    assert [note.partition(": ")[2] for note in data.notes] == ["left out 9 other columns: face, x, y, w ..."]


def test_the_page_names_the_columns_that_are_read():
    text = PAGE.read_text("utf-8")
    for words in ("`file`", "`person`", "`x0`, `y0`, ... `x67`, `y67`", "`keypoints.csv`", "Ada_Lovelace_01.jpg"):
        assert words in text
    assert has_course_form("Ada_Lovelace_01.jpg")
