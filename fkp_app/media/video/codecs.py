"""What a library must do to read or write videos for us, and what is asked of every file, whichever does it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from fkp_app.errors import FkpError
from numpynet.typing import AnyArray

Library = Literal["av", "opencv"]

MAX_SIDE = 8192
"""Videos wider or higher are not read."""
OLDEST_AV = (17, 1)
"""Older versions of PyAV mix up colours, silently, where a video is not coded as the one before it."""
FRAME_RATES = (0.1, 500.0)
"""What is believed: 1000 stands in files that only say that their times are milliseconds."""


END_MARGIN = 0.3
"""Seconds by which a whole video may end before the end that it claims: sound and pictures seldom end together, and
counts of frames are often rounded."""


class VideoError(FkpError):
    """A file that cannot be read as a video."""


@dataclass(frozen=True)
class Claims:
    """What a file says of itself. frame_rate: 0 if nothing; frame_count: None if nothing, and often an estimate."""

    frame_rate: float
    frame_count: int | None
    has_sound: bool
    pixel_aspect: float = 1.0


class Decoder(Protocol):
    """A library's way to read a video: `av_decoder.AvDecoder` or `opencv_codec.OpenCvDecoder`."""

    claims: Claims
    problems: list[str]
    """What was found damaged or missing so far."""
    notes: list[str]
    """What was chosen, converted or left out so far, and is no damage."""
    unkept: str
    """What the file holds that no written video keeps, in words; empty where there is nothing or it cannot be told."""

    def pictures(self) -> Iterator[tuple[float | None, AnyArray]]:
        """Each picture, upright, and its time in seconds if that is known."""
        ...

    def close(self) -> None: ...


class EncodingError(Exception):
    """Why a video cannot be written, in a few words."""


class Encoder(Protocol):
    """A library's way to write a video: `av_encoder.AvEncoder` or `opencv_codec.OpenCvEncoder`."""

    notes: list[str]

    def write(self, image: AnyArray, time: float) -> None: ...

    def finish(self) -> None:
        """Write what is still held back, and close the file."""
        ...

    def abandon(self) -> None:
        """Close the file, which nobody will read."""
        ...


def has_av() -> bool:
    """Whether PyAV is installed, can be loaded and is new enough; otherwise OpenCV reads and writes, and says so."""
    try:
        import av
    except (ImportError, OSError):
        return False
    return new_enough(av.__version__)


def new_enough(version: str) -> bool:
    """Whether a PyAV of this version has colours right."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= OLDEST_AV


def check_size(path: Path, width: int, height: int) -> None:
    """VideoError where a video is larger than what is read; before memory is asked for."""
    if max(width, height) > MAX_SIDE:
        raise VideoError(f"{path}: has {width} x {height} pixels, more than {MAX_SIDE} x {MAX_SIDE}; make it smaller")
