"""The camera, replaced by a fake cv2.VideoCapture, and a camera that does not exist."""

import itertools
import threading
import time

import numpy as np
import pytest

from fkp_app.media.video import camera
from fkp_app.media.video.camera import Camera, CameraError, open_camera


@pytest.fixture(autouse=True)
def _silent(capfd):
    """OpenCV prints nothing of its own."""
    yield
    assert capfd.readouterr() == ("", "")


def picture(number, width=64, height=48):
    """A frame of OpenCV (BGR): blue, with its number as the level of red."""
    return np.full((height, width, 3), (250, 0, number), np.uint8)


class FakeCapture:
    """A driver that delivers each frame when the test releases it; after the last frame it fails or hangs."""

    def __init__(self, frames=(), hangs=False, opened=True, free=False):
        self.frames, self.hangs, self.opened, self.free = iter(frames), hangs, opened, free
        self.let_go, self.reads, self.woken, self.released = threading.Semaphore(1), 0, threading.Event(), False

    def isOpened(self):  # noqa: N802
        return self.opened

    def read(self):
        self.reads += 1
        if not self.free:
            self.let_go.acquire(timeout=30)
        frame = next(self.frames, None)
        if frame is None and self.hangs:
            self.woken.wait(30)
        return frame is not None, frame

    def run_free(self):
        """From now on, each read returns a frame at once."""
        self.free = True
        self.let_go.release()

    def release(self):
        self.released = True


def seen(device):
    """All frames until the camera fails, and its error; each frame is read before the next one is released."""
    frames = []

    def look():
        with Camera(3, lambda: device) as opened:
            assert (opened.width, opened.height) == (64, 48)
            try:
                for frame in opened:
                    frames.append(frame)
                    assert len(frames) < 100
                    device.let_go.release()
            finally:
                device.run_free()

    with pytest.raises(CameraError) as caught:
        look()
    return frames, str(caught.value)


def test_frames_are_rgb_numbered_and_timed(monkeypatch):
    clock = iter(np.arange(100.0, 110.0, 0.5))
    monkeypatch.setattr(camera.time, "monotonic", lambda: next(clock))
    device = FakeCapture([picture(number) for number in range(5)])
    frames, _ = seen(device)
    assert [frame.index for frame in frames] == list(range(5))
    assert [tuple(frame.image[5, 7]) for frame in frames] == [(number, 0, 250) for number in range(5)]
    assert [frame.time for frame in frames] == [0, 0.5, 1, 1.5, 2]
    assert device.released


def test_a_slow_reader_gets_the_newest_frame():
    device = FakeCapture([picture(number) for number in range(20)])
    with Camera(0, lambda: device) as opened:
        frames = iter(opened)
        next(frames)
        device.let_go.release(10)
        while device.reads < 12:  # the eleventh frame has come, and the twelfth is being read
            time.sleep(0.01)
        late = next(frames)
        device.let_go.release()
        after = next(frames)
        device.run_free()
    assert (late.index, late.image[0, 0, 0]) == (1, 10)
    assert (after.index, after.image[0, 0, 0]) == (2, 11)


def test_a_camera_that_stops_ends_in_one_line():
    frames, message = seen(FakeCapture([picture(0), picture(1)]))
    assert len(frames) == 2
    assert message == "camera:3: delivers no more frames after 2; was it unplugged?"


def test_a_camera_that_hangs_ends_too(monkeypatch):
    monkeypatch.setattr(camera, "FRAME_TIMEOUT", 0.3)
    device = FakeCapture([picture(0)], hangs=True)
    frames, message = seen(device)
    device.woken.set()
    assert len(frames) == 1
    assert "delivers no more frames" in message


def test_a_driver_that_hangs_when_opened(monkeypatch):
    monkeypatch.setattr(camera, "OPEN_TIMEOUT", 0.3)
    device = FakeCapture(hangs=True)
    with pytest.raises(CameraError, match=r"camera:0: is absent or in use \(no answer for 0\.3 seconds\)"):
        Camera(0, lambda: device)
    device.woken.set()


@pytest.mark.parametrize("device", [FakeCapture(opened=False), FakeCapture([])], ids=["absent", "in use"])
def test_absent_or_in_use(device):
    with pytest.raises(CameraError) as caught:
        Camera(7, lambda: device)
    assert str(caught.value).startswith("camera:7: is absent or in use; ")
    assert caught.value.exit_code == 1


def test_a_driver_that_raises():
    def broken():
        raise RuntimeError("driver")

    with pytest.raises(CameraError, match="camera:0: is absent or in use"):
        Camera(0, broken)


def test_a_change_of_size_gives_a_note():
    frames, message = seen(FakeCapture([picture(0), picture(1, 32, 24)]))
    assert len(frames) == 1
    assert "changed its size to 32 x 24" in message


def test_closing_gives_the_device_back():
    device = FakeCapture(picture(number % 200) for number in itertools.count())
    with Camera(0, lambda: device) as opened:
        next(iter(opened))
        assert not device.released
        device.run_free()
    assert device.released


def test_a_number_without_a_camera():
    """With the real OpenCV, which by itself would print warnings in several lines."""
    with pytest.raises(CameraError, match="camera:99: is absent or in use"):
        open_camera(99)


def test_opencv_is_asked_for_that_number(monkeypatch):
    class Cv2:
        def __init__(self):
            self.asked = []

        def VideoCapture(self, index):  # noqa: N802
            self.asked.append(index)
            return FakeCapture([picture(1)], free=True)

    fake = Cv2()
    monkeypatch.setattr(camera, "silent_cv2", lambda: fake)
    with open_camera(5) as opened:
        assert (opened.width, opened.height) == (64, 48)
    assert fake.asked == [5]
