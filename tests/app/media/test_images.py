"""Reading and writing pictures: every supported kind, and the errors of bad files."""

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from fkp_app.errors import FkpError, UsageError
from fkp_app.media.images import MAX_PIXELS, ImageError, read_image, write_image
from fkp_app.media.sources import expand
from tests.drawn import draw_face, write_frame


@pytest.fixture
def rgb():
    """A picture without any symmetry: a ramp, and a square in one corner."""
    y, x = np.mgrid[0:20, 0:30]
    picture = np.stack([8 * x, 10 * y, 4 * (x + y)], axis=2).astype(np.uint8)
    picture[2:8, 3:9] = (250, 20, 60)
    return picture


def save(path, picture, **options):
    picture.save(path, **options)
    return path


def test_pixels_come_back_as_they_were(rgb, tmp_path):
    image = read_image(save(tmp_path / "a.png", Image.fromarray(rgb)))
    np.testing.assert_array_equal(image, rgb)
    assert image.dtype == np.uint8
    assert image.flags.writeable
    np.testing.assert_array_equal(read_image(str(tmp_path / "a.png")), rgb)


@pytest.mark.parametrize("name", ["gray.png", "gray.tif", "gray.pgm"])
def test_16_bit_gray_is_scaled_and_not_clipped(name, tmp_path):
    levels = np.array([[0, 128, 129, 257, 4000], [25700, 32768, 40000, 65406, 65535]], np.uint16)
    assert cv2.imwrite(str(tmp_path / name), levels)
    expected = np.round(levels / 65535 * 255)
    image = read_image(tmp_path / name)
    assert image.shape == (2, 5, 3)
    for channel in range(3):
        np.testing.assert_array_equal(image[:, :, channel], expected)


def test_big_endian_16_bit_gray(tmp_path):
    levels = np.array([[0, 30000, 65535]], ">u2")
    path = save(tmp_path / "a.tif", Image.frombytes("I;16B", (3, 1), levels.tobytes()))
    np.testing.assert_array_equal(read_image(path)[0, :, 0], [0, 117, 255])


@pytest.mark.parametrize("name", ["colour.png", "colour.tif"])
def test_16_bit_colour_is_scaled(name, tmp_path):
    levels = np.random.default_rng(0).integers(0, 65536, (6, 7, 3)).astype(np.uint16)
    assert cv2.imwrite(str(tmp_path / name), levels[:, :, ::-1])  # OpenCV writes BGR
    np.testing.assert_allclose(read_image(tmp_path / name), levels / 257, atol=1)


def test_grayscale_and_one_bit(tmp_path):
    gray = np.arange(60, dtype=np.uint8).reshape(6, 10)
    image = read_image(save(tmp_path / "l.png", Image.fromarray(gray)))
    np.testing.assert_array_equal(image, np.stack([gray] * 3, axis=2))
    bits = read_image(save(tmp_path / "1.png", Image.fromarray(gray > 30)))
    np.testing.assert_array_equal(bits[:, :, 0], np.where(gray > 30, 255, 0))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_lies_on_white(mode, tmp_path):
    picture = Image.new(mode, (3, 1), 0)
    black = (0,) * (len(mode) - 1)
    for x, alpha in enumerate((0, 128, 255)):
        picture.putpixel((x, 0), (*black, alpha))
    image = read_image(save(tmp_path / "a.png", picture))
    np.testing.assert_array_equal(image[0], [[255] * 3, [127] * 3, [0] * 3])


def test_palette_with_and_without_transparency(tmp_path):
    picture = Image.new("P", (3, 1))
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    for x in range(3):
        picture.putpixel((x, 0), x)
    image = read_image(save(tmp_path / "a.png", picture))
    np.testing.assert_array_equal(image[0], [[255, 0, 0], [0, 255, 0], [0, 0, 255]])
    image = read_image(save(tmp_path / "b.png", picture, transparency=1))
    np.testing.assert_array_equal(image[0], [[255, 0, 0], [255, 255, 255], [0, 0, 255]])


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk(name, tmp_path):
    colours = [((255, 0, 0, 0), (0, 255, 255)), ((0, 255, 0, 0), (255, 0, 255)), ((0, 0, 0, 255), (0, 0, 0))]
    for ink, expected in [*colours, ((0, 0, 0, 0), (255, 255, 255))]:
        image = read_image(save(tmp_path / name, Image.new("CMYK", (16, 16), ink)))
        np.testing.assert_allclose(image, np.broadcast_to(expected, (16, 16, 3)), atol=3)


# From the upright picture to the stored one, which the tag's turn sets upright again (EXIF 2.3, tag 274).
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a.transpose(1, 0, 2)[::-1],  # the file's first row is the right edge
    7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda a: a.transpose(1, 0, 2)[:, ::-1],
}


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_sets_pictures_upright(orientation, suffix, rgb, tmp_path):
    exif = Image.Exif()
    exif[274] = orientation
    picture = Image.fromarray(np.ascontiguousarray(STORED[orientation](rgb)))
    options = {".jpg": {"quality": 100, "subsampling": 0}, ".webp": {"lossless": True}}.get(suffix, {})
    image = read_image(save(tmp_path / f"a{suffix}", picture, exif=exif, **options))
    np.testing.assert_allclose(image.astype(int), rgb.astype(int), atol=25 if suffix == ".jpg" else 0)


@pytest.mark.parametrize("name", ["Łódź 人脸 😀.png", "zażółć.JPG", 'with space\'s "quote".png'])
def test_names_of_every_script(name, rgb, tmp_path):
    folder = tmp_path / "фото"
    folder.mkdir()
    write_image(folder / name, rgb)
    (source,) = expand([str(folder)]).sources
    assert source.path.name == name
    assert read_image(folder / name).shape == rgb.shape


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 40), (60_000, 2), (5000, 4000)])
def test_smallest_and_very_large(width, height, tmp_path):
    picture = Image.new("RGB", (width, height), (10, 200, 30))
    image = read_image(save(tmp_path / "a.png", picture, compress_level=1))
    assert image.shape == (height, width, 3)
    np.testing.assert_array_equal(image[-1, -1], [10, 200, 30])


def claim(path, width, height):
    """A PNG of a few bytes that claims this size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def test_a_picture_too_large_is_refused_before_its_pixels_are_read(tmp_path):
    """Files of a hundred bytes that would need 0.3 to 1600 GB."""
    path = claim(tmp_path / "a.png", 25_001, 10_000)
    with pytest.raises(ImageError, match=r"a\.png: has 25001 x 10000 pixels, more than 250 million; make it smaller"):
        read_image(path)
    for side in (16_000, 1_000_000):  # Pillow itself refuses these
        path = claim(tmp_path / "b.png", side, side)
        with pytest.raises(ImageError, match=r"b\.png: has (16000 x 16000|far more than 250 million) "):
            read_image(path)
    assert MAX_PIXELS == 250_000_000


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_an_animation_gives_its_first_frame_and_a_note(suffix, rgb, tmp_path):
    first, second = Image.fromarray(rgb), Image.fromarray(255 - rgb)
    options = {".webp": {"lossless": True}}.get(suffix, {})
    path = tmp_path / f"a{suffix}"
    first.save(path, save_all=True, append_images=[second, first], duration=40, **options)
    notes = []
    image = read_image(path, notes)
    assert notes == [f"{path}: is an animation of 3 frames, of which the first is used"]
    assert np.abs(image.astype(int) - rgb).mean() < (40 if suffix == ".gif" else 1)
    still = tmp_path / f"b{suffix}"
    first.save(still)
    read_image(still, notes)
    assert len(notes) == 1


@pytest.mark.parametrize("png", [False, True])
def test_content_decides_and_not_the_name(png, tmp_path):
    drawn, _ = draw_face(np.random.default_rng(2), size=(100, 110))
    write_frame(tmp_path / "a.jpg", drawn, png)
    image = read_image(tmp_path / "a.jpg")
    np.testing.assert_allclose(image.astype(int), drawn.astype(int), atol=0 if png else 90)
    assert np.abs(image.astype(int) - drawn).mean() < 8
    with Image.open(tmp_path / "a.jpg") as picture:
        assert picture.mode == ("RGBA" if png else "RGB")


def test_an_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(read_image(tmp_path / "a.gif"), np.broadcast_to([255, 0, 0], (6, 8, 3)))


def encoded(rgb, kind):
    file = io.BytesIO()
    Image.fromarray(rgb).resize((150, 100)).save(file, kind)
    return file.getvalue()


BAD = {
    "empty": (lambda rgb: b"", "is empty"),
    "jpeg cut in half": (lambda rgb: (data := encoded(rgb, "JPEG"))[: len(data) // 2], "is truncated or damaged"),
    "png cut in half": (lambda rgb: (data := encoded(rgb, "PNG"))[: len(data) // 2], "is truncated or damaged"),
    "png of ten bytes": (lambda rgb: encoded(rgb, "PNG")[:10], "is not an image"),
    "text": (lambda rgb: b"just some words\n" * 50, "is not an image"),
    "html": (lambda rgb: b"<!DOCTYPE html><html><body>404</body></html>", "is not an image"),
    "zeros": (lambda rgb: bytes(5000), "is not an image"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_named_in_one_line(case, rgb, tmp_path):
    make, words = BAD[case]
    path = tmp_path / "photo.jpg"
    path.write_bytes(make(rgb))
    check_refusal(path, words)


def check_refusal(path, words):
    with pytest.raises(ImageError) as error:
        read_image(path)
    assert f"{path}: {words}" in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 1


def test_paths_that_are_no_files(rgb, tmp_path):
    check_refusal(tmp_path / "none.jpg", "no such file")
    check_refusal(tmp_path, "is a directory")
    write_image(tmp_path / "a.png", rgb)
    check_refusal(tmp_path / "a.png" / "b.png", "no such file")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may read everything")
def test_an_unreadable_file(rgb, tmp_path):
    path = save(tmp_path / "a.png", Image.fromarray(rgb))
    path.chmod(0)
    check_refusal(path, "cannot be read")


def test_an_unreadable_file_for_the_superuser_too(rgb, tmp_path, monkeypatch):
    path = save(tmp_path / "a.png", Image.fromarray(rgb))

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr(Image, "open", refuse)
    check_refusal(path, "cannot be read (permission denied)")


@pytest.mark.filterwarnings("ignore")  # Pillow's, about the damaged metadata
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"])
def test_damage_anywhere_is_an_image_error_or_none(kind, rgb, tmp_path):
    """Files with random changed bytes give a picture or an ImageError, never another exception."""
    rng = np.random.default_rng(4)
    whole = encoded(rgb, kind)
    refusals = []
    for attempt in range(60):
        data = bytearray(whole[: rng.integers(1, len(whole))] if attempt % 3 == 0 else whole)
        for _ in range(4):
            data[rng.integers(min(len(data), 200 if attempt % 2 else len(data)))] = rng.integers(256)
        (tmp_path / "a").write_bytes(data)
        try:
            assert read_image(tmp_path / "a").ndim == 3
        except ImageError as error:
            refusals.append(str(error))
    assert len(refusals) > 5
    assert not any("\n" in message for message in refusals)


def test_reading_is_silent_and_light(rgb, tmp_path):
    """Odd metadata prints nothing to standard error, and reading images loads none of the heavy packages."""
    exif = Image.Exif()
    exif[270] = "a description that is cut off" * 4
    path = save(tmp_path / "a.jpg", Image.fromarray(rgb), exif=exif.tobytes()[:40])
    with pytest.warns(UserWarning, match="EXIF|Tag data|Truncated"), Image.open(path) as picture:
        picture.getexif()
    code = (
        "import sys; from fkp_app.media.images import read_image; print(read_image(sys.argv[1]).shape);"
        "print({'pandas', 'torch', 'matplotlib'} & sys.modules.keys())"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", code, str(path)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (run.stdout, run.stderr, run.returncode) == ("(20, 30, 3)\nset()\n", "", 0)


@pytest.mark.parametrize(("name", "tolerance"), [("a.png", 0), ("a.JPG", 8), ("a.webp", 8), ("a.bmp", 0)])
def test_a_written_picture_is_read_back(name, tolerance, rgb, tmp_path):
    write_image(tmp_path / name, rgb)
    assert np.abs(read_image(tmp_path / name).astype(int) - rgb).mean() <= tolerance
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_failed_write_leaves_the_old_file(rgb, tmp_path, monkeypatch):
    write_image(tmp_path / "a.png", rgb)

    def fail(self, path, **options):
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(FkpError, match=r"a\.png: cannot be written \(No space left on device\)"):
        write_image(tmp_path / "a.png", rgb[::-1])
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), rgb)


@pytest.mark.parametrize("name", ["a", "a.txt", "a.psd", "a.jpg.part"])
def test_an_unknown_format_is_a_usage_error(name, rgb, tmp_path):
    with pytest.raises(UsageError, match=r"end the name in \.png or \.jpg"):
        write_image(tmp_path / name, rgb)
    assert not list(tmp_path.iterdir())


def test_where_nothing_can_be_written(rgb, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.png").mkdir()
    for path in (tmp_path / "none" / "a.png", tmp_path / "file" / "a.png", tmp_path / "folder.png"):
        with pytest.raises(FkpError, match="cannot be written") as error:
            write_image(path, rgb)
        assert str(path) in str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.png"]


def test_published_files_are_read(real_data):
    """RGBA PNGs with the suffix .jpg, as in the published data set."""
    folder = real_data / "raw" / "training"
    if not folder.is_dir():
        pytest.skip(f"{real_data} has no raw/")
    paths = [source.path for source in expand([str(folder)]).sources]
    for path in paths:
        with Image.open(path) as picture:
            assert (picture.format, picture.mode) == ("PNG", "RGBA")
            size = picture.size
        image = read_image(path)
        assert image.shape == (size[1], size[0], 3)
        assert image.std() > 5
    assert len(paths) > 5
