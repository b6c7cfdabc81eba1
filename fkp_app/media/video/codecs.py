"""What a library must provide to read and write videos, and the limits that hold for every library."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from fkp_app.errors import FkpError
from numpynet.typing import AnyArray

Library = Literal["av", "opencv"]

MAX_SIDE = 8192
"""Largest width and height, in pixels, of a video that is read."""
OLDEST_AV = (17, 1)
"""Older versions of PyAV silently mix up colours if a video is coded differently from the one read before it."""
FRAME_RATES = (0.1, 500.0)
"""Least and largest frame rate that is believed. 1000 only means that a file's times are milliseconds."""


END_MARGIN = 0.3
"""Seconds by which a whole video may end before the end that it claims: sound and pictures seldom end together, and
counts of frames are often rounded."""


class VideoError(FkpError):
    """A file that cannot be read as a video."""


@dataclass(frozen=True)
class Claims:
    """What a file states about itself.

    frame_rate: frames per second, 0 if not stated; frame_count: None if not stated, often an estimate; pixel_aspect:
    the width of a pixel over its height.
    """

    frame_rate: float
    frame_count: int | None
    has_sound: bool
    pixel_aspect: float = 1.0


class Decoder(Protocol):
    """A video opened by one library: `av_decoder.AvDecoder` or `opencv_codec.OpenCvDecoder`."""

    claims: Claims
    problems: list[str]
    """Damage and missing parts found so far, one text per problem."""
    notes: list[str]
    """What was chosen, converted or left out so far, one text per note. Damage is not among them."""
    unkept: str
    """The parts of the file that no written video keeps, in words; empty if there are none or it cannot be told."""

    def pictures(self) -> Iterator[tuple[float | None, AnyArray]]:
        """Each picture, uint8 RGB (H, W, 3), upright, and its time in seconds, None if unknown."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class EncodingError(Exception):
    """Why a video cannot be written, in a few words."""


class Encoder(Protocol):
    """A video that one library writes: `av_encoder.AvEncoder` or `opencv_codec.OpenCvEncoder`."""

    notes: list[str]
    """What a user should know about the written file, one text per note."""

    def write(self, image: AnyArray, time: float) -> None:
        """Add an RGB frame that is shown from `time` (seconds) on."""
        ...

    def finish(self) -> None:
        """Write the packets that are still held back, and close the file."""
        ...

    def abandon(self) -> None:
        """Close the file, which is then discarded."""
        ...


def has_av() -> bool:
    """Whether PyAV is installed, can be loaded and is new enough. If not, OpenCV reads and writes, and says so."""
    try:
        import av
    except (ImportError, OSError):
        return False
    return new_enough(av.__version__)


def new_enough(version: str) -> bool:
    """Whether this version of PyAV gets colours right."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= OLDEST_AV


def check_size(path: Path, width: int, height: int) -> None:
    """VideoError if a side of a video is longer than MAX_SIDE. To be called before memory is allocated."""
    if max(width, height) > MAX_SIDE:
        raise VideoError(f"{path}: has {width} x {height} pixels, more than {MAX_SIDE} x {MAX_SIDE}; make it smaller")
