"""The live window: its picture and keys, with a fake OpenCV, and with a real one if there is a display."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from fkp_app.errors import FkpError
from fkp_app.media.video import window
from fkp_app.media.video.window import Window, check_window, fitted, with_text


class FakeCv2:
    """Replaces OpenCV's window functions: records the pictures and returns keys; all else is OpenCV's own."""

    def __init__(self, keys=(), open_for=10**9):
        self.keys, self.open_for = iter(keys), open_for
        self.shown, self.waits, self.destroyed = [], [], False

    def __getattr__(self, name):
        return getattr(cv2, name)

    def namedWindow(self, title, flags):  # noqa: N802
        self.title = title

    def resizeWindow(self, title, width, height):  # noqa: N802
        self.size = width, height

    def imshow(self, title, image):
        self.shown.append(image)

    def waitKeyEx(self, milliseconds):  # noqa: N802
        assert milliseconds >= 1  # 0 waits for ever
        self.waits.append(milliseconds)
        return next(self.keys, -1)

    def waitKey(self, milliseconds):  # noqa: N802
        return -1

    def getWindowProperty(self, title, which):  # noqa: N802
        assert which == cv2.WND_PROP_VISIBLE
        self.open_for -= 1
        return float(self.open_for >= 0)

    def destroyWindow(self, title):  # noqa: N802
        self.destroyed = True


@pytest.fixture
def fake(monkeypatch):
    """Makes a Window whose fake OpenCV returns these keys."""

    def make(**behaviour):
        drawn = FakeCv2(**behaviour)
        monkeypatch.setattr(window, "silent_cv2", lambda: drawn)
        monkeypatch.setattr(window, "check_window", lambda: None)
        return drawn, Window("fkp")

    return make


def test_the_picture_is_shown_in_its_colours_with_the_text_below(fake):
    drawn, shown = fake()
    image = np.zeros((480, 640, 3), np.uint8)
    image[:] = (200, 100, 50)
    assert shown.show(image, "q quit") is None
    (picture,) = drawn.shown
    assert picture.shape == image.shape
    assert drawn.size == (640, 480)
    assert np.all(picture[: 480 - window.STRIP_HEIGHT] == (50, 100, 200))  # blue, green, red
    below = picture[480 - window.STRIP_HEIGHT :]
    assert np.all(below[:, 300:].max(axis=2) <= 60)
    assert (below[:, :80].min(axis=2) > 200).sum() > 50  # letters
    assert np.all(image == (200, 100, 50))  # the caller's image is not changed


@pytest.mark.parametrize(
    ("code", "key"),
    [
        (ord("q"), "q"),
        (ord("N"), "n"),
        (32, " "),
        (27, "q"),
        (0x100000 | ord("r"), "r"),  # GTK with Num Lock
        (0xFF51, None),  # the left arrow, whose lowest byte is Q
        (-1, None),
    ],
)
def test_keys(code, key, fake):
    _, shown = fake(keys=[code])
    assert shown.show(np.zeros((480, 640, 3), np.uint8), "") == key


def test_the_wait_ends_with_a_key(fake):
    drawn, shown = fake(keys=[-1, ord("r")])
    assert shown.show(np.zeros((480, 640, 3), np.uint8), "", wait=30.0) == "r"
    assert max(drawn.waits) <= 100  # so that a closed window is noticed soon
    assert len(drawn.waits) == 2


def test_pausing_waits_for_a_key(fake):
    _, shown = fake(keys=[-1] * 40 + [ord(" ")])
    assert shown.wait() == " "


def test_a_closed_window_quits(fake):
    drawn, shown = fake(open_for=1)
    with shown:
        assert shown.show(np.zeros((48, 64, 3), np.uint8), "") is None
        assert shown.show(np.zeros((48, 64, 3), np.uint8), "", wait=30.0) == "q"
    assert not drawn.destroyed  # OpenCV raises if there is no window


def test_leaving_closes_it(fake):
    drawn, shown = fake()
    with shown:
        pass
    assert drawn.destroyed


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((640, 480), (640, 480)),
        ((1280, 720), (1280, 720)),
        ((3840, 2160), (1280, 720)),
        ((1080, 1920), (450, 800)),
        ((160, 120), (480, 360)),
        ((30, 300), (36, 360)),
    ],
)
def test_sizes_that_a_window_shows_well(size, shown):
    image = fitted(np.zeros((size[1], size[0], 3), np.uint8))
    assert (image.shape[1], image.shape[0]) == shown


def test_the_text_fits_into_a_narrow_picture():
    image = np.full((300, 200, 3), 255, np.uint8)
    marked = with_text(image, "q quit   n next look   r record   space pause")
    letters = (marked.min(axis=2) > 200)[-window.STRIP_HEIGHT :]
    columns = np.flatnonzero(letters.any(axis=0))
    assert columns.min() >= 4
    assert 150 < columns.max() < 196
    assert with_text(np.zeros((4, 3, 3), np.uint8), "q").shape == (4, 3, 3)


def test_opencv_without_windows(monkeypatch):
    headless = FakeCv2()
    headless.currentUIFramework = lambda: ""
    monkeypatch.setattr(window, "silent_cv2", lambda: headless)
    with pytest.raises(FkpError, match=r"pip uninstall opencv-python-headless") as caught:
        check_window()
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux names its display in the environment")
@pytest.mark.parametrize(
    ("display", "says"), [(None, "neither DISPLAY nor"), (":4093", "the display :4093 cannot be used")]
)
def test_no_display_is_one_line_and_no_abort(display, says, monkeypatch):
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    if display is not None:
        monkeypatch.setenv("DISPLAY", display)
    framework = FakeCv2()
    framework.currentUIFramework = lambda: "QT"
    monkeypatch.setattr(window, "silent_cv2", lambda: framework)
    with pytest.raises(FkpError, match=says):
        check_window()


def test_a_real_window():
    if not os.environ.get("DISPLAY"):
        pytest.skip("there is no display (DISPLAY is not set)")
    program = """
import numpy as np
from fkp_app.media.video.window import Window
with Window("fkp test") as window:
    image = np.full((480, 640, 3), 90, np.uint8)
    print([window.show(image, "q quit", 0.2) for _ in range(3)])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[None, None, None]\n", "")
