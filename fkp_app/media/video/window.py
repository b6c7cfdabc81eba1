"""A live window: shows a picture with a line of text below it, and returns the key that was pressed."""

import os
import subprocess
import sys
import time
from types import ModuleType, TracebackType
from typing import Self

import numpy as np

from fkp_app.errors import FkpError
from fkp_app.media.video.opencv_codec import silent_cv2
from numpynet.typing import AnyArray

SMALLEST, LARGEST = (480, 360), (1280, 800)
"""Least and largest (width, height) in pixels at which a picture is shown: smaller and larger ones are scaled."""
QUIT = "q"
ESCAPE = 27
TEXT_SCALE = 0.5
"""OpenCV's scale of the text: letters are about 11 pixels high."""
STRIP_HEIGHT = 26
"""Height in pixels of the strip behind the text."""
PROBE = "import cv2; cv2.namedWindow('fkp')"
"""A program that fails if no window can be shown."""
NO_WINDOW = "no window can be shown here ({}); give --no-window, or a video file and --out"


def check_window() -> None:
    """FkpError if no window can be shown: there is no display, or OpenCV was built without windows.

    On Linux a process of its own tries it, since Qt ends the whole process if it finds no display.
    """
    cv2 = silent_cv2()
    if not getattr(cv2, "currentUIFramework", lambda: "")():
        raise FkpError(
            NO_WINDOW.format(
                "this OpenCV has none: pip uninstall opencv-python-headless, pip install 'opencv-python<5'"
            )
        )
    if not sys.platform.startswith("linux"):
        return
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise FkpError(NO_WINDOW.format("there is no display: neither DISPLAY nor WAYLAND_DISPLAY is set"))
    try:
        tried = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        tried = None
    if tried is None or tried.returncode:
        raise FkpError(NO_WINDOW.format(f"the display {os.environ.get('DISPLAY', '')} cannot be used"))


class Window:
    """A window with a title; the end of `with` closes it. FkpError as in `check_window`."""

    def __init__(self, title: str) -> None:
        check_window()
        self._title = title
        self._cv2 = _quiet_qt()
        self._sized = False
        normal = self._cv2.WINDOW_NORMAL | self._cv2.WINDOW_KEEPRATIO
        flags = normal | self._cv2.WINDOW_GUI_NORMAL  # no tool bar, no menu
        try:
            self._cv2.namedWindow(title, flags)
        except self._cv2.error:
            raise FkpError(NO_WINDOW.format("OpenCV cannot open one")) from None

    def show(self, image: AnyArray, text: str = "", wait: float = 0.0) -> str | None:
        """Show an RGB image (H, W, 3) with a line of text at the bottom, for `wait` seconds or until a key is pressed.

        Returns the key as a character, "q" also for Escape and for a closed window; None if none was pressed.
        """
        picture = with_text(fitted(image), text)
        self._cv2.imshow(self._title, self._cv2.cvtColor(picture, self._cv2.COLOR_RGB2BGR))
        if not self._sized:
            self._cv2.resizeWindow(self._title, picture.shape[1], picture.shape[0])
            self._sized = True
        return self._key(wait)

    def wait(self) -> str:
        """Wait for a key without a limit, and return it."""
        while (key := self._key(0.1)) is None:
            pass
        return key

    def _key(self, seconds: float) -> str | None:
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            code = self._cv2.waitKeyEx(min(100, max(1, round(left * 1000))))  # short, to notice a closed window
            if code == ESCAPE or self._closed():
                return QUIT
            if code & 0xFF00 == 0 and code & 0xFF > ESCAPE:  # not -1, and no arrow, whose lowest byte may be a letter
                return chr(code & 0xFF).lower()
            if left <= 0.1:
                return None

    def _closed(self) -> bool:
        try:
            return bool(self._cv2.getWindowProperty(self._title, self._cv2.WND_PROP_VISIBLE) < 1)
        except self._cv2.error:
            return True

    def close(self) -> None:
        """Close the window, unless the user has."""
        if not self._closed():
            self._cv2.destroyWindow(self._title)
            self._cv2.waitKey(1)  # lets OpenCV handle the event

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def fitted(image: AnyArray) -> AnyArray:
    """The image, enlarged to fit SMALLEST if it is smaller, reduced to fit LARGEST if it is larger."""
    height, width = image.shape[:2]
    scale = min(1.0, LARGEST[0] / width, LARGEST[1] / height)
    if width < SMALLEST[0] and height < SMALLEST[1]:
        scale = min(SMALLEST[0] / width, SMALLEST[1] / height)
    if scale == 1:
        return image
    cv2 = silent_cv2()
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))


def with_text(image: AnyArray, text: str) -> AnyArray:
    """A copy of the image with a line of text on a dark strip at its bottom; letters are smaller if it is narrow."""
    if not text:
        return image
    cv2, font = silent_cv2(), silent_cv2().FONT_HERSHEY_SIMPLEX
    height, width = image.shape[:2]
    (length, _), _ = cv2.getTextSize(text, font, TEXT_SCALE, 1)
    letters = TEXT_SCALE * min(1.0, (width - 16) / length)
    picture = image.copy()
    strip = picture[max(0, height - STRIP_HEIGHT) :]
    strip[:] = strip // 4
    cv2.putText(picture, text, (8, height - 8), font, max(letters, 0.1), (255, 255, 255), 1, cv2.LINE_AA)
    return picture


def _quiet_qt() -> ModuleType:
    """The module cv2, with its Qt's warnings about fonts and themes turned off."""
    os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false;*.debug=false")
    return silent_cv2()
