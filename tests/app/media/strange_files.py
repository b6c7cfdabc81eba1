"""Builds image files by hand, with any metadata, directories, chunks and segments, and checks how they are read."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from fkp_app.media.images import ImageError, read_image

LEFT_OUT = "image: has metadata that cannot be read; it was left out"
CUT = "image: lacks its end, though every pixel is there"
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 10: 8, 13: 4}


def picture(height=40, width=56):
    """A picture without any symmetry, uint8 RGB."""
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([4 * x, 5 * y, 2 * (x + y)], axis=2).astype(np.uint8)
    rgb[4:16, 6:18] = (250, 20, 60)
    return rgb


ROTATED = picture().transpose(1, 0, 2)[:, ::-1]  # shown with orientation 6


def saved(rgb, kind, **options):
    """The bytes of a file."""
    file = io.BytesIO()
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {}) | options
    Image.fromarray(rgb).save(file, kind, **options)
    return file.getvalue()


def directory(place, *tags, after=0, order="<"):
    """A directory at offset `place` of a TIFF file, followed by the values that do not fit into it. tags: number, type
    and the values' bytes, or number, type, count and the bytes of the entry itself."""
    entries, more = b"", b""
    behind = place + 2 + 12 * len(tags) + 4
    for number, kind, *values in tags:
        if len(values) == 2:
            entries += struct.pack(f"{order}HHI", number, kind, values[0]) + values[1]
            continue
        data = values[0]
        entries += struct.pack(f"{order}HHI", number, kind, len(data) // SIZES.get(kind, 1))
        if len(data) > 4:
            entries += struct.pack(f"{order}I", behind + len(more))
            more += data + bytes(len(data) % 2)
        else:
            entries += data.ljust(4, b"\0")
    return struct.pack(f"{order}H", len(tags)) + entries + struct.pack(f"{order}I", after) + more


def exif(*tags, order="<"):
    """An EXIF block as it stands in a JPEG file."""
    mark = b"II" if order == "<" else b"MM"
    return b"Exif\0\0" + mark + struct.pack(f"{order}HI", 42, 8) + directory(8, *tags, order=order)


def short(*numbers, order="<"):
    return struct.pack(f"{order}{len(numbers)}H", *numbers)


def long(*numbers, order="<"):
    return struct.pack(f"{order}{len(numbers)}I", *numbers)


def page(rgb, place, pixels, *tags, after=0):
    """The directory of an uncompressed RGB page whose pixels lie at `pixels`."""
    height, width = rgb.shape[:2]
    own = {
        256: (256, 4, long(width)),
        257: (257, 4, long(height)),
        258: (258, 3, short(8, 8, 8)),
        259: (259, 3, short(1)),
        262: (262, 3, short(2)),
        273: (273, 4, long(pixels)),
        277: (277, 3, short(3)),
        278: (278, 4, long(height)),
        279: (279, 4, long(rgb.size)),
    } | {tag[0]: tag for tag in tags}
    return directory(place, *(own[number] for number in sorted(own)), after=after)


def tiff(*pages):
    """A TIFF file of pages; each page is an RGB array, or a tuple of an RGB array and further tags."""
    arrays = [(each, ()) if isinstance(each, np.ndarray) else (each[0], each[1:]) for each in pages]
    body, place = b"", 8
    for number, (rgb, tags) in enumerate(arrays):
        pixels = rgb.tobytes()
        length = len(page(rgb, 0, 0, *tags))
        after = place + len(pixels) + length + arrays[number + 1][0].size if number + 1 < len(arrays) else 0
        body += pixels + page(rgb, place + len(pixels), place, *tags, after=after)
        place += len(pixels) + length
    return b"II*\0" + struct.pack("<I", 8 + arrays[0][0].size) + body


def chunk(name, body, right=True):
    """A chunk of a PNG file, with the right checksum or a wrong one."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body) ^ (not right))


def png_with(rgb, *chunks, before=True):
    """A PNG file with further chunks before or after its pixels."""
    data = saved(rgb, "PNG")
    place = 33 if before else len(data) - 12
    return data[:place] + b"".join(chunks) + data[place:]


def webp_with(rgb, *chunks):
    """A lossless WebP file with further chunks after its pixels."""
    data = saved(rgb, "WEBP")
    height, width = rgb.shape[:2]
    flags = sum({b"EXIF": 8, b"XMP ": 4, b"ICCP": 32}.get(name, 0) for name, _ in chunks)
    header = bytes([flags, 0, 0, 0]) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    every = [(b"VP8X", header), (data[12:16], data[20:]), *chunks]
    body = b"WEBP" + b"".join(n + struct.pack("<I", len(b)) + b + bytes(len(b) % 2) for n, b in every)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg_with(rgb, *segments, kind="JPEG", **options):
    """A JPEG file with further segments after its first marker; each segment is a marker's number and a body."""
    data = saved(rgb, kind, **options)
    more = b"".join(bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body for marker, body in segments)
    return data[:2] + more + data[2:]


def check(data, expected, *notes, kind="PNG"):
    said = []
    image = read_image(io.BytesIO(data), said)
    np.testing.assert_allclose(image.astype(int), expected.astype(int), atol=25 if kind == "JPEG" else 0)
    assert said == list(notes)


def refused(data):
    with pytest.raises(ImageError) as error:
        read_image(io.BytesIO(data))
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix("image: ")
