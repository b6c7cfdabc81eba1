"""AVIF files: reads their colours, and hides their metadata from Pillow, which fails if they are damaged."""

import io
import re
import struct

from fkp_app.media.images.contents import Contents
from fkp_app.media.images.profiles import HDR, hdr_name, profile_of


def read_avif(data: bytes) -> Contents:
    """An AVIF file. Its orientation is a property, which Pillow reports as EXIF; the file's own EXIF is ignored."""
    place, stop = 0, 0
    while place + 8 <= len(data) and not stop:
        (length,), name = struct.unpack_from(">I", data, place), data[place + 4 : place + 8]
        stop = place + length if name == b"meta" else 0
        place += max(8, length)
    head = data[:stop]
    remarks: list[str] = []
    profile = None
    if match := re.search(rb"colrnclx(..)(..)", head, re.DOTALL):
        primaries, transfer = (int.from_bytes(part, "big") for part in match.groups())
        remarks += [HDR.format(kind)] if (kind := hdr_name(transfer)) else []
        profile = profile_of(primaries, transfer)
    # The EXIF item gets a type of the same length that no decoder looks for.
    return Contents("AVIF", io.BytesIO(head.replace(b"Exif\0", b"free\0") + data[stop:]), 1, profile, remarks=remarks)
