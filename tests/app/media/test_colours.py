"""Colours of image files: in any colour space, they are read as the sRGB colours that look the same."""

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from fkp_app import detect
from fkp_app.media.images import ImageError, read_image
from fkp_app.media.images.formats import AVIF
from fkp_app.media.images.given import pixels_of
from fkp_app.media.images.profiles import make
from tests.app.media.strange_files import directory, exif, jpeg_with, long
from tests.free_pictures import hopper

D65, D50 = (0.3127, 0.3290), (0.3457, 0.3585)
SRGB = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
P3 = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
ADOBE = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
PROPHOTO = (0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001)
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def xyz(x, y):
    return np.array([x / y, 1, (1 - x - y) / y])


def matrix(white, corners):
    """The matrix from linear RGB to XYZ, by Lindbloom's formula."""
    columns = np.stack([xyz(*corners[i : i + 2]) for i in (0, 2, 4)], axis=1)
    return columns * np.linalg.solve(columns, xyz(*white))


def adaptation(source, target):
    gains = np.diag((BRADFORD @ xyz(*target)) / (BRADFORD @ xyz(*source)))
    return np.linalg.inv(BRADFORD) @ gains @ BRADFORD


def decoded(levels, gamma):
    share = levels / 255
    if gamma is not None:
        return share**gamma
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def as_srgb(levels, white, corners, gamma):
    """Levels (H, W, 3) in sRGB, from the definitions in floating point; colours out of gamut are clipped."""
    whole = np.linalg.inv(matrix(D65, SRGB)) @ adaptation(white, D65) @ matrix(white, corners)
    linear = np.clip(decoded(levels, gamma) @ whole.T, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def chart():
    """All combinations of nine levels per channel, uint8 (27, 27, 3)."""
    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    return np.stack(np.meshgrid(steps, steps, steps), axis=3).reshape(27, 27, 3)


def profile(white=D65, corners=P3, gamma=None):
    return make("Chart", (*white, *corners), gamma)


def saved(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file


def png(levels, *chunks):
    """A PNG file of RGB levels with these chunks before its pixels."""
    body = zlib.compress(b"".join(b"\0" + row.tobytes() for row in levels))
    header = struct.pack(">IIBBBBB", levels.shape[1], levels.shape[0], 8, 2, 0, 0, 0)
    every = [(b"IHDR", header), *chunks, (b"IDAT", body), (b"IEND", b"")]
    return io.BytesIO(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(struct.pack(">I", len(b)) + n + b + struct.pack(">I", zlib.crc32(n + b)) for n, b in every)
    )


SPACES = {
    "Display P3": (D65, P3, None),
    "Adobe RGB": (D65, ADOBE, 563 / 256),
    "ProPhoto": (D50, PROPHOTO, 1.8),
    "linear sRGB": (D65, SRGB, 1.0),
    "gamma 1.8": (D65, SRGB, 1.8),
}


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG", *(["AVIF"] if AVIF else [])])
def test_a_profile_is_converted_as_its_definition_says(space, kind):
    white, corners, gamma = SPACES[space]
    large = chart().repeat(8, 0).repeat(8, 1)
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(kind, {"quality": 100})
    options |= {"subsampling": "4:4:4"} if kind == "AVIF" else {}
    notes = []
    file = saved(Image.fromarray(large), kind, icc_profile=profile(white, corners, gamma), **options)
    image = read_image(file, notes)
    difference = np.abs(image - as_srgb(large.astype(float), white, corners, gamma))
    lossless = kind in ("PNG", "TIFF", "WEBP")
    # A level of a dark linear colour, or an encoder's rounding, spans many levels of sRGB.
    assert difference.max() < (1.6 if lossless else 80)
    assert difference.mean() < (0.3 if lossless else 2.5)
    assert notes == ["image: has the colours of Chart, which were converted to sRGB"]


def test_the_same_as_littlecms_through_its_wrapper():
    levels = chart()
    file = saved(Image.fromarray(levels), icc_profile=profile())
    expected = ImageCms.profileToProfile(
        Image.fromarray(levels), io.BytesIO(profile()), ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    np.testing.assert_array_equal(read_image(file), np.asarray(expected))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_srgb_stays_bit_for_bit(kind):
    """With littlecms's profile, with our profile of the same numbers, and without a profile."""
    plain = read_image(saved(Image.fromarray(hopper()), kind))
    for own in (ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), profile(corners=SRGB)):
        notes = []
        image = read_image(saved(Image.fromarray(hopper()), kind, icc_profile=own), notes)
        np.testing.assert_array_equal(image, plain)
        assert notes == []


def test_transparency_and_palettes_keep_their_place():
    levels = chart()
    alpha = np.full(levels.shape[:2], 255, np.uint8)
    alpha[:3] = 0
    picture = Image.fromarray(np.dstack([levels, alpha]))
    image = read_image(saved(picture, icc_profile=profile()))
    expected = as_srgb(levels.astype(float), D65, P3, None)
    np.testing.assert_allclose(image[3:], expected[3:], atol=1.6)
    assert (image[:3] == 255).all()
    palette = Image.fromarray(levels).quantize(64)
    used = np.asarray(palette.convert("RGB")).astype(float)
    np.testing.assert_allclose(
        read_image(saved(palette, icc_profile=profile())), as_srgb(used, D65, P3, None), atol=1.6
    )


def test_every_strip_of_a_large_picture_is_converted(monkeypatch):
    monkeypatch.setattr("fkp_app.media.images.colour.STRIP", 100)  # three rows at a time
    levels = chart()
    image = read_image(saved(Image.fromarray(levels), icc_profile=profile()))
    np.testing.assert_allclose(image, as_srgb(levels.astype(float), D65, P3, None), atol=1.6)


def gray_profile(gamma):
    """A version 2 profile of gray levels."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH2x", 1, round(gamma * 256))
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"Gray\0" + bytes(81)
    return assembled(b"mntr", b"GRAY", b"XYZ ", {b"desc": text, b"wtpt": white, b"kTRC": curve})


def cmyk_profile():
    """A version 2 profile of inks: CIELAB at the 16 corners of their cube, linear between the corners."""
    curve = bytes(range(256))
    table = b""
    for i in range(16):
        c, m, y, k = (i >> 3 & 1, i >> 2 & 1, i >> 1 & 1, i & 1)
        light = max(0, 255 * (1 - 0.35 * c - 0.4 * m - 0.1 * y) * (1 - 0.8 * k))
        a = 128 + (1 - k) * (70 * m - 40 * c - 5 * y)
        b = 128 + (1 - k) * (85 * y - 45 * c - 5 * m)
        table += bytes([round(light), round(a), round(b)])
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + struct.pack(">9i", *(65536 * v for v in (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    lut += curve * 4 + table + curve * 3
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"Inks\0" + bytes(81)
    return assembled(b"prtr", b"CMYK", b"Lab ", {b"desc": text, b"wtpt": white, b"A2B0": lut})


def assembled(kind, space, connection, tags):
    table, data = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    head = struct.pack(">4xI", 0x02400000) + kind + space + connection + struct.pack(">6H", 2020, 1, 1, 0, 0, 0)
    head = struct.pack(">4x4s", b"\0\0\0\0") + head[4:] + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    whole = head.ljust(128, b"\0") + table + data
    return struct.pack(">I", len(whole)) + whole[4:]


@pytest.mark.parametrize("gamma", [1.5, 1.8, 2.6])
@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_gray_profiles(gamma, mode):
    levels = np.arange(0, 256, 5, np.uint8)[None].repeat(4, 0)
    picture = Image.fromarray(levels.astype(np.uint16) * 257 if mode == "I;16" else levels)
    picture = picture.convert("LA") if mode == "LA" else picture
    notes = []
    image = read_image(saved(picture, icc_profile=gray_profile(gamma)), notes)
    linear = (levels / 255) ** gamma
    expected = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(image, expected[:, :, None].repeat(3, 2), atol=2.1)
    assert notes == ["image: has the colours of Gray, which were converted to sRGB"]


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_inks_with_a_profile_and_without(kind):
    inks = np.stack(np.meshgrid(*[np.array([0, 90, 255], np.uint8)] * 4), axis=4).reshape(9, 9, 4).repeat(16, 0)
    picture = Image.fromarray(inks.repeat(16, 1), mode="CMYK")
    notes = []
    options = {"quality": 100} if kind == "JPEG" else {}
    image = read_image(saved(picture, kind, icc_profile=cmyk_profile(), **options), notes)
    expected = ImageCms.profileToProfile(
        picture, io.BytesIO(cmyk_profile()), ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    assert np.abs(image.astype(int) - np.asarray(expected)).max() <= (6 if kind == "JPEG" else 0)
    assert notes == ["image: has the colours of Inks, which were converted to sRGB"]
    guessed = read_image(saved(picture, kind, **options), notes)
    assert notes[1:] == ["image: is CMYK without a colour profile; its colours are a guess"]
    assert np.abs(guessed.astype(int) - image).max() > 60  # pure ink is not cyan's (0, 255, 255) on paper


def test_cielab_files():
    """CIELAB levels as in a TIFF file: gray is read as gray, and red as red."""
    lab = np.zeros((2, 40, 3), np.uint8)
    lab[:, :20] = (128, 0, 0)
    lab[:, 20:] = (136, 80, 67)  # sRGB's pure red: L 54.29, a 80.8, b 69.9 at D50
    picture = Image.frombytes("LAB", (40, 2), lab.tobytes())
    notes = []
    image = read_image(saved(picture, "TIFF"), notes)
    np.testing.assert_allclose(image[:, :20], 120, atol=3)
    assert image[0, 30, 0] > 245
    assert image[0, 30, 1:].max() < 40
    assert notes == ["image: has the colours of CIELAB, which were converted to sRGB"]


BROKEN = {
    "of nothing": b"\0" * 200,
    "of words": b"this is no profile" * 20,
    "cut off": None,
    "for inks": "cmyk",
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_broken_profile_gives_a_note_and_unchanged_pixels(case, kind):
    own = {"cmyk": cmyk_profile(), None: profile()[:150]}.get(BROKEN[case], BROKEN[case])
    options = {"lossless": True} if kind == "WEBP" else {}
    notes = []
    image = read_image(saved(Image.fromarray(hopper()), kind, icc_profile=own, **options), notes)
    np.testing.assert_array_equal(image, read_image(saved(Image.fromarray(hopper()), kind, **options)))
    assert notes == ["image: has a colour profile that cannot be read; its colours are taken for sRGB"]


def test_a_profile_with_a_part_missing():
    own = profile() + bytes(70_000)
    data = saved(Image.fromarray(hopper()), "JPEG", icc_profile=own).getvalue()
    place = data.index(b"ICC_PROFILE\0\2")
    length = int.from_bytes(data[place - 2 : place], "big")
    notes = []
    read_image(io.BytesIO(data[: place - 4] + data[place - 2 + length :]), notes)
    assert notes == ["image: has a colour profile that cannot be read; its colours are taken for sRGB"]


def chrm(corners):
    return b"cHRM", struct.pack(">8I", *(round(100_000 * value) for value in (*D65, *corners)))


CHUNKS = {
    "gamma": ([(b"gAMA", struct.pack(">I", 100_000))], (D65, SRGB, 1.0)),
    "gamma and corners": ([(b"gAMA", struct.pack(">I", 45455)), chrm(P3)], (D65, P3, None)),
    "cICP of P3": ([(b"cICP", bytes([12, 13, 0, 1])), (b"gAMA", struct.pack(">I", 100_000))], (D65, P3, None)),
    "cICP of BT.2020": ([(b"cICP", bytes([9, 13, 0, 1]))], (D65, (0.708, 0.292, 0.17, 0.797, 0.131, 0.046), None)),
}


@pytest.mark.parametrize("case", CHUNKS)
def test_a_png_that_describes_its_colours_by_numbers(case):
    chunks, (white, corners, gamma) = CHUNKS[case]
    notes = []
    image = read_image(png(chart(), *chunks), notes)
    np.testing.assert_allclose(image, as_srgb(chart().astype(float), white, corners, gamma), atol=2)
    assert len(notes) == 1


@pytest.mark.parametrize(
    "chunks",
    [
        [(b"gAMA", struct.pack(">I", 45455))],
        [(b"gAMA", struct.pack(">I", 45455)), chrm(SRGB)],
        [(b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 100_000))],
        [(b"gAMA", bytes(4))],
        [(b"gAMA", struct.pack(">I", 30_000)), (b"cHRM", bytes(32))],
        [(b"cICP", bytes([1, 13, 0, 1]))],
    ],
)
def test_a_png_of_srgb_or_of_nonsense_stays_as_it_is(chunks):
    notes = []
    np.testing.assert_array_equal(read_image(png(chart(), *chunks), notes), chart())
    assert notes == []


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_gives_a_note(transfer, name):
    notes = []
    image = read_image(png(chart(), (b"cICP", bytes([9, transfer, 0, 1]))), notes)
    np.testing.assert_array_equal(image, chart())
    assert notes == [f"image: is HDR ({name}); its levels are used as they are, so that it looks dull"]


def test_a_camera_that_states_adobe_rgb_and_has_no_profile():
    index = directory(44, (1, 2, b"R03\0"))
    block = exif((34665, 4, long(26)))[6:] + directory(26, (40965, 4, long(44))) + index
    large = chart().repeat(8, 0).repeat(8, 1)
    notes = []
    image = read_image(io.BytesIO(jpeg_with(large, (0xE1, b"Exif\0\0" + block))), notes)
    expected = as_srgb(large.astype(float), D65, ADOBE, 563 / 256)
    assert np.abs(image - expected).mean() < 1.5
    assert notes == ["image: has the colours of Adobe RGB, which were converted to sRGB"]


def test_cmyk_with_a_profile_of_no_use_is_one_line():
    for content in (b"nonsense" * 20, profile()):
        notes = []
        read_image(saved(Image.fromarray(chart()).convert("CMYK"), "JPEG", icc_profile=content), notes)
        assert notes == ["image: is CMYK with a colour profile that cannot be read; its colours are a guess"]


@pytest.mark.parametrize("method", [2, 3])
def test_a_jpeg_2000_with_a_profile(method):
    """Pillow ignores it."""
    data = saved(Image.fromarray(chart()), "JPEG2000").getvalue()
    place = data.index(b"colr") - 4
    header = data.index(b"jp2h") - 4
    content = profile()
    box = struct.pack(">I4sBBB", 11 + len(content), b"colr", method, 0, 0) + content
    (length,) = struct.unpack_from(">I", data, header)
    head = data[:header] + struct.pack(">I", length - 15 + len(box)) + data[header + 4 : place]
    notes = []
    image = read_image(io.BytesIO(head + box + data[place + 15 :]), notes)
    assert np.abs(image.astype(int) - as_srgb(chart().astype(float), D65, P3, None)).max() <= 2
    assert [note.partition(" colours")[0] for note in notes] == ["image: has the"]


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_header_of_a_jpeg_2000_ends(seed):
    rng = np.random.default_rng(seed)
    data = np.frombuffer(saved(Image.fromarray(chart()), "JPEG2000").getvalue(), np.uint8).copy()
    data[rng.integers(12, 90, 3)] = rng.integers(0, 256, 3)
    with contextlib.suppress(ImageError):
        read_image(io.BytesIO(data.tobytes()))


def test_faces_are_found_in_the_colours_that_a_viewer_shows():
    """A photo in another colour space gives the keypoints of its sRGB pixels, from a file and from a PIL image."""
    file = saved(Image.fromarray(hopper()), icc_profile=profile(gamma=1.0))
    seen = read_image(file)
    (expected,) = detect(seen)
    for given in (file, Image.open(file)):
        (face,) = detect(given)
        np.testing.assert_array_equal(face.keypoints, expected.keypoints)


@pytest.mark.parametrize("most", [1.0, 200.0, 60_000.0, 1e6])
def test_floating_point_levels_are_scaled_and_said(most):
    levels = np.linspace(0, most, 50, dtype=np.float32)[None].repeat(3, 0)
    notes = []
    image = read_image(saved(Image.fromarray(levels), "TIFF"), notes)
    white = {200.0: 255.0, 60_000.0: 65535.0}.get(most, most)
    np.testing.assert_allclose(image, (255 * levels / white)[:, :, None].repeat(3, 2), atol=0.51)
    assert notes == [f"image: holds floating-point numbers, of which {white:g} is taken for white"]


def test_levels_of_nan_and_infinity():
    levels = np.array([[0, np.nan, np.inf, -np.inf, 0.5, 1]], np.float32)
    assert read_image(saved(Image.fromarray(levels), "TIFF"))[0, :, 0].tolist()[::3] == [0, 0]


def test_levels_of_32_bits():
    levels = np.array([[0, 1 << 20, 1 << 30]], np.int32)
    notes = []
    assert read_image(saved(Image.fromarray(levels), "TIFF"), notes)[0, :, 0].tolist() == [0, 0, 255]
    assert notes == [f"image: holds signed or 32-bit levels, of which {float(1 << 30):g} is taken for white"]


@pytest.mark.parametrize(("most", "white"), [(200, 255), (30_000, 32767), (60_000, 65535)])
def test_levels_of_32_bits_that_use_only_some(most, white):
    levels = np.array([[0, most]], np.int32)
    notes = []
    expected = [0, round(255 * most / white)]
    assert read_image(saved(Image.fromarray(levels), "TIFF"), notes)[0, :, 0].tolist() == expected
    assert notes == [f"image: holds signed or 32-bit levels, of which {white} is taken for white"]
    assert pixels_of(Image.fromarray(levels))[0, :, 0].tolist() == expected


def test_levels_of_32_bits_without_a_sign():
    """Pillow reads the upper half of them as negative."""
    levels = np.array([[0, 1 << 31, (1 << 32) - 1]], np.uint32)
    data = bytearray(saved(Image.fromarray(levels.view(np.int32)), "TIFF").getvalue())
    entry = data.index(struct.pack("<HHI", 339, 3, 1))
    data[entry + 8 : entry + 10] = b"\1\0"
    assert read_image(io.BytesIO(bytes(data)))[0, :, 0].tolist() == [0, 128, 255]


def test_a_floating_point_infinity_does_not_blacken_the_rest():
    levels = np.array([[0, 0.5, np.inf]], np.float32)
    assert read_image(saved(Image.fromarray(levels), "TIFF"))[0, :, 0].tolist() == [0, 128, 255]


def test_16_bit_levels_of_which_none_is_black():
    """TIFF: 0 may be white."""
    levels = np.array([[0, 257, 65535]], np.uint16)
    data = bytearray(saved(Image.fromarray(levels), "TIFF", tiffinfo={262: 0}).getvalue())
    entry = data.index(struct.pack("<HHI", 262, 3, 1))
    data[entry + 8 : entry + 10] = b"\0\0"
    assert read_image(io.BytesIO(bytes(data)))[0, :, 0].tolist() == [255, 254, 0]
