"""`fkp detect` and `fkp filter` on videos: their results, and the errors of bad videos."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from fkp_app.media.images import write_image
from fkp_app.media.video.reader import open_video
from fkp_app.media.video.writer import VideoWriter
from tests.free_pictures import hopper
from tests.videos import sound_packets, write_avi, write_video

COUNT = 12
STEP = 3
"""Pixels by which the face moves to the right each frame."""


@pytest.fixture(scope="module")
def frames():
    """Frames of Grace Hopper's head moving to the right, each RGB (240, 320, 3)."""
    photo = hopper()
    return [photo[90:330, 110 - STEP * i : 430 - STEP * i].copy() for i in range(COUNT)]


@pytest.fixture
def clip(frames, tmp_path):
    """The frames as a video with sound, at 25 frames per second."""
    pytest.importorskip("av", reason="PyAV is not installed (the extra `video`)")
    return write_video(tmp_path / "clip.mp4", frames, sound="aac")


def test_every_frame_of_a_video_as_json_csv_and_video(clip, frames, tmp_path, fkp):
    out = tmp_path / "out"
    options = ("--json", tmp_path / "a.json", "--csv", tmp_path / "a.csv", "--out", out)
    ended = fkp("detect", clip, *options)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"{clip}: faces in {COUNT} of {COUNT} frames, ")
    assert ended.out.endswith(f" frames a second -> {out}/clip.mp4.mp4\n")
    (result,) = json.loads((tmp_path / "a.json").read_text())
    assert {name: result[name] for name in ("video", "width", "height", "frame_rate")} == {
        **{"video": str(clip), "width": 320, "height": 240},
        **{"frame_rate": pytest.approx(25, rel=0.01)},
    }
    assert [frame["frame"] for frame in result["frames"]] == list(range(COUNT))
    np.testing.assert_allclose([frame["time"] for frame in result["frames"]], np.arange(COUNT) / 25, atol=0.002)
    faces = [frame["faces"] for frame in result["frames"]]
    assert [[face["track"] for face in each] for each in faces] == [[1]] * COUNT
    noses = np.array([each[0]["keypoints"][30] for each in faces])
    moved = np.diff(noses[2:], axis=0).mean(axis=0)  # without the first frames, whose motion is not yet known
    np.testing.assert_allclose(moved, [STEP, 0], atol=0.6)
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["frame"] for row in rows] == [str(i) for i in range(COUNT)]
    assert {row["track"] for row in rows} == {"1"}
    assert float(rows[5]["time"]) == result["frames"][5]["time"]
    assert [float(rows[5]["x30"]), float(rows[5]["y30"])] == faces[5][0]["keypoints"][30]
    with open_video(out / "clip.mp4.mp4") as video:
        marked = list(video)
    assert [frame.image.shape for frame in marked] == [frames[0].shape] * COUNT
    for frame, before, nose in zip(marked, frames, noses, strict=True):
        x, y = np.rint(nose).astype(int)
        assert int(frame.image[y, x, 1]) - before[y, x, 1] > 30  # a green point


def test_sunglasses_move_with_the_face_and_the_sound_stays(clip, frames, tmp_path, fkp):
    out = tmp_path / "out"
    assert fkp("filter", clip, "--out", out).code == 0
    worn = out / "clip.mp4.mp4"
    with open_video(worn) as video:
        assert (video.width, video.height) == (320, 240)
        assert video.frame_rate == pytest.approx(25, rel=0.01)
        pictures = [frame.image for frame in video]
    assert len(pictures) == COUNT
    left, top = 226 - 110, 196 - 90  # of an eye
    for i, (picture, before) in enumerate(zip(pictures, frames, strict=True)):
        x, y = left + STEP * i, top
        assert picture[y - 4 : y + 5, x - 4 : x + 5].mean() < 0.6 * before[y - 4 : y + 5, x - 4 : x + 5].mean()
        assert np.abs(picture[-40:].astype(int) - before[-40:]).mean() < 8  # her chin is as it was
    assert sound_packets(worn) == sound_packets(clip)


def test_a_video_without_a_face_is_no_error(tmp_path, fkp):
    video = write_avi(tmp_path / "flat.avi", [np.full((48, 64, 3), 90, np.uint8)] * 5)
    ended = fkp("detect", video, "--json", tmp_path / "a.json")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"{video}: faces in 0 of 5 frames, ")
    (result,) = json.loads((tmp_path / "a.json").read_text())
    assert [frame["faces"] for frame in result["frames"]] == [[]] * 5


def test_videos_among_images_in_a_folder(frames, tmp_path, fkp):
    folder = tmp_path / "trip"
    folder.mkdir()
    write_avi(folder / "b.avi", frames[:3])
    write_image(folder / "a.png", frames[0])
    write_image(folder / "c.png", frames[0])
    (folder / "d.mp4").write_bytes(b"words, not a video\n" * 20)
    ended = fkp("filter", folder, "--out", tmp_path / "out")
    assert ended.code == 1
    assert ended.err.startswith(f"fkp: {folder}/d.mp4: ")
    assert ended.err.count("\n") == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png.png", "b.avi.mp4", "c.png.png"]
    assert ended.out.splitlines()[-1].startswith("2 images, 2 faces; 1 video; 1 source failed;")
    results = fkp("detect", folder, "--json", "-")
    named = [result.get("video") or result["image"] for result in json.loads(results.out)]
    assert named == [f"{folder}/{name}" for name in ("a.png", "b.avi", "c.png")]


def test_a_truncated_video_is_kept_up_to_its_end_with_a_note(frames, tmp_path, fkp):
    whole = write_avi(tmp_path / "whole.avi", frames)
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    ended = fkp("filter", cut, "--out", tmp_path / "out")
    assert ended.code == 1
    assert ended.err.startswith(f"fkp: {cut}: ")
    assert ended.err.count("\n") == 1
    with open_video(tmp_path / "out" / "cut.avi.mp4") as video:
        assert COUNT // 3 < len(list(video)) < COUNT


def test_smoothing_can_be_switched_off(frames, tmp_path, fkp):
    still = frames[0].astype(int)
    rng = np.random.default_rng(0)
    noisy = [np.clip(still + rng.normal(0, 8, still.shape), 0, 255).astype(np.uint8) for _ in range(10)]
    video = write_avi(tmp_path / "still.avi", noisy)

    def jitter(*options):
        (result,) = json.loads(fkp("detect", video, "--json", "-", *options).out)
        points = np.array([frame["faces"][0]["keypoints"] for frame in result["frames"]])
        return np.sqrt((np.diff(points, axis=0) ** 2).sum(axis=2).mean())

    assert jitter() < 0.6 * jitter("--no-smooth")


@pytest.mark.parametrize(("by", "code", "said"), [(signal.SIGINT, 130, "fkp: stopped\n"), (signal.SIGTERM, 143, "")])
def test_what_is_stopped_leaves_no_half_video(by, code, said, frames, tmp_path):
    video = write_avi(tmp_path / "long.avi", frames * 60)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "fkp_app", "filter", video, "--out", out]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while not (out.is_dir() and any(path.stat().st_size for path in out.iterdir())) and time.monotonic() < until:
        time.sleep(0.05)
    os.kill(process.pid, by)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors.decode()) == (code, said)
    assert list(out.iterdir()) == []


def test_a_result_does_not_go_over_its_source(frames, tmp_path, fkp):
    with VideoWriter(tmp_path / "a.mp4", 320, 240, 25) as writer:
        for frame in frames[:3]:
            writer.write(frame)
    (tmp_path / "a.mp4").rename(tmp_path / "a.avi.mp4")
    write_avi(tmp_path / "a.avi", frames[:3])
    before = (tmp_path / "a.avi.mp4").read_bytes()
    assert fkp("filter", tmp_path / "a.avi", tmp_path / "a.avi.mp4", "--out", tmp_path).code == 0
    assert (tmp_path / "a.avi.mp4").read_bytes() == before
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["a.avi", "a.avi.2.mp4", "a.avi.mp4", "a.avi.mp4.mp4"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--record", "a.mp4"], "--record records what a window shows: give --window, or a camera as the source"),
        (["--window", "--out", "out"], "--out and --crops are for files; what a window shows is recorded with"),
        (["--window", "b.avi"], "a window shows one camera or one video; name it alone"),
        (["camera:0"], "a window shows one camera or one video; name it alone"),
        (["camera:two"], "camera:two: name a camera by its number, as in camera:0"),
    ],
)
def test_options_that_do_not_go_together(options, words, frames, tmp_path, monkeypatch, fkp):
    monkeypatch.chdir(tmp_path)
    write_avi(tmp_path / "a.avi", frames[:2])
    ended = fkp("detect", "a.avi", *options)
    assert ended.code == 2
    assert ended.err.startswith("fkp: ")
    assert words in ended.err
    assert ended.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.avi"]
