"""Files of several pictures: previews and raw pictures are refused; of pages and frames the first is read."""

import io
import re
import struct

import pytest
from PIL import Image

from fkp_app.media.images import ImageError, read_image
from fkp_app.media.images.formats import AVIF
from tests.app.media.strange_files import check, long, page, picture, refused, short, tiff

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


def test_a_tiff_whose_unmarked_first_page_is_a_preview_is_refused():
    large = picture(160, 224)
    assert "begins with a small preview" in refused(tiff(large[::4, ::4], large))
    check(tiff(large[::2, ::2], large), large[::2, ::2], "image: holds 2 pages, of which the first is used")
