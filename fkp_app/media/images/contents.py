"""What an image file holds: its pixels, still encoded, and what stands around them; and the error of one that fails."""

from dataclasses import dataclass, field
from typing import BinaryIO

from fkp_app.errors import FkpError

BROKEN = b""
"""The profile of a file that has one which cannot be read."""


class ImageError(FkpError):
    """A file that cannot be read as an image."""


class RefusedError(ValueError):
    """Why a file's content cannot be an image here: what follows its name in the ImageError."""


@dataclass
class Contents:
    """stream: what Pillow is given, of the format that it calls `kind`: the pixels and nothing that it need not see.

    orientation: as EXIF numbers it, 1 where there is none. profile: an ICC profile, None where there is none. frames:
    how many pictures there are, named `parts` in the note. remarks: what follows the file's name in further notes.
    white: the largest of 16-bit levels, 0 where levels are of other kinds; inverted: whether that is black; signed:
    whether levels of 32 bits may be negative.
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
"""The remark of a file whose pixels are whole and something else is not."""
CUT = "lacks its end, though every pixel is there"
"""The remark of a file that was cut off behind its pixels."""
