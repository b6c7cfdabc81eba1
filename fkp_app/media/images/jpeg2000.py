"""JPEG 2000 files: reads their colour profile, which Pillow ignores."""

import struct
from collections.abc import Iterator
from typing import BinaryIO

from fkp_app.media.images.contents import BROKEN, Contents

MOST_HEADER = 1 << 24
"""Most bytes of the header box that are read."""
MOST_BOXES = 1000
"""Most boxes that are searched for the header box, which is among the first."""
_ICC = (2, 3)
"""Methods of a colour box that mean an ICC profile: a restricted one, or any."""


def read_jpeg2000(file: BinaryIO) -> Contents:
    """A JPEG 2000 file, or a bare codestream, which has no profile."""
    profile = None
    for name, body in _boxes(_header(file)):
        if name == b"colr" and profile is None and body[:1] and body[0] in _ICC:
            profile = body[3:] or BROKEN
    file.seek(0)
    return Contents("JPEG2000", file, profile=profile)


def _header(file: BinaryIO) -> bytes:
    """The content of the box `jp2h`, which consists of boxes that describe the pixels; nothing if there is none."""
    place = 0
    for _ in range(MOST_BOXES):
        file.seek(place)
        head = file.read(16)
        length, start = _length(head)
        if length < start or len(head) < 8:  # a bare codestream, damage, or the last box
            return b""
        if head[4:8] == b"jp2h":
            file.seek(place + start)
            return file.read(min(length - start, MOST_HEADER))
        place = min(place + length, 1 << 62)
    return b""


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each box."""
    place = 0
    while place + 8 <= len(data):
        length, start = _length(data[place : place + 16])
        length = length or len(data) - place
        if length < start:
            return
        yield data[place + 4 : place + 8], data[place + start : place + length]
        place += length


def _length(head: bytes) -> tuple[int, int]:
    """A box's length, 0 if it extends to the end of the file, and the offset of its content in it."""
    length = int.from_bytes(head[:4], "big")
    return (struct.unpack(">Q", head[8:])[0], 16) if length == 1 and len(head) == 16 else (length, 8)
