"""Reads videos: frames, uint8 RGB, upright, each with its time. By PyAV if it is installed, else by OpenCV."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from fkp_app.errors import FkpError, problem_of
from fkp_app.media.video.clock import Clock
from fkp_app.media.video.codecs import FRAME_RATES, Decoder, Library, VideoError, check_size, has_av
from numpynet.typing import AnyArray

VIDEO_SUFFIXES = frozenset(
    (
        *(".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gxf", ".ivf", ".m2t", ".m2ts", ".m4v"),
        *(".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".ogm", ".ogv", ".qt", ".rm", ".rmvb"),
        *(".ts", ".vob", ".webm", ".wmv", ".wtv", ".y4m"),
        *(".264", ".265", ".h264", ".h265", ".hevc", ".m1v", ".m2v", ".mjpeg", ".mjpg"),  # frames alone, without times
    )
)
"""Suffixes that count as videos in a folder. What a file really is, its content decides."""
FRAME_RATE = 25.0
"""Frames per second of a file that states none, or nonsense."""


@dataclass(frozen=True)
class Frame:
    """One frame. index: 0, 1, ... in order; time: seconds since the video began; image: uint8 RGB (H, W, 3)."""

    index: int
    time: float
    image: AnyArray


def open_video(path: str | Path, library: Library | None = None) -> "VideoReader":
    """Open a video file. library: which one reads it; None: PyAV if it is installed, else OpenCV.

    VideoError if the file is missing, empty, a pipe or device, no video, a list of other files, without pictures, in
    an unknown codec or larger than 8192 x 8192 pixels.
    """
    path = Path(path)
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise VideoError(f"{path}: is a directory, not a video")
        if not stat.S_ISREG(found.st_mode):
            raise VideoError(f"{path}: is a pipe or a device, which may never end; save it as a file first")
        if found.st_size == 0:
            raise VideoError(f"{path}: is empty")
        with path.open("rb"):
            pass
    except (FileNotFoundError, NotADirectoryError):
        raise VideoError(f"{path}: no such file") from None
    except OSError as error:
        raise VideoError(f"{path}: cannot be read ({error.strerror})") from None
    with _as_video_error(path):
        return VideoReader(path, _decoder(path, library))


def _decoder(path: Path, library: Library | None) -> Decoder:
    if library == "av" or (library is None and has_av()):
        from fkp_app.media.video.av_decoder import AvDecoder

        return AvDecoder(path)
    from fkp_app.media.video.opencv_codec import OpenCvDecoder

    return OpenCvDecoder(path)


@contextmanager
def _as_video_error(path: Path) -> Iterator[None]:
    """Raise every error of a library as VideoError."""
    try:
        yield
    except FkpError:
        raise
    except Exception as error:
        raise VideoError(problem_of(path, error)) from error


class VideoReader:
    """An open video. Iterating, which works once, yields each Frame.

    width, height: of every frame; frame_rate: frames per second, on average; frame_count: as the file states or
    estimated, or None; has_sound: always False if OpenCV reads the file. A frame's time says when it is shown, also if
    the frame rate varies; times always grow.

    notes: lines that a user should know, complete after the last frame. truncated: whether frames are missing, as the
    file ends too early or is damaged. unkept: the parts of the file that no written video keeps, in words. Iterating
    raises VideoError if the rest of the file cannot be read.
    """

    def __init__(self, path: Path, decoder: Decoder) -> None:
        self.path, self._notes = path, list[str]()
        self._decoder = decoder
        self._pictures = decoder.pictures()
        try:
            first = next(self._pictures, None)
            if first is None:
                why = decoder.problems[0] if decoder.problems else "may be damaged"
                raise VideoError(f"{path}: holds no pictures that can be read; it {why}")
            self._start(*first)
        except BaseException:
            decoder.close()
            raise

    def _start(self, at: float | None, image: AnyArray) -> None:
        from fkp_app.media.video.shape import is_shape, square_pixels

        check_size(self.path, image.shape[1], image.shape[0])  # the file may have claimed another size
        claims = self._decoder.claims
        self.frame_rate, self.frame_count, self.has_sound = claims.frame_rate, claims.frame_count, claims.has_sound
        self.unkept = self._decoder.unkept
        if not FRAME_RATES[0] <= claims.frame_rate <= FRAME_RATES[1]:
            self.frame_rate = FRAME_RATE
            self._notes.append(f"claims {claims.frame_rate:g} frames per second, which is taken as {FRAME_RATE:g}")
        self._stored, self._aspect = image.shape, claims.pixel_aspect
        if not is_shape(self._aspect, image.shape[1], image.shape[0]):
            self._notes.append(f"claims pixels {self._aspect:.3g} times as wide as high, which are taken as square")
            self._aspect = 1.0
        self._first = at, square_pixels(image, self._aspect)
        self.height, self.width = self._first[1].shape[:2]

    @property
    def notes(self) -> list[str]:
        """What a user should know so far, one line per note."""
        return [f"{self.path}: {text}" for text in (*self._notes, *self._decoder.notes, *self._decoder.problems)]

    @property
    def truncated(self) -> bool:
        """Whether frames are missing, as far as the file was read."""
        return bool(self._decoder.problems)

    def __iter__(self) -> Iterator[Frame]:
        from fkp_app.media.video.shape import letterboxed, square_pixels  # loads OpenCV

        clock, odd = Clock(self.frame_rate), 0
        at, image = self._first
        frame = Frame(0, clock(at), image)
        yield frame
        while True:
            with _as_video_error(self.path):
                found = next(self._pictures, None)
                if found is None:
                    break
                at, picture = found
                if picture.shape == self._stored:
                    image = square_pixels(picture, self._aspect)
                else:
                    odd += 1
                    image = letterboxed(picture, self.width, self.height, self._aspect)
            frame = Frame(frame.index + 1, clock(at), image)
            yield frame
        if odd:
            size = f"{self.width} x {self.height}"
            self._notes.append(f"{odd} of its frames, of another size than the first, were fitted into {size}")
        if clock.jumps:
            self._notes.append(f"has times that jump, {clock.jumps} in all; after each, frames follow the last time")

    def close(self) -> None:
        """Close the file."""
        self._decoder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
