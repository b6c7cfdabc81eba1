"""Writes videos, whole ones or none: H.264 with the source's sound by PyAV, else MPEG-4 without sound by OpenCV."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from fkp_app.errors import FkpError, UsageError
from fkp_app.media.video.codecs import MAX_SIDE, Encoder, EncodingError, Library, has_av
from numpynet.files import atomic
from numpynet.typing import AnyArray

WRITTEN_SUFFIXES = (".mp4", ".mov", ".mkv", ".avi", ".webm")
LONGEST = 1e7
"""Seconds (four months); a later time cannot be meant."""


class VideoWriter:
    """Used by `with`: frames go to a hidden file beside `path`, which gets that name if `with` ends without an error.

    path: ends in one of WRITTEN_SUFFIXES; width, height: of every frame (PyAV keeps odd ones, too); frame_rate: frames
    per second, the average if frames bring their own times; sound_from: a video whose sound is added, copied if the new
    file can hold it as it is; library: which one writes; None: PyAV if it is installed, else OpenCV; unkept: the parts
    of the source that are left out, which a note reports. notes: lines that a user should know, complete after `with`.

    UsageError for another suffix, ValueError for a size or frame rate that makes no sense, FkpError if the file cannot
    be written, the disk is full, or no frame came.
    """

    def __init__(
        self,
        path: str | Path,
        width: int,
        height: int,
        frame_rate: float,
        sound_from: str | Path | None = None,
        library: Library | None = None,
        unkept: str = "",
    ) -> None:
        self.path, self.width, self.height, self.frame_rate = Path(path), width, height, frame_rate
        if self.path.suffix.lower() not in WRITTEN_SUFFIXES:
            raise UsageError(f"{self.path}: end the name in one of {', '.join(WRITTEN_SUFFIXES)}")
        if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and frame_rate >= 0.01):
            raise ValueError(f"cannot write {width} x {height} pixels, {frame_rate} frames per second")
        self.notes: list[str] = []
        self._sound_from = None if sound_from is None else Path(sound_from)
        self._library, self._unkept = library, unkept
        self._count, self._last = 0, -1 / frame_rate
        self._stack = ExitStack()
        self._encoder: Encoder | None = None

    def write(self, image: AnyArray, time: float | None = None) -> None:
        """Add a uint8 RGB (height, width, 3) frame that is shown from `time` on, in seconds; None: one frame's duration
        after the last. ValueError for another size, and for a time below 0 or from LONGEST on."""
        if image.shape != (self.height, self.width, 3) or image.dtype != "uint8":
            raise ValueError(f"frames are uint8 {(self.height, self.width, 3)}, got {image.dtype} {image.shape}")
        if self._encoder is None:
            raise ValueError("frames are written inside of `with`")
        time = self._last + 1 / self.frame_rate if time is None else time
        if not 0 <= time < LONGEST:
            raise ValueError(f"frames are shown from 0 to {LONGEST:g} seconds, got {time}")
        try:
            self._encoder.write(image, time)
        except EncodingError as error:
            raise self._failed(str(error)) from None
        self._count, self._last = self._count + 1, time

    def __enter__(self) -> Self:
        try:
            with ExitStack() as stack:
                temporary = stack.enter_context(atomic(self.path))
                self._encoder = self._open(temporary)
                stack.push(self._end)
                self._stack = stack.pop_all()
        except EncodingError as error:
            raise self._failed(str(error)) from None
        except OSError as error:
            raise self._failed(error.strerror or str(error)) from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self._stack.__exit__(kind, error, at)
        except EncodingError as failure:
            raise self._failed(str(failure)) from None
        except OSError as failure:
            raise self._failed(failure.strerror or str(failure)) from None

    def _end(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Finish the temporary file, or abandon it after an error, before `atomic` gives it its name or removes it."""
        encoder, self._encoder = self._encoder, None
        if encoder is None:
            return
        if error is not None or not self._count:
            encoder.abandon()
            if error is None:
                raise EncodingError("no frame came")
            return
        encoder.finish()
        left_out = [f"is without the source's {self._unkept}"] if self._unkept else []
        self.notes += [f"{self.path}: {note}" for note in (*encoder.notes, *left_out)]

    def _open(self, temporary: Path) -> Encoder:
        if self._library == "av" or (self._library is None and has_av()):
            from fkp_app.media.video.av_encoder import AvEncoder

            return AvEncoder(temporary, self.width, self.height, self.frame_rate, self._sound_from)
        from fkp_app.media.video.opencv_codec import OpenCvEncoder

        return OpenCvEncoder(temporary, self.width, self.height, self.frame_rate)

    def _failed(self, why: str) -> FkpError:
        return FkpError(f"{self.path}: cannot be written ({why})")
