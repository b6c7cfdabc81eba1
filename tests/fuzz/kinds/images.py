"""Images of each format that is read."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fkp_app.media.images.contents import ImageError
from tests.fuzz.changes import ODD, rebuilt
from tests.fuzz.reader import Case, Reader

FILE = "image"
PIXELS = 4_000_000
"""The limit that is set for these files, as commands and the page set theirs. Memory then has a limit, too."""


_EXIF = zlib.compress(b"\nexif\n 8\n" + b"4d" * 9_000_000)
"""EXIF as text, packed: a few thousand bytes for 18 million."""


def _picture() -> Any:
    from PIL import Image

    rows, columns = np.mgrid[:24, :32]
    return Image.fromarray(np.stack([8 * columns, 10 * rows, 4 * (rows + columns)], axis=2).astype(np.uint8))


def _saved(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    _picture().convert(mode).save(file, kind, **options)
    return file.getvalue()


def _seeds() -> list[Case]:
    from PIL import Image, ImageCms, features

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[274] = 6
    both: dict[str, Any] = {"icc_profile": profile, "exif": exif.tobytes()}
    further = [_picture().rotate(90 * turn) for turn in (1, 2)]
    found = [
        *(_saved("JPEG", **both), _saved("JPEG", "CMYK"), _saved("JPEG", "L", progressive=True)),
        *(_saved("PNG", **both), _saved("PNG", "RGBA"), _saved("PNG", "P"), _saved("PNG", "I;16")),
        *(_saved("PNG", save_all=True, append_images=further), _saved("GIF", save_all=True, append_images=further)),
        *(_saved("BMP"), _saved("BMP", "P"), _saved("PPM"), b"P2 4 3 15\n1 2 3 4 5 6 7 8 9 10 11 12\n"),
        *(_saved("TIFF", **both), _saved("TIFF", compression="tiff_lzw"), _saved("TIFF", "CMYK", compression="jpeg")),
        *(_saved("TIFF", "1", compression="group4"), _saved("TIFF", "F"), _saved("TIFF", "LAB")),
        _saved("TIFF", save_all=True, append_images=further),
    ]
    if features.check("webp"):
        found += [_saved("WEBP", **both), _saved("WEBP", "RGBA", lossless=True)]
    if features.check("jpg_2000"):
        found.append(_saved("JPEG2000"))
    if features.check("avif"):
        found.append(_saved("AVIF", **both))
    return [{FILE: data} for data in found]


def _structure(case: Case) -> st.SearchStrategy[Case]:
    """PNG chunks with right checksums, or numbers of a file's head set to others."""
    data = case[FILE]
    return rebuilt(case, FILE, lambda rng: _chunks(data, rng) if data[1:4] == b"PNG" else _numbers(data, rng))


def _numbers(data: bytes, rng: np.random.Generator) -> bytes:
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        width, order = int(rng.choice([1, 2, 4])), str(rng.choice(["big", "little"]))
        at = int(rng.integers(min(len(out), 400)))
        number = int(rng.choice([*ODD[:10], 3, 5, 7, 17, 1000, 20_000])) % (1 << 8 * width)
        out[at : at + width] = number.to_bytes(width, order)  # type: ignore[arg-type]
    return bytes(out[: len(data)])


def _chunks(data: bytes, rng: np.random.Generator) -> bytes:
    parts, at = [], 8
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        parts.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    for _ in range(int(rng.integers(1, 4))):
        i = int(rng.integers(len(parts)))
        name, body = parts[i]
        way = rng.integers(6)
        if way == 0 and len(parts) > 1:
            del parts[i]
        elif way == 1:
            parts.insert(int(rng.integers(len(parts))), parts[i])
        elif way == 2:
            other = int(rng.integers(len(parts)))
            parts[i], parts[other] = parts[other], parts[i]
        elif way == 3:
            parts.insert(i, (b"iCCP", b"x\0\0" + zlib.compress(bytes(int(rng.choice([10, 10_000, 30_000_000]))), 9)))
        elif way == 4:
            parts.insert(i, (b"zTXt", b"Raw profile type exif\0\0" + _EXIF))
        else:
            parts[i] = (name, _numbers(body, rng) if body else rng.bytes(4))
    chunks = (
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in parts
    )
    return data[:8] + b"".join(chunks)


def _read(path: Path) -> None:
    from fkp_app.media.images.reading import read_image

    notes: list[str] = []
    image = read_image(path, notes, PIXELS)
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert image.size
    assert not any("\n" in note for note in notes)


READERS = [Reader("image", _seeds, FILE, _read, (ImageError,), structure=_structure, memory=300, few=40)]
