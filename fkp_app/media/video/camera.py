"""Reads a camera: yields its newest frame, uint8 RGB, with the time at which it arrived."""

import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

from fkp_app.errors import FkpError
from fkp_app.media.video.opencv_codec import silent_cv2
from fkp_app.media.video.reader import Frame
from numpynet.typing import AnyArray

OPEN_TIMEOUT = 15.0
"""Seconds that a camera may take to start and deliver its first frame."""
FRAME_TIMEOUT = 5.0
"""Seconds without a frame after which a camera counts as unplugged."""


class CameraError(FkpError):
    """A camera that cannot be used."""


def open_camera(index: int) -> "Camera":
    """Open camera number `index`, 0 is the first. CameraError if it is absent, in use, or delivers no frame."""
    return Camera(index, lambda: silent_cv2().VideoCapture(index))


class Camera:
    """Iterating yields the newest Frame, again and again; its time is in seconds since the first, by a monotonic clock.

    width, height: of every frame. Frames that arrive while the caller still processes the last one are skipped, so that
    the display does not lag. capture: returns a cv2.VideoCapture or an object like it; a thread of its own reads it, as
    drivers may hang. Iterating raises CameraError if the camera is unplugged, changes its size, or delivers nothing for
    FRAME_TIMEOUT seconds.
    """

    def __init__(self, index: int, capture: Callable[[], Any]) -> None:
        self.name = f"camera:{index}"
        self._newest: tuple[float, AnyArray] | None = None
        self._ended = False
        self._closing = False
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(capture,), name=self.name, daemon=True)
        self._thread.start()
        try:
            first = self._take(OPEN_TIMEOUT)
        except BaseException:
            self._closing = True
            raise
        if first is None:
            hung = "" if self._ended else f" (no answer for {OPEN_TIMEOUT:g} seconds)"
            self._closing = True
            raise CameraError(
                f"{self.name}: is absent or in use{hung}; connect it, allow its use, close other "
                "programs that use it, or name another one"
            )
        self._first = first
        self.height, self.width = first[1].shape[:2]

    def __iter__(self) -> Iterator[Frame]:
        taken: tuple[float, AnyArray] | None = self._first
        start, index = self._first[0], 0
        while taken is not None:
            image = silent_cv2().cvtColor(taken[1], silent_cv2().COLOR_BGR2RGB)
            if image.shape[:2] != (self.height, self.width):
                raise CameraError(
                    f"{self.name}: changed its size to {image.shape[1]} x {image.shape[0]} pixels; start again"
                )
            yield Frame(index, taken[0] - start, image)
            taken, index = self._take(FRAME_TIMEOUT), index + 1
        raise CameraError(f"{self.name}: delivers no more frames after {index}; was it unplugged?")

    def _take(self, timeout: float) -> tuple[float, AnyArray] | None:
        """The newest frame that was not taken yet; None if none arrives in `timeout` seconds."""
        with self._change:
            self._change.wait_for(lambda: self._newest is not None or self._ended, timeout)
            taken, self._newest = self._newest, None
            return taken

    def _read(self, capture: Callable[[], Any]) -> None:
        """The thread's loop: keep the newest frame until `close` is called or no frame comes."""
        device = None
        try:
            device = capture()
            while not self._closing and device.isOpened():
                read, image = device.read()
                if not read:
                    break
                with self._change:
                    self._newest = time.monotonic(), image
                    self._change.notify_all()
        except Exception:  # drivers raise errors of any type; the caller reports that no frames come
            pass
        finally:
            if device is not None:
                device.release()
            with self._change:
                self._ended = True
                self._change.notify_all()

    def close(self) -> None:
        """Release the camera. The thread of a driver that hangs is left running."""
        self._closing = True
        self._thread.join(FRAME_TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
