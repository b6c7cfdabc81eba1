"""Video files -> frames: uint8 RGB, upright, each with its time; read by PyAV if it is installed, else by OpenCV."""

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
        *(".264", ".265", ".h264", ".h265", ".hevc", ".m1v", ".m2v", ".mjpeg", ".mjpg"),  # frames alone, no times
    )
)
"""What counts as a video among other files. What a file really is decides its content."""
FRAME_RATE = 25.0
"""Frames a second where a file does not say it, or says nonsense."""


@dataclass(frozen=True)
class Frame:
    """index: 0, 1, ... as delivered; time: in seconds since the video began; image: uint8 RGB (H, W, 3)."""

    index: int
    time: float
    image: AnyArray


def open_video(path: str | Path, library: Library | None = None) -> "VideoReader":
    """The video in a file; library: which one reads it, PyAV where None and installed, else OpenCV.

    VideoError where the file is missing, empty, a pipe or device, no video, a list of other files, without pictures, in
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
    with _foreseen(path):
        return VideoReader(path, _decoder(path, library))


def _decoder(path: Path, library: Library | None) -> Decoder:
    if library == "av" or (library is None and has_av()):
        from fkp_app.media.video.av_decoder import AvDecoder

        return AvDecoder(path)
    from fkp_app.media.video.opencv_codec import OpenCvDecoder

    return OpenCvDecoder(path)


@contextmanager
def _foreseen(path: Path) -> Iterator[None]:
    """Whatever a library raises on a file, as VideoError."""
    try:
        yield
    except FkpError:
        raise
    except Exception as error:
        raise VideoError(problem_of(path, error)) from error


class VideoReader:
    """Iterating, once, gives each Frame. width, height: of all of them; frame_rate: the average, frames a second;
    frame_count: what the file claims, an estimate, or None; has_sound: False also where only OpenCV can tell.

    Frames are numbered by time, which always grows: where frame rates vary it says when a frame is shown. notes: what
    one should know, a line each, complete once the last frame was given. truncated: whether frames are missing, since
    the file ends too early or is damaged. unkept: what the file holds that no written video keeps, in words.
    VideoError, also in the middle, where the file cannot be read on.
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
            self._notes.append(f"claims {claims.frame_rate:g} frames a second, which is taken as {FRAME_RATE:g}")
        self._stored, self._aspect = image.shape, claims.pixel_aspect
        if not is_shape(self._aspect, image.shape[1], image.shape[0]):
            self._notes.append(f"claims pixels {self._aspect:.3g} times as wide as high, which are taken as square")
            self._aspect = 1.0
        self._first = at, square_pixels(image, self._aspect)
        self.height, self.width = self._first[1].shape[:2]

    @property
    def notes(self) -> list[str]:
        """What one should know so far, a line each."""
        return [f"{self.path}: {text}" for text in (*self._notes, *self._decoder.notes, *self._decoder.problems)]

    @property
    def truncated(self) -> bool:
        """Whether frames were found to be missing so far."""
        return bool(self._decoder.problems)

    def __iter__(self) -> Iterator[Frame]:
        from fkp_app.media.video.shape import letterboxed, square_pixels  # which load OpenCV

        clock, odd = Clock(self.frame_rate), 0
        at, image = self._first
        frame = Frame(0, clock(at), image)
        yield frame
        while True:
            with _foreseen(self.path):
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
            self._notes.append(f"has times that jump, {clock.jumps} in all; from there on its frames are counted")

    def close(self) -> None:
        """Close the file."""
        self._decoder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
