"""WebP files: keeps the chunks that the pixels need, and reads metadata from the others."""

import io
import struct

from fkp_app.media.images.contents import CUT, Contents
from fkp_app.media.images.exif import orientation_of

_METADATA = {b"ICCP": 0x20, b"EXIF": 0x08, b"XMP ": 0x04}
"""Chunks of metadata, and the bit of each in the header."""
_PIXELS = (b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF")


def read_webp(data: bytes) -> Contents:
    """The first frame of a WebP file."""
    kept: list[bytes] = []
    found: dict[bytes, bytes] = {}
    remarks: list[str] = []
    place, frames, cut = 12, 0, False
    end = 8 + int.from_bytes(data[4:8], "little")
    while place + 8 <= len(data):
        name, (length,) = data[place : place + 4], struct.unpack_from("<I", data, place + 4)
        if place >= end and name not in (*_METADATA, *_PIXELS):  # bytes that something appended to the file
            break
        body = data[place + 8 : place + 8 + length]
        place += 8 + length + length % 2
        cut = cut or len(body) < length
        if name == b"VP8X" and len(body) >= 10:
            body = bytes([body[0] & ~sum(_METADATA.values())]) + body[1:]
        frames += name == b"ANMF"
        if name in _METADATA and len(body) == length:
            found.setdefault(name, body)
        elif name not in _METADATA and frames < 2 and name in _PIXELS:
            kept.append(name + struct.pack("<I", length) + body + b"\0" * (len(body) % 2))
    if cut or place > len(data) + 1:
        remarks.append(CUT)
    body = b"WEBP" + b"".join(kept)
    stream = io.BytesIO(b"RIFF" + struct.pack("<I", len(body)) + body)
    turn, _ = orientation_of(found.get(b"EXIF"), found.get(b"XMP "), remarks)
    return Contents("WEBP", stream, turn, found.get(b"ICCP"), max(1, frames), remarks=remarks)
