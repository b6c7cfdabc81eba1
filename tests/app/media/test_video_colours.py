"""Colours of videos: HDR and wide gamuts become BT.709 with the same look; SDR does not change."""

import numpy as np
import pytest

from fkp_app.media.video import tone
from fkp_app.media.video.codecs import has_av
from fkp_app.media.video.reader import open_video
from fkp_app.media.video.writer import VideoWriter
from tests.videos import write_coloured

av = pytest.importorskip("av", reason="PyAV is not installed (the extra `video`)")
if not has_av():
    pytest.skip("this PyAV is too old", allow_module_level=True)

HLG, PQ = 18, 16
BT709, BT2020, DISPLAY_P3 = 1, 9, 12
GREYS = [(0, 0, 0), (40, 40, 40), (80, 80, 80), (118, 118, 118), (160, 160, 160), (210, 210, 210)]
SKIN = [(224, 172, 140), (198, 134, 100), (141, 85, 60), (90, 56, 40), (210, 160, 150), (60, 40, 32)]
BRIGHT = [(190, 60, 60), (70, 160, 70), (60, 80, 190), (200, 190, 70), (70, 180, 190), (180, 80, 180)]
CHART = np.array([GREYS, SKIN, BRIGHT], float)
"""Colours coded for a BT.709 screen; all dimmer than the knee."""
# Matrices as published (ITU-R BT.2087 and CSS Color 4), not computed by our own functions.
TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
TO_P3 = np.array([[0.8225, 0.1774, 0.0], [0.0332, 0.9669, 0.0], [0.0171, 0.0724, 0.9108]])


def chart(colours=CHART, side=24):
    """A picture (3 * side, 6 * side, 3) of coloured squares."""
    return colours.repeat(side, axis=0).repeat(side, axis=1)


def squares(image, side=24):
    """The colours in the middle of each square."""
    return image[side // 2 :: side, side // 2 :: side].astype(float)


def light(colours):
    """Colours 0 .. 255 as cd/m2 in HDR; 255 is white paper at 203 cd/m2."""
    return 203 * (colours / 255) ** 2.4


def pq(nits):
    """SMPTE ST 2084's inverse EOTF."""
    power = (nits / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg(nits):
    """BT.2100's inverse OOTF for a screen of 1000 cd/m2, and its OETF."""
    shown = nits / 1000
    luminance = shown @ [0.2627, 0.6780, 0.0593]
    scene = shown * np.maximum(luminance, 1e-12)[..., None] ** (1 / 1.2 - 1)
    logarithmic = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-12)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), logarithmic)


ENCODED = {HLG: hlg, PQ: pq}


def read(path, library="av"):
    """The colours in the middle of each square of a video's last frame, and its notes."""
    with open_video(path, library) as reader:
        frames = list(reader)
    assert not reader.truncated
    return squares(frames[-1].image), reader.notes


def chroma(colours):
    """CIELAB's C* of colours 0 .. 255 on a BT.709 screen."""
    linear = (colours / 255) ** 2.4
    xyz = linear @ np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]).T
    x, y, z = np.moveaxis(np.cbrt(xyz / [0.9505, 1.0, 1.089]), -1, 0)
    return np.hypot(500 * (x - y), 200 * (y - z))


@pytest.mark.parametrize("transfer", [HLG, PQ])
@pytest.mark.parametrize(("codec", "pix_fmt", "within"), [("libx265", "yuv420p10le", 7), ("ffv1", "yuv444p16le", 4)])
def test_hdr_looks_as_its_sdr_original(transfer, codec, pix_fmt, within, tmp_path):
    """10-bit PQ with subsampled colours is coarse in deep cyan; 16 bits show the table's error alone."""
    signal = ENCODED[transfer](light(chart()) @ TO_BT2020.T)
    path = write_coloured(tmp_path / "a.mkv", [signal] * 2, 9, (9, transfer, BT2020), pix_fmt, codec)
    colours, notes = read(path)
    np.testing.assert_allclose(colours, CHART, atol=within)
    np.testing.assert_allclose(colours[:2], CHART[:2], atol=3)
    np.testing.assert_allclose(chroma(colours[1:]), chroma(CHART[1:]), rtol=0.05, atol=1)
    name = {HLG: "HLG", PQ: "PQ"}[transfer]
    assert notes == [f"{path}: is HDR ({name}, BT.2020), which was converted to BT.709"]


@pytest.mark.parametrize("transfer", [HLG, PQ])
def test_what_is_brighter_than_paper_is_told_apart_and_keeps_its_colour(transfer, tmp_path):
    bright = np.array(
        [[(255, 255, 255), (300, 300, 300), (380, 380, 380), (450, 450, 450), (380, 280, 220), (0, 0, 0)]]
    )
    bright = bright.repeat(3, axis=0).astype(float)
    signal = ENCODED[transfer](light(chart(bright)) @ TO_BT2020.T)
    colours, _ = read(write_coloured(tmp_path / "a.mkv", [signal], 9, (9, transfer, BT2020), codec="ffv1"))
    white, *greys, skin, black = colours[0]
    assert 230 <= white[0] <= 245  # 0.90 to 0.96, which leaves room above white
    assert (np.diff([white[0], *(grey[0] for grey in greys)]) >= 1).all()
    assert greys[-1].max() <= 255
    assert np.ptp(np.array([white, *greys]), axis=1).max() <= 2
    np.testing.assert_allclose(skin[1:] / skin[0], np.array([280, 220]) / 380, atol=0.02)
    assert black.max() <= 1


@pytest.mark.parametrize(
    ("name", "matrix", "primaries", "mixed"), [("BT.2020", 9, BT2020, TO_BT2020), ("Display P3", 1, DISPLAY_P3, TO_P3)]
)
def test_wide_gamuts_of_sdr_are_converted(name, matrix, primaries, mixed, tmp_path):
    signal = ((chart() / 255) ** 2.4 @ mixed.T) ** (1 / 2.4)
    path = write_coloured(tmp_path / "a.mkv", [signal] * 2, matrix, (matrix, 1, primaries))
    colours, notes = read(path)
    np.testing.assert_allclose(colours, CHART, atol=3)
    assert notes == [f"{path}: has the wide gamut of {name}, which was converted to BT.709"]


def test_colours_outside_bt709_keep_their_brightness_and_lose_little_chroma():
    light = tone.converted(np.array([0.0, 0.6, 0.0]), 14, BT2020) ** 2.4
    assert light @ [0.2126, 0.7152, 0.0722] == pytest.approx(0.6780 * 0.6**2.4, rel=0.01)
    assert light[0] == pytest.approx(0, abs=1e-3)
    assert light[1] > 3 * light[2]


@pytest.mark.parametrize(
    ("matrix", "tags", "pix_fmt", "codec", "full"),
    [
        (1, (1, 1, 1), "yuv420p", "libx264", False),
        (1, (1, 1, 1), "yuv420p10le", "libx265", False),
        (1, (1, 1, 1), "yuv420p", "libx264", True),
        (5, (5, 13, 1), "yuvj420p", "mjpeg", True),
        (5, (5, 5, 5), "yuv420p", "libx264", False),
        (6, (6, 6, 6), "yuv422p", "ffv1", False),
        (7, (7, 7, 7), "yuv420p", "libx264", False),
        (5, (2, 2, 2), "yuv444p", "ffv1", False),
        (1, (1, 1, 1), "yuv422p10le", "ffv1", False),
        (1, (1, 1, 1), "yuv444p16le", "ffv1", False),
    ],
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".avi"])
def test_sdr_comes_out_as_it_went_in(matrix, tags, pix_fmt, codec, full, suffix, tmp_path):
    """Read, written and read again."""
    path = write_coloured(tmp_path / "a.mkv", [chart() / 255] * 2, matrix, tags, pix_fmt, codec, full)
    colours, notes = read(path)
    np.testing.assert_allclose(colours, CHART, atol=4)
    assert notes == []
    with open_video(path) as reader, VideoWriter(tmp_path / f"b{suffix}", reader.width, reader.height, 25) as writer:
        for frame in reader:
            writer.write(frame.image, frame.time)
    np.testing.assert_allclose(read(tmp_path / f"b{suffix}")[0], colours, atol=8 if suffix == ".avi" else 6)


def test_many_rows_that_state_nothing_are_bt709(tmp_path):
    picture = chart(side=120) / 255
    colours, _ = read(write_coloured(tmp_path / "a.mkv", [picture[:, :360]], 1, (2, 2, 2), "yuv420p", full=False))
    assert colours.shape[0] == 15  # 360 rows: BT.601 is assumed, so the colours differ
    assert np.abs(colours[::5, ::5][2, 2] - CHART[2, 2]).max() > 5
    tall = chart(side=240) / 255
    with open_video(write_coloured(tmp_path / "b.mkv", [tall], 1, (2, 2, 2), "yuv420p")) as reader:
        image = next(iter(reader)).image
    np.testing.assert_allclose(image[120::240, 120::240], CHART, atol=3)


@pytest.mark.parametrize("size", [(144, 72), (1280, 720)])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_written_videos_say_how_their_colours_are_coded(suffix, size, tmp_path):
    with VideoWriter(tmp_path / f"a{suffix}", *size, 25) as writer:
        writer.write(np.full((size[1], size[0], 3), 90, np.uint8))
    with av.open(str(tmp_path / f"a{suffix}")) as file:
        frame = next(file.decode(video=0))
        context = file.streams.video[0].codec_context
        assert (frame.colorspace, context.color_trc, context.color_primaries) == (1, 1, 1)
        assert frame.color_range == 1


def test_an_unknown_matrix_gives_a_note(tmp_path):
    path = write_coloured(tmp_path / "a.mkv", [chart() / 255], 5, (8, 1, 1), "yuv420p", "libx264")  # states YCgCo
    colours, notes = read(path)
    assert "matrix 8 of H.273" in notes[0]
    assert len(notes) == 1
    np.testing.assert_allclose(colours[0], CHART[0], atol=3)  # greys need no matrix


def test_transparency_gives_one_note(tmp_path):
    path = write_coloured(tmp_path / "a.mkv", [chart() / 255] * 3, 1, (1, 1, 1), "yuva420p")
    colours, notes = read(path)
    np.testing.assert_allclose(colours, CHART, atol=3)
    assert notes == [f"{path}: has a channel of transparency, which is left out"]


def test_opencv_says_where_colours_may_be_hdr(tmp_path):
    signal = hlg(light(chart()) @ TO_BT2020.T)
    path = write_coloured(tmp_path / "a.mkv", [signal] * 2, 9, (9, HLG, BT2020), codec="libx265")
    assert "colours of 10 bits; if they are HDR" in read(path, "opencv")[1][0]
    plain = write_coloured(tmp_path / "b.mkv", [chart() / 255] * 2, 1, (1, 1, 1), "yuv420p", "libx264")
    assert read(plain, "opencv")[1] == []


def test_hdr_through_the_command(tmp_path, fkp):
    """A small HLG clip becomes BT.709 with the same colours, and one line says so."""
    signal = hlg(light(chart()) @ TO_BT2020.T)
    path = write_coloured(tmp_path / "a.mkv", [signal] * 3, 9, (9, HLG, BT2020), codec="libx265")
    ended = fkp("filter", path, "--out", tmp_path / "out")
    assert ended.code == 0
    assert ended.err == f"fkp: {path}: is HDR (HLG, BT.2020), which was converted to BT.709\n"
    (written,) = (tmp_path / "out").iterdir()
    np.testing.assert_allclose(read(written)[0], CHART, atol=7)
    with av.open(str(written)) as file:
        context = file.streams.video[0].codec_context
        assert (context.colorspace, context.color_trc, context.color_primaries) == (1, 1, 1)


def test_the_curve_is_smooth_and_ends_at_white():
    values = tone.compressed(np.linspace(0, 5, 5001), 5.0)
    assert values[-1] == pytest.approx(1)
    steps = np.diff(values)
    assert (steps > 0).all()
    assert np.abs(np.diff(steps)).max() < 1e-5  # no kink
    np.testing.assert_allclose(values[:700], np.linspace(0, 5, 5001)[:700], rtol=1e-12)
