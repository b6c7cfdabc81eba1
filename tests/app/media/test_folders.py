"""Many sources in one run: folders, patterns, workers, and the lines during the run and at its end."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial

import cv2
import numpy as np
import pytest

from fkp_app.faces.drawing import draw_faces
from fkp_app.media.images import read_image, write_image
from fkp_app.media.sources import expand
from fkp_app.pipeline.image_run import ImageJob, run_image, run_in_workers, threads_each
from fkp_app.pipeline.run_options import RunOptions
from tests.free_pictures import hopper


@pytest.fixture(scope="module")
def portrait():
    """The head of Grace Hopper, RGB (300, 300, 3)."""
    return hopper()[60:360, 115:415].copy()


@pytest.fixture
def album(portrait, tmp_path):
    """Two portraits, one of them in a subfolder, a picture without a face, and a bad file."""
    folder = tmp_path / "album"
    (folder / "below").mkdir(parents=True)
    write_image(folder / "a.png", portrait)
    write_image(folder / "below" / "a.png", portrait[:, ::-1].copy())
    write_image(folder / "flat.png", np.full((80, 90, 3), 128, np.uint8))
    (folder / "bad.jpg").write_bytes(b"")
    return folder


@pytest.mark.parametrize("workers", [1, 2])
def test_a_folder_and_the_folders_in_it(workers, album, tmp_path, fkp):
    report, out, crops = tmp_path / "a.json", tmp_path / "out", tmp_path / "crops"
    options = ("--workers", workers, "--json", report, "--out", out, "--crops", crops)
    ended = fkp("detect", "--recursive", album, *options)
    assert ended.code == 1
    assert ended.err == f"fkp: {album}/bad.jpg: is empty\n"
    *lines, summary = ended.out.splitlines()
    assert lines == [
        f"{album}/a.png: 1 face found -> {out}/a.png.png",
        f"{album}/below/a.png: 1 face found -> {out}/below/a.png.png",
        f"{album}/flat.png: no faces found -> {out}/flat.png.png",
    ]
    assert summary.startswith("3 images, 2 faces (1 image without any); 1 source failed; ")
    assert summary.endswith(" images a second)")
    results = json.loads(report.read_text())
    assert [result["image"] for result in results] == [f"{album}/a.png", f"{album}/below/a.png", f"{album}/flat.png"]
    made = sorted(str(path.relative_to(crops)) for path in crops.rglob("*") if path.is_file())
    assert made == ["a.png.0.png", "below/a.png.0.png"]
    assert read_image(crops / "a.png.0.png").shape == (256, 256, 3)


def test_workers_find_what_one_process_finds(album):
    draw = partial(draw_faces, numbers=False)
    options = RunOptions(draw, [], threads=1)
    jobs = [ImageJob(source) for source in expand([str(album)], recursive=True).sources]
    finder = options.load_finder()
    alone, together = [run_image(job, finder, options) for job in jobs], list(run_in_workers(jobs, 2, options))
    assert [outcome.job for outcome in together] == jobs
    assert [outcome.problem for outcome in together] == [outcome.problem for outcome in alone]
    assert sum(outcome.problem is not None for outcome in alone) == 1
    for one, other in zip(alone, together, strict=True):
        if one.result is None or other.result is None:
            continue
        assert [face.box for face in one.result.faces] == [face.box for face in other.result.faces]
        for face, same in zip(one.result.faces, other.result.faces, strict=True):
            np.testing.assert_array_equal(face.keypoints, same.keypoints)


def test_bad_weights_are_said_once_and_not_by_each_worker(album, tmp_path, fkp):
    (tmp_path / "w.safetensors").write_bytes(b"")
    ended = fkp("detect", album, "--workers", 2, "--weights", tmp_path / "w.safetensors")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == f"fkp: {tmp_path}/w.safetensors: is empty; get the file again\n"


def test_how_cores_are_shared_out(monkeypatch):
    monkeypatch.setattr("fkp_app.pipeline.image_run.physical_cores", lambda: 8)
    assert [threads_each(workers, None) for workers in (2, 3, 16)] == [4, 2, 1]
    assert threads_each(2, 7) == 7


@pytest.mark.parametrize("workers", ["0", "-2", "1000"])
def test_how_many_workers_there_can_be(workers, album, fkp):
    ended = fkp("detect", album, "--workers", workers)
    assert ended.code == 2
    assert ended.err.startswith(f"fkp: Invalid value for '--workers': must be between 1 and 256, got {workers} (see ")
    assert ended.err.count("\n") == 1


def test_quiet_leaves_problems_and_verbose_adds_details(album, fkp):
    assert fkp("detect", album, "--quiet") == (1, "", f"fkp: {album}/bad.jpg: is empty\n")
    lines = fkp("detect", album / "a.png", "--verbose").out.splitlines()
    assert lines[0] == f"{album}/a.png: 1 face found"
    assert lines[1].startswith("  300 x 300 pixels, ")
    assert ", confidence 0." in lines[1] or ", confidence 1.00" in lines[1]
    assert len(lines) == 2


def test_a_pattern_that_the_shell_has_not_expanded(album, monkeypatch, fkp):
    monkeypatch.chdir(album)
    ended = fkp("detect", "**/a.*", "*.bmp")
    assert ended.code == 1
    assert ended.err == "fkp: *.bmp: no image or video matches this pattern\n"
    assert ended.out.splitlines()[:2] == ["a.png: 1 face found", "below/a.png: 1 face found"]


def test_points_with_their_numbers_in_an_enlarged_picture(portrait, tmp_path, fkp):
    write_image(tmp_path / "a.png", portrait)
    fkp("detect", tmp_path / "a.png", "--out", tmp_path / "numbers", "--numbers", "--json", tmp_path / "a.json")
    picture = read_image(tmp_path / "numbers" / "a.png.png").astype(int)
    (result,) = json.loads((tmp_path / "a.json").read_text())
    assert (result["width"], result["height"]) == (300, 300)  # coordinates are those of the photo
    (face,) = result["faces"]
    zoom = -(-600 // face["box"][2])
    assert picture.shape == (300 * zoom, 300 * zoom, 3)
    enlarged = cv2.resize(portrait, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    changed = (np.abs(picture - enlarged) > 40).any(axis=2)
    dots = []
    for x, y in zoom * (np.array(face["keypoints"]) + 0.5) - 0.5:
        dots.append(changed[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3].mean())
        assert changed[round(y) - 14 : round(y) + 4, round(x) - 24 : round(x) + 24].sum() > 60  # the digits beside it
    assert np.mean(dots) > 0.9  # a few are covered by a neighbour's number, which may be as bright as her skin
    assert min(dots) > 0.2


def test_ctrl_c_leaves_neither_workers_nor_half_a_file(portrait, tmp_path):
    album = tmp_path / "album"
    album.mkdir()
    for i in range(300):
        write_image(album / f"{i:03}.png", portrait)
    command = [sys.executable, "-m", "fkp_app", "detect", album, "--workers", "2", "--out", tmp_path / "out"]
    command += ["--json", tmp_path / "a.json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    until = time.monotonic() + 60
    while len(list(tmp_path.glob("out/*.png"))) < 12 and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # to the whole process group, as a terminal does
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    note, stopped = errors.decode().splitlines()
    assert stopped == "fkp: stopped"
    results = json.loads((tmp_path / "a.json").read_text())
    assert len(results) > 2  # no worker gets an image before it has returned the last one
    assert note == f"fkp: {len(results)} of 300 sources were done, and what was found in them is written"
    assert [result["image"] for result in results] == [f"{album}/{i:03}.png" for i in range(len(results))]
    assert all(len(result["faces"]) == 1 for result in results)
    left = list((tmp_path / "out").iterdir())
    assert len(results) <= len(left)
    assert 0 < len(left) < 300
    for path in left:
        assert not path.name.startswith(".")
        assert read_image(path).shape == (300, 300, 3)
    assert gone(process.pid)


def gone(group):
    """Whether the group has no process left; multiprocessing's helper may outlive its parent for a moment."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
