"""What an image file holds (pixels, still encoded, and metadata), and the errors of files that cannot be read."""

from dataclasses import dataclass, field
from typing import BinaryIO

from fkp_app.errors import FkpError

BROKEN = b""
"""`Contents.profile` of a file whose profile cannot be read."""


class ImageError(FkpError):
    """A file that cannot be read as an image."""


class RefusedError(ValueError):
    """Why a file is refused: the text that follows its name in the ImageError."""


@dataclass
class Contents:
    """What a format's reader found in a file.

    kind: Pillow's name of the format; stream: what Pillow decodes, only what the pixels need. orientation: EXIF's
    number, 1 if there is none. profile: an ICC profile, None if there is none. frames: number of pictures; parts: the
    remark about them. remarks: further remarks, each the text that follows the file's name in a note. white: the
    largest 16-bit level, 0 if levels are of another type; inverted: whether that level is black; signed: whether 32-bit
    levels may be negative.
    """

    kind: str
    stream: BinaryIO
    orientation: int = 1
    profile: bytes | None = None
    frames: int = 1
    parts: str = "is an animation of {} frames"
    remarks: list[str] = field(default_factory=list)
    white: int = 65535
    inverted: bool = False
    signed: bool = True


DAMAGED = "has metadata that cannot be read; it was left out"
"""The remark about a file whose pixels are whole, but whose metadata is damaged."""
CUT = "lacks its end, though every pixel is there"
"""The remark about a file that was cut off after its pixels."""
