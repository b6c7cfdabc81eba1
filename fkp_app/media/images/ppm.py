"""PPM, PGM and PBM files: converts to bytes the levels that Pillow would read one by one."""

import io
import re
import warnings

import numpy as np

from fkp_app.media.images.contents import Contents, RefusedError
from numpynet.typing import AnyArray

_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
_HEADER = re.compile(rb"P[2356]" + (_GAP + rb"(\d{1,9})") * 3 + rb"\s")
_BITMAP = re.compile(rb"P1" + (_GAP + rb"(\d{1,9})") * 2 + rb"\s")
_LONGEST_HEADER = 1 << 14
"""In bytes. A regular expression takes a hundred bytes of memory for each byte between two numbers."""
_STEP = 1 << 22
"""Levels that are scaled at once."""


def read_ppm(data: bytes) -> Contents:
    """A picture of the PPM family. RefusedError if it holds fewer levels than its size needs."""
    plain = data[:2] in (b"P1", b"P2", b"P3")
    match = (_BITMAP if data[:2] == b"P1" else _HEADER).match(data, 0, _LONGEST_HEADER)
    if match is None:
        return Contents("PPM", io.BytesIO(data))
    width, height, most = (*map(int, match.groups()), 1)[:3]
    if not plain and (most == 255 or (data[:2] == b"P5" and most == 65535)):
        return Contents("PPM", io.BytesIO(data))
    kind = b"P6" if data[:2] in (b"P3", b"P6") else b"P5"
    count = width * height * (3 if kind == b"P6" else 1)
    rest = data[match.end() :]
    levels = _levels_of_text(data[:2], rest) if plain else _levels(rest, 2 if most > 255 else 1)
    if len(levels) < count or not 0 < most < 65536:
        raise RefusedError("is truncated or damaged (not enough image data)")
    scaled = np.empty(count, np.uint8)
    for start in range(0, count, _STEP):
        part = levels[start : min(count, start + _STEP)].astype(np.uint32)
        scaled[start : start + _STEP] = (np.minimum(part, most) * 510 + most) // (2 * most)
    return Contents("PPM", io.BytesIO(b"%s\n%d %d\n255\n" % (kind, width, height) + scaled.tobytes()))


def _levels(data: bytes, width: int) -> AnyArray:
    """The levels of a binary file, `width` bytes per level."""
    return np.frombuffer(memoryview(data)[: len(data) // width * width], f">u{width}")


def _levels_of_text(kind: bytes, text: bytes) -> AnyArray:
    """The levels of a text file. The digits of a bitmap need no gaps between them, and 1 is black."""
    text = re.sub(rb"#[^\r\n]*", b"", text)
    if kind == b"P1":
        return 1 - (np.frombuffer(text.translate(None, b" \t\n\v\f\r"), np.uint8) & 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # text after the last number
        return np.fromstring(text.decode("latin-1"), np.float64, sep=" ").clip(0, 65535).astype(np.uint16)
