"""Whether a file has all the bytes that its outermost parts claim. If not, it was certainly cut off."""

import struct
from pathlib import Path
from typing import BinaryIO

BOXES = frozenset([b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"moof", b"sidx", b"styp", b"uuid", b"mfra"])
"""Names of the outermost parts (boxes) of an MP4 or MOV."""
MOST_BOXES = 100_000
"""Most boxes that are looked at."""
EBML, SEGMENT = b"\x1aE\xdf\xa3", b"\x18S\x80g"
"""The name of the part that a Matroska or WebM file begins with, and of the part that holds all the rest."""
ASF, ASF_SIZE = b"\x30\x26\xb2\x75", bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
"""The first bytes of an ASF or WMV file, and the name of the part that states the file's size."""
OPEN_RIFF = 0x7FFFFFF0
"""Programs that write an AVI without knowing its end claim at least this many bytes, or none."""


def is_riff(path: Path) -> bool:
    """Whether a file is an AVI, the only format that states how many frames are shown: an MP4 may hide some."""
    with path.open("rb") as file:
        return file.read(4) == b"RIFF"


def short_of(path: Path) -> str | None:
    """How many bytes are missing, in words; None if none are, or the file does not state how many it has."""
    size = path.stat().st_size
    with path.open("rb") as file:
        begin = file.read(12)
        if begin[:4] == EBML:
            claimed = _matroska(file)
        elif begin[:4] == b"RIFF":
            length = struct.unpack("<I", begin[4:8])[0] if len(begin) == 12 else 0
            claimed = 8 + length if length < OPEN_RIFF else 0
        elif begin[:4] == ASF:
            claimed = _asf(file)
        else:
            claimed = _boxes(file, size)
    return f"holds {size:,} of the {claimed:,} bytes that it claims" if size < claimed else None


def _boxes(file: BinaryIO, size: int) -> int:
    """The offset at which an MP4's last box would end; 0 for another kind of file."""
    at = 0
    for _ in range(MOST_BOXES):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8 or head[4:8] not in BOXES:
            break
        length = int.from_bytes(head[:4], "big")
        if length == 1 and len(head) == 16:  # a longer length follows the name
            length = int.from_bytes(head[8:16], "big")
        if length < 8:  # 0: extends to the end of the file
            break
        at += length
        if at >= size:
            break
    return at


def _asf(file: BinaryIO) -> int:
    """The size of the whole file, which follows the name, the size and the file's ID in its part; 0 if not found."""
    file.seek(0)
    head = file.read(1 << 16)
    at = head.find(ASF_SIZE) + 40
    return int.from_bytes(head[at : at + 8], "little") if at >= 40 else 0


def _matroska(file: BinaryIO) -> int:
    """The offset at which the segment would end; 0 if it states no length."""
    file.seek(4)
    header = _number(file)
    if header is None or header > 1 << 16:
        return 0
    file.seek(header, 1)
    if file.read(4) != SEGMENT:
        return 0
    length = _number(file)
    return 0 if length is None else file.tell() + length


def _number(file: BinaryIO) -> int | None:
    """Read an EBML number: one zero bit per further byte, a one, then the value; None if all bits are ones: unknown."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] ^ (0x80 >> more)]) + file.read(more), "big")
    return None if value == (1 << (7 * (more + 1))) - 1 else value
