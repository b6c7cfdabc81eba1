"""Video files -> frames: uint8 RGB, upright, each with its time; read by PyAV if it is installed, else by OpenCV."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from fkp_app.video.codecs import Decoder, Library, VideoError, has_av
from numpynet.typing import AnyArray

VIDEO_SUFFIXES = frozenset(
    [".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".webm", ".wmv"]
)
"""What counts as a video among other files. What a file really is decides its content."""
FRAME_RATE = 25.0
"""Frames a second where a file does not say it, or says nonsense."""
FRAME_RATES = (0.1, 500.0)
"""What is believed: 1000 stands in files that only say that their times are milliseconds."""


@dataclass(frozen=True)
class Frame:
    """index: 0, 1, ... as delivered; time: in seconds since the video began; image: uint8 RGB (H, W, 3)."""

    index: int
    time: float
    image: AnyArray


def open_video(path: str | Path, library: Library | None = None) -> "VideoReader":
    """The video in a file; library: which one reads it, PyAV where None and installed, else OpenCV.

    VideoError where the file is missing, empty, no video, without pictures, in an unknown codec or larger than
    8192 x 8192 pixels.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise VideoError(f"{path}: is a directory, not a video")
        if path.stat().st_size == 0:
            raise VideoError(f"{path}: is empty")
        with path.open("rb"):
            pass
    except (FileNotFoundError, NotADirectoryError):
        raise VideoError(f"{path}: no such file") from None
    except OSError as error:
        raise VideoError(f"{path}: cannot be read ({error.strerror})") from None
    return VideoReader(path, _decoder(path, library))


def _decoder(path: Path, library: Library | None) -> Decoder:
    if library == "av" or (library is None and has_av()):
        from fkp_app.video.av import AvDecoder

        return AvDecoder(path)
    from fkp_app.video.opencv import OpenCvDecoder

    return OpenCvDecoder(path)


class VideoReader:
    """Iterating, once, gives each Frame. width, height: of all of them; frame_rate: the average, frames a second;
    frame_count: what the file claims, an estimate, or None; has_sound: False also where only OpenCV can tell.

    Frames are numbered by time, which always grows: where frame rates vary it says when a frame is shown. notes: what
    one should know, a line each, complete once the last frame was given. truncated: whether frames are missing, since
    the file ends too early or is damaged.
    """

    def __init__(self, path: Path, decoder: Decoder) -> None:
        self.path, self.notes = path, list[str]()
        self._decoder = decoder
        self._pictures = decoder.pictures()
        try:
            first = next(self._pictures, None)
        except BaseException:
            decoder.close()
            raise
        if first is None:
            decoder.close()
            raise VideoError(f"{path}: holds no pictures that can be read; it may be damaged")
        from fkp_app.video.shape import square_pixels

        self._first = (first[0], square_pixels(first[1], decoder.claims.pixel_aspect))
        self.height, self.width = self._first[1].shape[:2]
        claims = decoder.claims
        self.frame_rate, self.frame_count, self.has_sound = claims.frame_rate, claims.frame_count, claims.has_sound
        if not FRAME_RATES[0] <= claims.frame_rate <= FRAME_RATES[1]:
            self.frame_rate = FRAME_RATE
            self._note(f"claims {claims.frame_rate:g} frames a second, which is taken as {FRAME_RATE:g}")

    @property
    def truncated(self) -> bool:
        """Whether frames were found to be missing so far."""
        return bool(self._decoder.problems)

    def __iter__(self) -> Iterator[Frame]:
        from fkp_app.video.shape import letterboxed, square_pixels  # which load OpenCV

        at, image = self._first
        frame = Frame(0, max(0.0, at or 0.0), image)
        yield frame
        odd = 0
        for at, picture in self._pictures:
            image = square_pixels(picture, self._decoder.claims.pixel_aspect)
            if image.shape[:2] != (self.height, self.width):
                odd += 1
                image = letterboxed(image, self.width, self.height)
            # Times that hardly move are counted in a nonsensical frame rate.
            follows = at is not None and at > frame.time + 0.5 / FRAME_RATES[1]
            time = at if at is not None and follows else frame.time + 1 / self.frame_rate
            frame = Frame(frame.index + 1, time, image)
            yield frame
        if odd:
            size = f"{self.width} x {self.height}"
            self._note(f"{odd} of its frames, of another size than the first, were fitted into {size}")
        for problem in self._decoder.problems:
            self._note(problem)

    def _note(self, text: str) -> None:
        self.notes.append(f"{self.path}: {text}")

    def close(self) -> None:
        """Close the file."""
        self._decoder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
