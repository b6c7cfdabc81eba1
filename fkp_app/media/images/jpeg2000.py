"""JPEG 2000 files: their colour profile, of which Pillow knows nothing."""

import struct
from collections.abc import Iterator
from typing import BinaryIO

from fkp_app.media.images.contents import BROKEN, Contents

MOST_HEADER = 1 << 24
"""Bytes."""
MOST_BOXES = 1000
"""That are looked at before the one that is sought, which is among the first."""
_ICC = (2, 3)
"""How a file says that it describes its colours by a profile: one of few kinds, or any."""


def read_jpeg2000(file: BinaryIO) -> Contents:
    """A JPEG 2000 file, or the bare pixels of one, which have no profile."""
    profile = None
    for name, body in _boxes(_header(file)):
        if name == b"colr" and profile is None and body[:1] and body[0] in _ICC:
            profile = body[3:] or BROKEN
    file.seek(0)
    return Contents("JPEG2000", file, profile=profile)


def _header(file: BinaryIO) -> bytes:
    """The content of the box in which boxes say what the pixels mean; nothing where there is none."""
    place = 0
    for _ in range(MOST_BOXES):
        file.seek(place)
        head = file.read(16)
        length, start = _length(head)
        if length < start or len(head) < 8:  # bare pixels, damage, or the last box
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
    """How long a box is, 0 where it goes on to the end, and where in it its content begins."""
    length = int.from_bytes(head[:4], "big")
    return (struct.unpack(">Q", head[8:])[0], 16) if length == 1 and len(head) == 16 else (length, 8)
