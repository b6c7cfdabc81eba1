"""JPEG files: keeps the segments that the pixels need, and reads metadata from the others."""

import hashlib
import io
import re
from collections.abc import Iterator

from PIL import Image

from fkp_app.media.images import profiles
from fkp_app.media.images.contents import BROKEN, CUT, Contents, RefusedError
from fkp_app.media.images.exif import orientation_of

MAX_SCANS = 100
"""Most scans of a file. Encoders write about ten; each is a pass over all pixels, however small the file is."""
MAX_WORK = 4_000_000_000
"""Most scans times pixels."""

MAX_SEGMENTS = 10_000
"""Most segments that are looked at."""
_EOI, _SOS, _APP1, _APP2 = 0xD9, 0xDA, 0xE1, 0xE2
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_NEEDED = {0xC4, 0xCC, 0xDB, 0xDD, 0xE0, 0xEE} | _FRAMES
"""Markers of tables and sizes, and of the segments in which JFIF and Adobe state the colours."""
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
"""Markers without a length."""
_MARKER = re.compile(rb"\xff([^\0\xd0-\xd7\xff])")
"""A marker; more bytes of 0xFF may stand before it. In a scan, 0xFF before a zero is data, and before 0xD0 .. 0xD7 a
restart; neither ends the scan."""
_POSSIBLE_TAILS = (b"", bytes(64), b"\x55" * 64, b"\xaa" * 64, b"\x6d\xb6\xdb" * 21)
"""Examples of bytes that may have followed where a file was cut off."""


def read_jpeg(data: bytes) -> Contents:
    """The first picture of a JPEG file. RefusedError if it has too many scans, not one size, or lacks pixels."""
    kept, exif, xmp, icc, remarks = [b"\xff\xd8"], b"", b"", list[bytes](), list[str]()
    scans, frames, pixels, missing = 0, 0, 0, set[tuple[int, int]]()
    head, end = 0, 0
    for marker, start, stop in _segments(data):
        body = data[start + 4 : min(stop, start + (1 << 16) + 2)]
        if marker == _EOI:
            end = start
            break
        if marker == _SOS:
            scans, head = scans + 1, head or start
            missing -= _completed_by(body)
        elif marker in _FRAMES and len(body) >= 6:
            frames += 1
            pixels = int.from_bytes(body[1:3], "big") * int.from_bytes(body[3:5], "big")
            missing = {(component, i) for component in body[6 : 6 + 3 * body[5] : 3] for i in range(64)}
        if scans:  # segments between scans stay where they are
            continue
        if marker == _APP1 and body.startswith(b"Exif\0\0"):
            exif = exif or body
        elif marker == _APP1 and body.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
            xmp = xmp or body
        elif marker == _APP2 and body.startswith(b"ICC_PROFILE\0"):
            icc.append(body[12:])
        elif marker in _NEEDED:
            kept.append(data[start:stop])
    if frames != 1:  # of several, Pillow would believe one and libjpeg another
        raise RefusedError(f"is truncated or damaged (it states its size {frames} times, not once)")
    if scans > MAX_SCANS or scans * pixels > MAX_WORK:
        raise RefusedError(f"has {scans} scans, which would take minutes to read; save it again as an ordinary JPEG")
    if scans and not end:
        data = _with_end(b"".join(kept) + data[head:].rstrip(b"\xff"), bool(missing))
        remarks.append(CUT)
    else:
        data = b"".join([*kept, data[head : end + 2]])
    turn, adobe_rgb = orientation_of(exif, xmp, remarks)
    profile = profiles.adobe_rgb() if adobe_rgb and not icc else _joined_profile(icc)
    return Contents("JPEG", io.BytesIO(data), turn, profile, remarks=remarks)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and stop of each segment of the first picture. The coded pixels of a scan are in no segment."""
    place, count = 2, 0
    while match := _MARKER.search(data, place):
        start, marker = match.end() - 2, match[1][0]
        place = start + 2
        if marker not in _WITHOUT_LENGTH and marker != _EOI:
            place += max(2, int.from_bytes(data[place : place + 2], "big"))
        yield marker, start, place
        count += 1
        if marker == _EOI or count > MAX_SEGMENTS:
            return


def _completed_by(body: bytes) -> set[tuple[int, int]]:
    """The coefficients (component, number) that a scan completes down to their last bit."""
    count = body[0] if body else 0
    if len(body) < 4 + 2 * count:
        return set()
    first, last, bits = body[1 + 2 * count : 4 + 2 * count]
    if bits & 15:
        return set()
    return {(component, i) for component in body[1 : 1 + 2 * count : 2] for i in range(first, last + 1)}


def _with_end(data: bytes, lacks_scans: bool) -> bytes:
    """A cut-off picture with an end appended. RefusedError if the missing bytes could have changed its pixels."""
    seen = set()
    for tail in () if lacks_scans else _POSSIBLE_TAILS:
        with Image.open(io.BytesIO(data + tail + b"\xff\xd9"), formats=["JPEG"]) as picture:
            seen.add(hashlib.blake2b(picture.tobytes()).digest())
        if len(seen) > 1:
            break
    if len(seen) != 1:
        raise RefusedError("is truncated or damaged (its end is missing)")
    return data + b"\xff\xd9"


def _joined_profile(parts: list[bytes]) -> bytes | None:
    """The profile from its parts, each of which begins with its number and the number of parts."""
    if not parts:
        return None
    ordered = sorted(parts, key=lambda part: part[:1])
    numbers = [part[0] for part in ordered if len(part) >= 2]
    if numbers != list(range(1, len(parts) + 1)) or ordered[0][1] != len(parts):
        return BROKEN
    return b"".join(part[2:] for part in ordered)
