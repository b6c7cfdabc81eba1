"""Arrays as PNG pictures in text, with the standard library alone.

A number becomes one of 63 colours (numpynet.learn.colours), the deepest fixed by the largest absolute value of the
array. So a picture tells the sign, and its number to about a thirtieth of the largest one.
"""

import base64
import math
import struct
import zlib

import numpy as np

from numpynet.learn.colours import palette
from numpynet.typing import AnyArray, Array

ZERO = 32
"""The colour of the number 0; index 0 is the transparent gap between maps, 1 .. 63 are colours."""
STEPS = 31
"""Colours on each side of zero."""
PALETTE = np.concatenate([np.zeros((1, 3), np.uint8), palette(STEPS)])
"""The colours (64, 3) uint8."""
GRAYS = np.repeat(np.concatenate([[0], np.rint(np.linspace(0, 255, 2 * STEPS + 1))]), 3).reshape(64, 3).astype(np.uint8)
"""For photos: from black for 0 to white for the largest number."""


def gray_levels(maps: Array) -> AnyArray:
    """The index in GRAYS, uint8, of each number from 0 to the largest one."""
    return np.rint(1 + maps / max(float(maps.max(initial=0)), 1e-12) * 2 * STEPS).astype(np.uint8)


def levels(maps: Array) -> AnyArray:
    """The index in PALETTE, uint8, of each number: ZERO for 0, ZERO ± STEPS for the largest absolute value."""
    largest = float(np.abs(maps).max(initial=0))
    scaled = maps / largest * STEPS if largest > 0 else np.zeros_like(maps)
    return np.rint(ZERO + scaled).astype(np.uint8)


def tiled(maps: AnyArray) -> AnyArray:
    """Maps (K, H, W) side by side in one picture, row by row, with gaps of one pixel of index 0."""
    K, H, W = maps.shape
    columns = across(K)
    picture = np.zeros((math.ceil(K / columns) * (H + 1) - 1, columns * (W + 1) - 1), np.uint8)
    for k in range(K):
        top, left = k // columns * (H + 1), k % columns * (W + 1)
        picture[top : top + H, left : left + W] = maps[k]
    return picture


def across(count: int) -> int:
    """How many of `count` maps stand in one row of the picture: so many that few places stay empty."""
    if count <= 4:
        return count
    columns = range(math.isqrt(count - 1) + 1, math.ceil(math.sqrt(2 * count)) + 1)
    return min(columns, key=lambda each: -count % each)


def data_uri(picture: AnyArray, palette: AnyArray = PALETTE) -> str:
    """A picture (H, W) of colour indices as a PNG in an address (PNG specification, W3C 2003; RFC 2397).

    palette: (64, 3) uint8.
    """
    data = _file(picture, 3, (b"PLTE", palette.tobytes()), (b"tRNS", b"\x00"))
    return "data:image/png;base64," + base64.b64encode(data).decode("ascii")


def gray_uri(image: Array) -> str:
    """A gray image (H, W), 0 to 1, in 256 shades, as such an address."""
    data = _file(np.clip(np.rint(image * 255), 0, 255).astype(np.uint8), 0)
    return "data:image/png;base64," + base64.b64encode(data).decode("ascii")


def _file(pixels: AnyArray, kind: int, *before: tuple[bytes, bytes]) -> bytes:
    """A PNG file of pixels (H, W) uint8 (PNG Specification, third edition, W3C 2025).

    kind: 0 for gray, 3 for indices into a palette. before: the chunks that come before the pixels.
    """
    height, width = pixels.shape
    lines = np.concatenate([np.zeros((height, 1), np.uint8), pixels], axis=1)  # each line begins with filter 0
    header = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0))
    chunks = (header, *before, (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
