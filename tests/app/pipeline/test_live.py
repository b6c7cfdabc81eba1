"""A camera in a window, both imitated by the test: keys, recordings, and every way to end."""

import json
from itertools import islice

import numpy as np
import pytest

from fkp_app.media.video.camera import CameraError
from fkp_app.media.video.reader import Frame, open_video
from fkp_app.media.video.recorder import Recorder
from tests.free_pictures import hopper
from tests.videos import write_avi

RATE = 20


class FakeCamera:
    """Delivers Grace Hopper's head again and again, or fails like an unplugged camera."""

    width, height = 320, 240

    def __init__(self, count):
        self.count = count

    def __iter__(self):
        picture = hopper()[90:330, 110:430].copy()
        for i in range(self.count):
            yield Frame(i, i / RATE, picture)
        raise CameraError(f"camera:0: delivers no more frames after {self.count}; was it unplugged?")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


class FakeWindow:
    """Presses one key of a script per frame (None: no key), and keeps the shown pictures."""

    def __init__(self, keys):
        self.keys, self.shown, self.texts, self.closed = iter(keys), [], [], False

    def __call__(self, title):
        assert title.startswith("fkp ")
        return self

    def show(self, image, text="", wait=0.0):
        self.shown.append(image)
        self.texts.append(text)
        key = next(self.keys)
        if key is KeyboardInterrupt:
            raise KeyboardInterrupt
        return key

    def wait(self):
        return next(self.keys)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed = True


@pytest.fixture
def play(monkeypatch, tmp_path, fkp):
    """Runs a command on the fake camera with these keys; returns its exit and output, and the window."""
    monkeypatch.chdir(tmp_path)

    def run(command, keys, *options, frames=100):
        window = FakeWindow(keys)
        monkeypatch.setattr("fkp_app.pipeline.live.Window", window)
        monkeypatch.setattr("fkp_app.pipeline.live.open_camera", lambda index: FakeCamera(frames))
        ended = fkp(command, "camera:0", *options)
        assert window.closed
        return ended, window

    return run


def test_a_camera_in_a_window_until_q(play):
    ended, window = play("filter", [None, None, "q"])
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("camera:0: 3 frames, ")
    assert len(window.shown) == 3
    assert "q quit" in window.texts[0]
    assert window.texts[0].endswith("sunglasses")
    before = hopper()[90:330, 110:430]
    assert (window.shown[0][106, 116] != before[106, 116]).any()  # an eye behind the glass


def test_n_shows_the_next_look_and_after_the_last_the_first(play):
    _, window = play("detect", ["n", "n", None, "q"])
    assert [text.split()[-1] for text in window.texts] == ["points", "numbers", "points", "points"]
    steps = np.abs(np.diff(np.array(window.shown).astype(int), axis=0)).mean(axis=(1, 2, 3))
    assert steps[1] > 2 * steps[2]  # from numbers to points, then from points to points one frame later


def test_space_pauses_until_a_key(play):
    ended, window = play("detect", [None, " ", "x", " ", "q"])
    assert ended.code == 0
    assert len(window.shown) == 3  # the window waited for the fourth and fifth key


def test_r_begins_and_ends_a_recording(play, tmp_path):
    ended, window = play("detect", [None, "r", None, None, "r", None, "r", None, "q"])
    assert ended.code == 0
    assert ["recording" in text for text in window.texts] == [False, False, True, True, True, False, False, True, True]
    assert ended.out.splitlines()[:2] == [
        "camera:0: recorded -> recording-1.mp4",
        "camera:0: recorded -> recording-2.mp4",
    ]
    with open_video(tmp_path / "recording-1.mp4") as video:
        frames = list(video)
    assert len(frames) == 3
    assert frames[0].time < 0.01  # times count from the start of the recording
    assert np.abs(frames[1].image.astype(int) - window.shown[3]).mean() < 8


@pytest.mark.parametrize("end", ["q", KeyboardInterrupt])
def test_a_recording_from_the_start_is_whole_however_it_ends(end, play, tmp_path):
    ended, _ = play("filter", [None, None, end], "--record", tmp_path / "me.mp4")
    assert (ended.code, ended.err) == (0, "")
    with open_video(tmp_path / "me.mp4") as video:
        assert len(list(video)) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["me.mp4"]


def test_a_camera_that_is_unplugged_is_one_line_and_its_recording_is_kept(play, tmp_path):
    ended, _ = play("filter", [None] * 9, "--record", tmp_path / "me.mp4", frames=4)
    assert ended.code == 1
    assert ended.err == "fkp: camera:0: delivers no more frames after 4; was it unplugged?\n"
    assert [path.name for path in tmp_path.iterdir()] == ["me.mp4"]


def test_the_results_are_written_at_the_end(play, tmp_path):
    ended, _ = play("detect", [None, None, "q"], "--json", tmp_path / "a.json")
    assert ended.code == 0
    (result,) = json.loads((tmp_path / "a.json").read_text())
    assert (result["video"], result["frame_rate"]) == ("camera:0", None)
    assert [frame["time"] for frame in result["frames"]] == [0, 1 / RATE, 2 / RATE]
    assert all(len(frame["faces"]) == 1 for frame in result["frames"])


def test_recordings_never_replace_files(tmp_path):
    (tmp_path / "a-1.mp4").write_text("kept")
    picture = np.zeros((48, 64, 3), np.uint8)
    with Recorder(tmp_path / "a.mp4", 64, 48, 25) as recorder:
        for _ in range(2):
            recorder.toggle()
            recorder.write(picture, 1.0)
            recorder.toggle()
        recorder.write(picture, 9.0)  # while the recorder is off
    assert [path.name for path in recorder.written] == ["a.mp4", "a-2.mp4"]
    assert (tmp_path / "a-1.mp4").read_text() == "kept"


def test_a_recording_that_fails_leaves_nothing(tmp_path):
    def fail():
        with Recorder(tmp_path / "a.mp4", 64, 48, 25) as recorder:
            recorder.toggle()
            recorder.write(np.zeros((48, 64, 3), np.uint8), 0.0)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_camera_without_a_window_until_ctrl_c(monkeypatch, tmp_path, fkp):
    class Interrupted(FakeCamera):
        def __iter__(self):
            yield from islice(super().__iter__(), 3)
            raise KeyboardInterrupt

    monkeypatch.setattr("fkp_app.pipeline.live.Window", None)
    monkeypatch.setattr("fkp_app.pipeline.live.open_camera", lambda index: Interrupted(9))
    options = ("--no-window", "--json", tmp_path / "a.json", "--record", tmp_path / "a.mp4")
    ended = fkp("detect", "camera:0", *options)
    assert (ended.code, ended.err) == (0, "")
    (result,) = json.loads((tmp_path / "a.json").read_text())
    assert [len(frame["faces"]) for frame in result["frames"]] == [1, 1, 1]
    with open_video(tmp_path / "a.mp4") as video:
        assert len(list(video)) == 3


def test_a_damaged_video_in_a_window_is_said(monkeypatch, tmp_path, fkp):
    picture = hopper()[90:330, 110:430].copy()
    whole = write_avi(tmp_path / "a.avi", [picture] * 8)
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    window = FakeWindow([None] * 8)
    monkeypatch.setattr("fkp_app.pipeline.live.Window", window)
    ended = fkp("detect", whole, "--window")
    assert ended.code == 1
    assert ended.err.startswith(f"fkp: {whole}: ")
    assert 2 < len(window.shown) < 8


def test_without_a_display_it_is_one_line(monkeypatch, tmp_path, fkp):
    monkeypatch.chdir(tmp_path)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    ended = fkp("detect", "camera:0", "--record", "me.mp4")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("fkp: no window can be shown here (")
    assert ended.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
