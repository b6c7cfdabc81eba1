"""Reads and writes videos by OpenCV, which is always installed: without sound, and without a sure sign of damage."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from fkp_app.media.video.codecs import END_MARGIN, Claims, EncodingError, VideoError, check_size
from fkp_app.media.video.formats import OPTIONS
from fkp_app.media.video.numbering import Numbering
from fkp_app.media.video.whole import is_riff, short_of
from fkp_app.wording import count_of
from numpynet.typing import AnyArray

WITH_AV = "which PyAV mends: pip install 'numpynet-fkp[video]'"
OPTIONS_NAME = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
"""The environment variable with FFmpeg's options."""


class OpenCvDecoder:
    """Decodes a file by OpenCV; see `codecs.Decoder`. VideoError as in `reader.open_video`."""

    def __init__(self, path: Path) -> None:
        cv2 = silent_cv2()
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.unkept = ""
        self._short, self._is_riff = short_of(path), is_riff(path)
        name = name_of(path)
        if name is None:
            raise VideoError(f"{path}: has a name that is not UTF-8, which OpenCV cannot open; rename it")
        try:
            with _options():
                self._capture = cv2.VideoCapture(name, ffmpeg_or_any(cv2))
            opened = self._capture.isOpened()
        except cv2.error:
            opened = False
        if not opened:
            why = f"it {self._short}" if self._short else "it is damaged, without pictures or of an unknown format"
            raise VideoError(f"{path}: is not a video that can be read; {why}")
        get, self._time = self._capture.get, cv2.CAP_PROP_POS_MSEC
        try:
            check_size(path, int(get(cv2.CAP_PROP_FRAME_WIDTH)), int(get(cv2.CAP_PROP_FRAME_HEIGHT)))
        except VideoError:
            self.close()
            raise
        # FFmpeg's four-byte code of the pixel format: the last byte is the number of bits if that is above 8.
        bits = int(get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT)) >> 24
        if 8 < bits <= 16:
            self.notes.append(f"has colours of {bits} bits; if they are HDR they come out pale, {WITH_AV}")
        rate, count = get(cv2.CAP_PROP_FPS), get(cv2.CAP_PROP_FRAME_COUNT)
        num, den = get(cv2.CAP_PROP_SAR_NUM), get(cv2.CAP_PROP_SAR_DEN)
        self.claims = Claims(
            rate if math.isfinite(rate) else 0.0,
            int(count) if 0 < count < 1e9 else None,
            has_sound=False,
            pixel_aspect=num / den if num > 0 and den > 0 else 1.0,
        )

    def pictures(self) -> Iterator[tuple[float | None, AnyArray]]:
        """Each picture, which OpenCV turns upright, and its time in seconds."""
        cv2, count, end = silent_cv2(), 0, 0.0
        while True:
            try:
                read, image = self._capture.read()
                if not read:
                    break
                picture = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            except cv2.error:
                break
            # The end in frames, by the file's clock: many files state how many frames fit between time 0 and the end.
            count, end = count + 1, max(count + 1, self._capture.get(cv2.CAP_PROP_PTS) + 1)
            at = self._capture.get(self._time) / 1000
            yield (at if at > 0 or count == 1 else None), picture  # OpenCV also gives 0 if it knows no time
        claimed = (self.claims.frame_count or 0) if self._is_riff else 0
        if self._short:
            self.problems.append(f"is truncated: it {self._short}; it gives {count_of(count, 'frame')}")
        elif end < claimed - END_MARGIN * self.claims.frame_rate:
            self.problems.append(f"gives {count} of the {claimed} frames that it claims; it is truncated or damaged")

    def close(self) -> None:
        """Close the file."""
        self._capture.release()


def silent_cv2() -> ModuleType:
    """The module cv2, with its own and its FFmpeg's warnings turned off."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # OpenCV reads this when it first opens a video
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2


def name_of(path: Path) -> str | None:
    """A file's absolute name for OpenCV; None if it is not UTF-8, on which OpenCV crashes."""
    name = str(path.absolute())
    try:
        name.encode()
    except UnicodeEncodeError:
        return None
    return name


@contextmanager
def _options() -> Iterator[None]:
    """Restrict the files that OpenCV's FFmpeg may open, within `with`. Only the environment can pass these options."""
    before = os.environ.get(OPTIONS_NAME)
    os.environ[OPTIONS_NAME] = "|".join(f"{name};{value}" for name, value in OPTIONS.items())
    try:
        yield
    finally:
        if before is None:
            del os.environ[OPTIONS_NAME]
        else:
            os.environ[OPTIONS_NAME] = before


def ffmpeg_or_any(cv2: ModuleType) -> int:
    """FFmpeg if this OpenCV has it, as other backends read a file name as a pattern, or keep no times; else any."""
    there = cv2.CAP_FFMPEG in cv2.videoio_registry.getBackends()
    return int(cv2.CAP_FFMPEG if there else cv2.CAP_ANY)


class OpenCvEncoder:
    """Writes MPEG-4 to `path`, at a constant frame rate, without sound. EncodingError if that cannot be written."""

    def __init__(self, path: Path, width: int, height: int, frame_rate: float) -> None:
        cv2 = silent_cv2()
        self.notes = ["is MPEG-4 without sound; for H.264 and sound: pip install 'numpynet-fkp[video]'"]
        if width % 2 or height % 2:
            self.notes.append("lacks its last row or column, as OpenCV writes even sizes alone")
        self._path = path
        self._number, self._written, self._last = Numbering(frame_rate), 0, None
        if path.suffix.lower() == ".webm":
            raise EncodingError(".webm needs PyAV: pip install 'numpynet-fkp[video]'; or choose .mp4")
        name = name_of(path)
        if name is None:
            raise EncodingError("OpenCV writes to names and folders in UTF-8 alone")
        code = cv2.VideoWriter.fourcc(*"mp4v")
        self._writer = cv2.VideoWriter(name, ffmpeg_or_any(cv2), code, frame_rate, (width, height))
        if not self._writer.isOpened():
            raise EncodingError(f"OpenCV cannot write {width} x {height} pixels to {path.suffix} files")

    def write(self, image: AnyArray, time: float) -> None:
        """Add an RGB frame that is shown from `time` (seconds) on. The frame before is repeated until then; a frame
        whose number is taken is left out."""
        number = self._number(time)
        if number is None:
            return
        cv2 = silent_cv2()
        picture = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        for _ in range(number - self._written):
            self._writer.write(picture if self._last is None else self._last)
        self._writer.write(picture)
        self._written, self._last = number + 1, picture

    def finish(self) -> None:
        """Close the file and check that it can be read, as OpenCV does not report failed writes."""
        self._writer.release()
        cv2 = silent_cv2()
        capture = cv2.VideoCapture(str(self._path.absolute()), ffmpeg_or_any(cv2))
        whole = capture.isOpened() and capture.read()[0]
        capture.release()
        if not whole:
            raise EncodingError("OpenCV failed; is the disk full?")
        if self._number.still:
            self.notes.append(f"repeats frames {self._number.still} times, as its frame rate is constant")
        self.notes += self._number.notes()

    def abandon(self) -> None:
        """Close the file."""
        self._writer.release()
