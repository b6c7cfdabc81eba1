"""Metadata of cameras and programs: the orientation is read beside odd tags, and broken EXIF counts as none."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from fkp_app.media.images import read_image
from fkp_app.media.images.formats import AVIF
from tests.app.media.strange_files import (
    LEFT_OUT,
    ROTATED,
    check,
    chunk,
    exif,
    jpeg_with,
    long,
    picture,
    png_with,
    saved,
    short,
    tiff,
    webp_with,
)

# Each of these tags is read beside orientation 6, which stands before or after it.
ODD_TAGS = {
    "signed rational of -1/0": (282, 10, struct.pack("<ii", -1, 0)),
    "rational of 0/0": (282, 5, struct.pack("<II", 0, 0)),
    "values beyond the end": (270, 2, 40, long(1 << 30)),
    "4 GB of values": (270, 7, 0xFFFFFFFF, long(8)),
    "unknown type": (270, 99, 3, long(8)),
    "text where a number belongs": (296, 2, b"inch\0"),
    "no values": (283, 5, 0, long(0)),
    "a directory that is none": (34665, 4, long(0xFFFFFFF0)),
    "a directory that leads to itself": (34665, 4, long(8)),
    "bytes that are no text": (315, 2, bytes(range(200, 240))),
}


def with_exif(kind, block):
    """A file with an EXIF block in which only the checksums are right."""
    if kind == "JPEG":
        return jpeg_with(picture(), (0xE1, block))
    if kind == "PNG":
        return png_with(picture(), chunk(b"eXIf", block[6:]))
    return webp_with(picture(), (b"EXIF", block[6:]))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("case", ODD_TAGS)
def test_the_orientation_is_read_beside_odd_tags(case, kind):
    turn, odd = (274, 3, short(6)), ODD_TAGS[case]
    for tags in ((turn, odd), (odd, turn)):
        check(with_exif(kind, exif(*tags)), ROTATED, kind=kind)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [3, 4, 1])
def test_the_orientation_in_either_byte_order_and_type(order, kind):
    value = struct.pack(order + {3: "H", 4: "I", 1: "B"}[kind], 6)
    check(with_exif("PNG", exif((274, kind, value), order=order)), ROTATED)


@pytest.mark.parametrize(
    "tag",
    [
        (274, 3, short(0)),
        (274, 3, short(9)),
        (274, 3, short(65535)),
        (274, 2, b"6\0"),
        (274, 5, struct.pack("<II", 6, 1)),
        (274, 3, 0, short(6, 0)),
        (274, 99, 1, long(6)),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_an_invalid_orientation(tag, kind):
    check(with_exif(kind, exif(tag)), picture(), kind=kind)


@pytest.mark.parametrize(
    "block",
    [
        b"Exif\0\0",
        b"Exif\0\0II",
        b"Exif\0\0" + b"nonsense that goes on",
        b"Exif\0\0II*\0" + long(4_000_000_000),
        b"Exif\0\0" + bytes(50),
        exif((274, 3, short(6)))[:14],
        exif((274, 3, short(6)))[:20],
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_that_cannot_be_read_counts_as_none(block, kind):
    note = () if block == b"Exif\0\0" and kind != "JPEG" else (LEFT_OUT,)
    check(with_exif(kind, block), picture(), *note, kind=kind)


def test_exif_that_claims_gigabytes_is_not_unpacked():
    """5000 entries that point to the same 60,000 bytes claim 0.3 GB; 20 MB of them in many segments claim 1.3 TB."""
    tags = [(number, 7, 60_000, long(8)) for number in range(40_000, 45_000)]
    check(jpeg_with(picture(), (0xE1, exif(*tags))), picture(), kind="JPEG")
    block = exif(*((number, 7, 20_000_000, long(8)) for number in range(40_000, 60_000))).ljust(3_000_000, b"\0")
    parts = [(0xE1, b"Exif\0\0" + block[i : i + 65_000]) for i in range(0, len(block), 65_000)]
    check(jpeg_with(picture(), *parts), picture(), kind="JPEG")


def test_xmp_turns_what_exif_does_not():
    xmp = b'<rdf:Description tiff:Orientation="6"/>'
    namespace = b"http://ns.adobe.com/xap/1.0/\0"
    check(jpeg_with(picture(), (0xE1, namespace + xmp)), ROTATED, kind="JPEG")
    check(png_with(picture(), chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)), ROTATED)
    packed = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp.replace(b'="6"', b">6<"))
    check(png_with(picture(), chunk(b"iTXt", packed)), ROTATED)
    check(webp_with(picture(), (b"XMP ", xmp)), ROTATED)
    both = jpeg_with(picture(), (0xE1, namespace + xmp), (0xE1, exif((274, 3, short(1)))))
    check(both, picture(), kind="JPEG")


def test_exif_as_imagemagick_writes_it():
    block = exif((274, 3, short(6))).hex().encode()
    text = b"\nexif\n%8d\n%s\n" % (len(block) // 2, block)
    check(png_with(picture(), chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text))), ROTATED)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_with_odd_tags_is_turned_once(orientation):
    odd = [ODD_TAGS[case] for case in ODD_TAGS if "beyond" not in case and "4 GB" not in case]
    chosen = {tag[0]: tag for tag in odd}.values()
    stored = {1: picture(), 6: ROTATED}.get(orientation)
    said = []
    image = read_image(io.BytesIO(tiff((picture(), (274, 3, short(orientation)), *chosen))), said)
    assert image.shape[:2] == ((56, 40) if orientation > 4 else (40, 56))
    assert said == []
    if stored is not None:
        np.testing.assert_array_equal(image, stored)


@pytest.mark.skipif(not AVIF, reason="this Pillow reads no AVIF")
def test_an_avif_with_odd_exif():
    block = exif((274, 3, short(6)), ODD_TAGS["signed rational of -1/0"])
    whole = saved(
        picture(), "AVIF", quality=100, subsampling="4:4:4", exif=exif((274, 3, short(6)), (270, 2, b"abcdefghijk\0"))
    )
    image = read_image(io.BytesIO(whole))
    assert image.shape == (56, 40, 3)
    assert np.abs(image.astype(int) - ROTATED).mean() < 3
    place = whole.index(b"II*\0")
    broken = whole[: place + 8] + block[14 : 14 + 20].ljust(20, b"\xff") + whole[place + 28 :]
    np.testing.assert_array_equal(read_image(io.BytesIO(broken)), image)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_without_a_tag_is_no_damage(kind):
    """A program that copies EXIF from a picture without EXIF writes such a block."""
    file = io.BytesIO()
    Image.fromarray(picture()).save(file, kind, exif=Image.Exif(), lossless=True, quality=100, subsampling=0)
    notes = []
    read_image(io.BytesIO(file.getvalue()), notes)
    assert notes == []
