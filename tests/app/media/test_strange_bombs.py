"""Image bombs, each of which would take minutes or gigabytes, and large pictures that are none."""

import io
import re
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from fkp_app.media.images import ImageError, read_image
from tests.app.media.strange_files import LEFT_OUT, check, chunk, long, picture, png_with, refused, saved, tiff


def scans(count):
    """A progressive JPEG whose last scan is repeated this many times."""
    data = saved(picture(), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * count + b"\xff\xd9"


def test_a_jpeg_of_many_scans_is_refused():
    check(scans(20), picture(), kind="JPEG")
    for count in (200, 20_000):
        assert re.match(r"has \d+ scans, .*; save it again as an ordinary JPEG$", refused(scans(count)))


def test_a_jpeg_that_says_several_sizes_is_refused():
    """Pillow allocates one size, and libjpeg writes the pixels of another one."""
    data = saved(picture(), "JPEG")
    place = data.index(b"\xff\xc0")
    size = data[place : place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")]
    small = size[:5] + struct.pack(">HH", 8, 8) + size[9:]
    for more in (small, size, b"\xff\xc2" + small[2:]):
        for where in (place, place + len(size)):
            assert refused(data[:where] + more + data[where:]) == (
                "is truncated or damaged (it states its size 2 times, not once)"
            )
    for other in (0xDE, 0xDC, 0xDF, 0xC8):  # markers that the two libraries read differently, or that only one knows
        hidden = bytes([0xFF, other]) + small[2:]
        check(data[: place + len(size)] + hidden + data[place + len(size) :], picture(), kind="JPEG")


def test_a_large_jpeg_may_have_fewer_scans():
    """The limit is on the work, scans times pixels. Only the header states the size."""
    data = bytearray(scans(60))
    place = data.index(b"\xff\xc2") + 5
    data[place : place + 4] = struct.pack(">HH", 15_000, 15_000)
    assert refused(bytes(data)).startswith("has 70 scans")


def test_a_gif_of_endless_comments_and_frames():
    data = saved(picture(), "GIF")
    start = 13 + (3 << (data[10] & 7) + 1)
    comment = b"!\xfe" + (b"\xff" + b"x" * 255) * 20_000 + b"\0"
    expected = read_image(io.BytesIO(data))
    check(data[:start] + comment + data[start:], expected)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    many = data[:-1] + frame * 100_000 + b";"
    check(many, expected, "image: is an animation of 100001 frames, of which the first is used")


def test_a_png_of_bombs_in_its_texts():
    bomb = zlib.compress(bytes(100_000_000), 9)
    texts = [chunk(b"zTXt", b"Raw profile type exif\0\0" + bomb)] * 30 + [chunk(b"zTXt", b"Comment\0\0" + bomb)] * 30
    check(png_with(picture(), *texts), picture())
    check(png_with(picture(), *[chunk(b"IDAT", b"")] * 20_000), picture())


def test_a_text_of_a_png_that_is_no_exif_takes_little_memory():
    """Fifteen megabytes of hexadecimal digits and gaps."""
    text = zlib.compress(b"\nexif\n 8\n" + b"4d " * 5_000_000)
    data = png_with(picture(), chunk(b"zTXt", b"Raw profile type exif\0\0" + text))
    tracemalloc.start()
    try:
        check(data, picture(), LEFT_OUT)
        assert tracemalloc.get_traced_memory()[1] < 80e6
    finally:
        tracemalloc.stop()


def test_a_jpeg_of_a_megabyte_of_fill_bytes():
    """Between two segments any number of bytes of 0xFF may stand. Here what follows is no marker."""
    data = saved(picture(), "JPEG")
    check(data[:2] + b"\xff" * 1_000_000 + data[2:], picture(), kind="JPEG")
    assert "is truncated or damaged" in refused(data[:3] + b"\xff" * 1_000_000 + b"\0" + data[2:20])


def test_a_gray_picture_with_a_megabyte_of_spaces_in_its_header_takes_little_memory():
    tracemalloc.start()
    try:
        image = read_image(io.BytesIO(b"P2" + b" " * 1_000_000 + b"2 1 15 0 15\n"))
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(image[0, :, 0], [0, 255])


def test_a_tiff_of_a_thousand_large_pages_that_overlap():
    """A megabyte in which each page has 65,000 tags."""
    count, first = 65_000, tiff(picture())
    begin = len(first) + len(first) % 2
    body = bytearray(struct.pack("<HHII", 1, 3, 1, 0) * (count + 4000))
    for number in range(0, 4000, 4):
        struct.pack_into("<H", body, 12 * number, count)
        end = 12 * number + 2 + 12 * count
        struct.pack_into("<I", body, end, begin + 12 * (number + 4))
    data = bytearray(first.ljust(begin, b"\0") + body)
    struct.pack_into("<I", data, len(first) - 4 - 6, begin)  # the next page; the first one's bits per sample follow it
    image = read_image(io.BytesIO(bytes(data)), notes := [])
    np.testing.assert_array_equal(image, picture())
    assert notes == ["image: holds 6 pages, of which the first is used"]


def test_a_tiff_whose_tags_claim_terabytes():
    tags = [(number, 7, 40_000_000, long(8)) for number in range(40_000, 49_000)]
    check(tiff((picture(), *tags)), picture())
    tags = [(273, 4, 100_000_000, long(8)), (279, 4, 100_000_000, long(8)), (324, 4, 100_000_000, long(8))]
    assert "is truncated or damaged" in refused(tiff((picture(), *tags)))


def test_rows_that_are_too_long_are_refused():
    assert refused(b"P5 100001 1 255\n" + bytes(100_001)) == (
        "has 100001 x 1 pixels, with a side of more than 100000; make it smaller"
    )


def test_a_large_jpeg_2000_is_refused():
    """The size that it claims would take gigabytes and most of a minute to read."""
    data = bytearray(saved(picture(), "JPEG2000"))
    box, siz = data.index(b"ihdr") + 4, data.index(b"\xff\x51") + 6
    data[box : box + 8] = data[siz : siz + 8] = struct.pack(">II", 16_000, 15_000)
    assert refused(bytes(data)) == "has 15000 x 16000 pixels, more than 100 million; make it smaller"


def test_a_photo_of_108_megapixels_is_read(tmp_path):
    gray = Image.new("L", (12_000, 9_000), 200)
    gray.paste(10, (11_000, 8_000, 12_000, 9_000))
    gray.save(tmp_path / "a.jpg")
    del gray
    image = read_image(tmp_path / "a.jpg")
    assert image.shape == (9_000, 12_000, 3)
    assert image[8_990, 11_990].tolist() == [10] * 3
    assert image[0, 0].tolist() == [200] * 3
    with pytest.raises(ImageError, match="has 12000 x 9000 pixels, more than 50 million"):
        read_image(tmp_path / "a.jpg", max_pixels=50_000_000)
