"""Image files that are cut off, damaged or mutated: each is read whole, or refused in one line."""

import io
import os
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from fkp_app.media.images import ImageError, read_image
from fkp_app.media.images.formats import AVIF
from tests.app.media.strange_files import (
    CUT,
    LEFT_OUT,
    ROTATED,
    check,
    chunk,
    exif,
    picture,
    png_with,
    refused,
    saved,
    short,
    webp_with,
)


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


def test_bytes_behind_a_webp_are_no_part_of_it():
    check(saved(picture(), "WEBP") + b"trailer" * 100, picture())


def test_a_gif_cut_behind_its_pixels():
    rgb = np.full((20, 30, 3), 200, np.uint8)
    check(saved(rgb, "GIF")[:-1], rgb, CUT)


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
