"""Image files from cameras, servers and strangers: with any metadata, without their end, and bombs."""

import io
import os
import re
import struct
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fkp_app.media.images import SUFFIXES, ImageError, read_image
from fkp_app.media.images.formats import AVIF
from tests.app.media.strange_files import (
    chunk,
    exif,
    jpeg_with,
    long,
    page,
    picture,
    png_with,
    saved,
    short,
    tiff,
    webp_with,
)

LEFT_OUT = "image: has metadata that cannot be read; it was left out"
CUT = "image: lacks its end, though every pixel is there"
ROTATED = picture().transpose(1, 0, 2)[:, ::-1]  # shown with orientation 6

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


# Files cut off at the end, and damage outside the pixels.


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("missing", [1, 2])
def test_a_jpeg_without_its_last_bytes(missing, progressive):
    data = saved(picture(), "JPEG", progressive=progressive)
    said = []
    image = read_image(io.BytesIO(data[:-missing]), said)
    np.testing.assert_array_equal(image, read_image(io.BytesIO(data)))
    assert said == [CUT]


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_of_which_pixels_are_missing_is_refused(progressive):
    """Cut anywhere: a file that is accepted has every pixel right."""
    rgb = np.random.default_rng(5).integers(0, 256, (24, 32, 3)).astype(np.uint8)
    data = saved(rgb, "JPEG", progressive=progressive)
    whole = read_image(io.BytesIO(data))
    accepted, refusals = [], set()
    for length in range(len(data) - 600, len(data)):
        try:
            image = read_image(io.BytesIO(data[:length]))
        except ImageError as error:
            refusals.add(str(error))
        else:
            np.testing.assert_array_equal(image, whole)
            accepted.append(len(data) - length)
    assert refusals == {"image: is truncated or damaged (its end is missing)"}
    assert 2 in accepted
    assert max(accepted) <= 4  # bytes of the last pixel's code and the padding after it


def test_a_progressive_jpeg_without_its_last_scans_is_refused():
    data = saved(picture(), "JPEG", progressive=True)
    scans = [match.start() for match in re.finditer(b"\xff\xda", data)]
    assert len(scans) > 5
    for start in scans[1:]:
        assert "is truncated or damaged" in refused(data[:start])


def test_a_png_damaged_beside_its_pixels():
    words = b"Comment\0" + b"words " * 20
    for broken in (
        chunk(b"tEXt", words, right=False),
        chunk(b"eXIf", exif((274, 3, short(6)))[6:], right=False),
        chunk(b"iCCP", b"name\0\7" + zlib.compress(bytes(200)), right=False),
        chunk(b"fcTL", b"short", right=False),
        chunk(b"acTL", b"", right=False),
        chunk(b"abCd", b"private", right=False),
    ):
        check(png_with(picture(), broken), picture(), LEFT_OUT)
        check(png_with(picture(), broken, before=False), picture(), LEFT_OUT)
    for odd in (chunk(b"tIME", b""), chunk(b"pHYs", b"1"), chunk(b"fcTL", b"short"), chunk(b"\xe1bcd", b"")):
        check(png_with(picture(), odd), picture())


def test_a_png_cut_behind_its_pixels():
    data = png_with(picture(), chunk(b"tEXt", b"Comment\0" + bytes(50)), before=False)
    for missing in (1, 8, 12, 20, 40):
        said = []
        np.testing.assert_array_equal(read_image(io.BytesIO(data[:-missing]), said), picture())
        assert CUT in said
    pixels = saved(np.random.default_rng(7).integers(0, 256, (20, 20, 3)).astype(np.uint8), "PNG")
    assert "is truncated or damaged" in refused(pixels[:-200])


def test_a_png_whose_header_is_damaged_is_refused():
    data = bytearray(saved(picture(), "PNG"))
    data[30] ^= 1  # one bit of the header's checksum
    assert "is not an image that can be read" in refused(bytes(data))


def test_a_webp_cut_behind_its_pixels():
    data = webp_with(picture(), (b"EXIF", exif((274, 3, short(6)))[6:]))
    check(data, ROTATED)
    check(data[:-5], picture(), CUT)
    assert refused(saved(picture(), "WEBP")[:-100])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "PPM", "JPEG2000"])
def test_half_a_file_is_refused(kind):
    rgb = np.random.default_rng(6).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    data = saved(rgb, kind)
    assert re.match("is truncated or damaged|is not an image", refused(data[: len(data) // 2]))


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("a"),
        NotImplementedError(),
        AttributeError("b\nc"),
        struct.error("d"),
        RecursionError(),
        TypeError(),
    ],
)
def test_any_error_of_a_decoder_is_one_line(error, monkeypatch):
    def fail(*arguments):
        raise error

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    assert refused(saved(picture(), "JPEG")).startswith("is truncated or damaged (")
    monkeypatch.undo()
    monkeypatch.setattr("PIL.Image.open", fail)
    assert refused(saved(picture(), "PNG")).startswith("is truncated or damaged (")


def test_memory_that_runs_out_is_said_and_interrupts_pass(monkeypatch):
    def fail(*arguments):
        raise kinds.pop()

    kinds = [KeyboardInterrupt, MemoryError]
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    assert refused(saved(picture(), "JPEG")) == "needs more memory than there is; make it smaller"
    with pytest.raises(KeyboardInterrupt):
        read_image(io.BytesIO(saved(picture(), "JPEG")))


# Previews and pages.

SMALL, LARGE = picture(20, 30), picture(80, 120)


def raw(*tags, sensor=32803):
    """A TIFF file that begins with a small RGB picture and has the sensor's data in a sub-directory."""
    below = page(LARGE, 8 + SMALL.size, 8, (262, 3, short(sensor)))
    place = 8 + SMALL.size + len(below)
    return (
        b"II*\0" + long(place) + SMALL.tobytes() + below + page(SMALL, place, 8, (330, 4, long(8 + SMALL.size)), *tags)
    )


RAWS = {
    "NEF": raw((254, 4, long(1))),
    "a reduced picture, unmarked, before the sensor's": raw(),
    "linear DNG": raw(sensor=34892),
    "DNG of the sensor alone": tiff((SMALL, (50706, 1, bytes([1, 4, 0, 0])))),
    "a sensor's picture as the first": tiff((SMALL, (262, 3, short(32803)))),
    "CR2": b"II*\0\x10\0\0\0CR\x02\0" + bytes(100),
    "CR3": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(100),
    "RAF": b"FUJIFILMCCD-RAW 0201" + bytes(100),
    "ORF": b"IIRO\x08\0\0\0" + bytes(100),
    "RW2": b"IIU\0\x18\0\0\0" + bytes(100),
    "X3F": b"FOVb" + bytes(100),
}


@pytest.mark.parametrize("case", RAWS)
def test_a_cameras_raw_picture_is_refused(case, tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(RAWS[case])
    with pytest.raises(ImageError, match=r"photo\.jpg: is a camera's raw picture, .*; convert it to JPEG or PNG"):
        read_image(path)


def test_a_tiff_that_begins_with_a_preview_is_refused():
    for data in (
        tiff((SMALL, (254, 4, long(1))), LARGE),
        tiff((SMALL, (254, 3, short(1)))),
        tiff((SMALL, (255, 3, short(2))), LARGE),
        raw((254, 4, long(1)), sensor=2),
        raw(sensor=2),
    ):
        assert re.match("begins with a small preview, .*; convert its whole picture to JPEG or PNG$", refused(data))


def test_a_scan_with_its_thumbnail_behind_is_read():
    check(tiff(LARGE, (SMALL, (254, 4, long(1)))), LARGE)
    check(tiff((LARGE, (254, 4, long(0))), (SMALL, (254, 4, long(1))), (LARGE, (254, 4, long(4)))), LARGE)
    below = page(SMALL, 8 + LARGE.size, 8, (254, 4, long(1)))
    place = 8 + LARGE.size + len(below)
    pyramid = b"II*\0" + long(place) + LARGE.tobytes() + below + page(LARGE, place, 8, (330, 4, long(8 + LARGE.size)))
    check(pyramid, LARGE)


@pytest.mark.parametrize("count", [2, 3, 7])
def test_several_pages_give_the_first_and_a_note(count):
    note = f"image: holds {count} pages, of which the first is used"
    check(tiff(*[picture()] * count), picture(), note)
    file = io.BytesIO()
    rest = [Image.fromarray(255 - picture())] * (count - 1)
    Image.fromarray(picture()).save(file, "TIFF", save_all=True, append_images=rest, compression="tiff_lzw")
    check(file.getvalue(), picture(), note)


def test_pages_without_an_end():
    once = tiff(picture(), picture())
    first = struct.unpack("<I", once[4:8])[0]
    last = len(once) - len(page(picture(), 0, 0)) + 2 + 12 * 9
    check(once[:last] + long(first) + once[last + 4 :], picture(), "image: holds 2 pages, of which the first is used")
    body = page(picture(), 0, 8)[: 2 + 12 * 9]
    place = 8 + picture().size
    many = b"".join(body + long(place + (i + 1) * (len(body) + 4)) for i in range(5000))
    data = b"II*\0" + long(place) + picture().tobytes() + many
    said = []
    with pytest.raises(ImageError):  # its values lie outside the directory
        read_image(io.BytesIO(data), said)


@pytest.mark.skipif(not AVIF, reason="this Pillow reads no AVIF")
def test_an_animated_avif_says_so():
    file = io.BytesIO()
    Image.fromarray(picture()).save(file, "AVIF", save_all=True, append_images=[Image.fromarray(255 - picture())] * 3)
    said = []
    assert read_image(file, said).shape == picture().shape
    assert said == ["image: is an animation of 4 frames, of which the first is used"]


def test_a_phones_picture_with_a_second_one_behind_it_is_no_animation():
    file = io.BytesIO()
    Image.fromarray(picture()).save(file, "MPO", save_all=True, append_images=[Image.fromarray(picture(10, 10))])
    said = []
    assert read_image(file, said).shape == picture().shape
    assert read_image(io.BytesIO(file.getvalue()[:-30]), said).shape == picture().shape
    assert said == []


# Bombs: each would take minutes or gigabytes.


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


# Files that are never opened.

PROGRAMS = {
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n%%EndComments\nshowpage\n%%EOF\n",
    "EPS with a preview": b"\xc5\xd0\xd3\xc6" + struct.pack("<6I", 32, 90, 0, 0, 0, 0) + bytes(60),
    "PDF": b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n%%EOF\n",
}


@pytest.mark.parametrize("name", ["a.eps", "a.ps", "a.jpg", "a.png", "a.pdf", "a"])
@pytest.mark.parametrize("case", PROGRAMS)
def test_no_program_is_ever_started(case, name, tmp_path):
    tools, marker = tmp_path / "bin", tmp_path / "started"
    tools.mkdir()
    for tool in ("gs", "gswin64c", "djpeg", "xv", "convert"):
        (tools / tool).write_text(f"#!/bin/sh\ntouch {marker}\n")
        (tools / tool).chmod(0o755)
    path = tmp_path / name
    path.write_bytes(PROGRAMS[case])
    code = (
        "import sys\nfrom fkp_app import detect\nfrom fkp_app.errors import FkpError\n"
        "from fkp_app.styles.picture import read_overlay\nfrom pathlib import Path\n"
        "for use in (detect, read_overlay):\n    try:\n        use(Path(sys.argv[1]))\n"
        "    except FkpError as error:\n        print(error)\n"
        "print('PIL.EpsImagePlugin' in sys.modules)\n"
    )
    environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(Path(__file__).parents[3])}
    run = subprocess.run(
        [sys.executable, "-c", code, path], env=environment, capture_output=True, text=True, check=True
    )
    lines = run.stdout.splitlines()
    assert len(lines) == 3
    assert all("which is not an image that can be read; " in line for line in lines[:2])
    assert lines[2] == "False"
    assert not marker.exists()


OTHERS = ["BLP", "DDS", "DIB", "ICO", "ICNS", "IM", "MSP", "PCX", "QOI", "SGI", "SPIDER", "TGA", "XBM"]


@pytest.mark.parametrize("kind", OTHERS)
def test_formats_that_the_docs_do_not_name_are_not_opened(kind, tmp_path, monkeypatch):
    Image.init()
    if kind not in Image.SAVE:
        pytest.skip(f"this Pillow does not write {kind}")
    mode = {"MSP": "1", "XBM": "1", "SPIDER": "F", "BLP": "P"}.get(kind, "RGB")
    monkeypatch.setattr(Image, "EXTENSION", dict(Image.EXTENSION))  # SPIDER registers the suffixes of saved files here
    file = io.BytesIO()
    Image.fromarray(picture()).convert(mode).resize((64, 64)).save(file, kind)
    (tmp_path / "a.png").write_bytes(file.getvalue())
    with pytest.raises(ImageError, match=r"a\.png: is (an icon, which is )?not an image that can be read"):
        read_image(tmp_path / "a.png")


def test_a_plugin_of_somebody_else_is_not_asked(monkeypatch):
    def accept(prefix):
        raise AssertionError("asked")

    Image.preinit()
    monkeypatch.setitem(Image.OPEN, "OTHER", (accept, accept))
    monkeypatch.setattr(Image, "ID", ["OTHER", *Image.ID])
    check(saved(picture(), "PNG"), picture())
    assert "is not an image" in refused(b"nothing that anybody knows" * 9)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(60), "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(60), "HEIC"),
        (b"\xff\x0a" + bytes(60), "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(60), "JPEG XL"),
        (b"8BPS\0\1" + bytes(60), "a Photoshop file"),
    ],
)
def test_files_that_people_mistake_for_images_are_named(data, name):
    assert refused(data) == f"is {name}, which is not an image that can be read; convert it to JPEG or PNG"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_reading_waits_for_no_pipe_or_device(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(ImageError, match=r"a\.jpg: is no regular file"):
        read_image(tmp_path / "a.jpg")
    with pytest.raises(ImageError, match="/dev/null: is no regular file"):
        read_image("/dev/null")
    with pytest.raises(ImageError, match="no such file"):
        read_image(str(tmp_path / "a") + "\0.jpg")


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_every_suffix_is_of_a_format_that_is_read(suffix, tmp_path):
    Image.init()
    kind = Image.EXTENSION.get(suffix, "PPM")
    Image.fromarray(picture()).save(tmp_path / "a", "JPEG2000" if kind == "JPEG2000" else kind)
    (tmp_path / "a").rename(tmp_path / f"a{suffix}")
    assert read_image(tmp_path / f"a{suffix}").shape == picture().shape


# Mutations.

SEEDS = {
    "JPEG": [{"exif": exif((274, 3, short(6)))}, {"progressive": True}],
    "PNG": [{"exif": exif((274, 3, short(6)))}, {"save_all": True, "append_images": [Image.new("RGB", (56, 40))]}],
    "GIF": [{}, {"save_all": True, "append_images": [Image.new("RGB", (56, 40))]}],
    "WEBP": [{"exif": exif((274, 3, short(6)))}, {"save_all": True, "append_images": [Image.new("RGB", (56, 40))]}],
    "TIFF": [{}, *({"compression": name} for name in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"))],
    "BMP": [{}],
    "PPM": [{}],
    "JPEG2000": [{}, {"no_jp2": True}],
} | ({"AVIF": [{"exif": exif((274, 3, short(6)))}]} if AVIF else {})


def mutated(data, rng):
    """The data with some bytes changed, removed, inserted or copied, and sometimes without its end."""
    data = bytearray(data)
    reach = min(len(data), int(rng.choice([40, 200, len(data)])))
    for _ in range(rng.integers(1, 8)):
        place, kind = int(rng.integers(reach)), rng.integers(5)
        if kind < 2:
            data[place : place + 1] = bytes([rng.choice([0, 1, 127, 128, 255, rng.integers(256)])])
        elif kind == 2:
            del data[place : place + int(rng.integers(1, 20))]
        elif kind == 3:
            data[place:place] = rng.bytes(int(rng.integers(1, 9)))
        else:
            source = int(rng.integers(len(data) + 1))
            data[place : place + 4] = data[source : source + 4]
    return bytes(data[: rng.integers(1, len(data) + 1)] if rng.integers(5) == 0 else data)


@pytest.mark.parametrize("kind", SEEDS)
def test_mutated_files_are_read_or_refused_in_one_line(kind, capfd):
    """FKP_MUTATIONS=100000 tries 100,000 mutations per format."""
    rng = np.random.default_rng(20)
    seeds = [saved(picture(), kind, **options) for options in SEEDS[kind]]
    read, refusals = 0, []
    for _ in range(int(os.environ.get("FKP_MUTATIONS", "150"))):
        data = mutated(seeds[rng.integers(len(seeds))], rng)
        try:
            image = read_image(io.BytesIO(data), [], max_pixels=1_000_000)
        except ImageError as error:
            refusals.append(str(error))
        else:
            assert image.dtype == np.uint8
            assert image.ndim == 3
            assert image.shape[2] == 3
            read += 1
    assert len(refusals) > 20
    assert read > 0
    assert all(line.startswith("image: ") and "\n" not in line and len(line) < 300 for line in refusals)
    assert capfd.readouterr().err == ""  # C libraries print to this stream


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_without_a_tag_is_no_damage(kind):
    """A program that copies EXIF from a picture without EXIF writes such a block."""
    file = io.BytesIO()
    Image.fromarray(picture()).save(file, kind, exif=Image.Exif(), lossless=True, quality=100, subsampling=0)
    notes = []
    read_image(io.BytesIO(file.getvalue()), notes)
    assert notes == []


def test_bytes_behind_a_webp_are_no_part_of_it():
    check(saved(picture(), "WEBP") + b"trailer" * 100, picture())


def test_a_gif_cut_behind_its_pixels():
    rgb = np.full((20, 30, 3), 200, np.uint8)
    check(saved(rgb, "GIF")[:-1], rgb, CUT)


def test_a_tiff_whose_unmarked_first_page_is_a_preview_is_refused():
    large = picture(160, 224)
    assert "begins with a small preview" in refused(tiff(large[::4, ::4], large))
    check(tiff(large[::2, ::2], large), large[::2, ::2], "image: holds 2 pages, of which the first is used")


def test_a_tiff_of_separate_16_bit_colours_is_refused():
    """Pillow would read each of its bytes as a level."""
    tags = [(258, 3, short(16, 16, 16)), (284, 3, short(2)), (273, 4, long(8, 8, 8)), (279, 4, long(100, 100, 100))]
    assert "in more than 8 bits, which is not read" in refused(tiff((picture(), *tags)))
