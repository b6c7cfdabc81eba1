"""Damaged videos and videos that claim nonsense: limits apply before they take memory or time."""

import math
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from fkp_app.media.video.clock import MOST_STILL, Clock
from fkp_app.media.video.codecs import MAX_SIDE, VideoError, has_av
from fkp_app.media.video.numbering import MOST_STILL as MOST_NUMBERS
from fkp_app.media.video.numbering import Numbering
from fkp_app.media.video.reader import FRAME_RATE, open_video
from fkp_app.media.video.shape import is_shape, letterboxed
from fkp_app.media.video.writer import VideoWriter
from tests.videos import (
    COUNT,
    HEIGHT,
    WIDTH,
    pictures,
    quarters,
    read_whole,
    shown_by,
    write_avi,
    write_kind,
    write_video,
)

pytestmark = [
    pytest.mark.skipif(not has_av(), reason="PyAV is not installed (the extra `video`)"),
    pytest.mark.usefixtures("silent"),
]
both = pytest.mark.parametrize("library", ["av", "opencv"])


on_linux = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="its memory is not told here")


def peak_of(path, library):
    """Megabytes that a process needs for this video beyond those for a small one."""
    program = f"""
import re, sys
from fkp_app.media.video.reader import open_video
for path in sys.argv[1:]:
    try:
        with open_video(path, {library!r}) as reader:
            for frame in reader:
                pass
    except Exception as error:
        pass
    print(re.search("VmHWM:\\\\s+(\\\\d+)", open("/proc/self/status").read())[1])
"""
    small = write_avi(path.with_name("small.avi"), pictures(2))
    command = [sys.executable, "-c", program, str(small), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    before, after = map(int, done.stdout.split())
    return (after - before) / 1024


def with_pixels(path, width, height):
    """An MP4 whose pixels have this ratio of width to height."""
    write_video(path, pictures(3), aspect=Fraction(3, 2))
    data = bytearray(path.read_bytes())
    place = data.index(b"pasp") + 4
    data[place : place + 8] = struct.pack(">II", width, height)
    path.write_bytes(data)
    return path


@both
@pytest.mark.parametrize(("width", "height"), [(60000, 1), (1, 60000), (0x7FFFFFFF, 3), (11, 1), (1, 11)])
def test_pixels_of_an_impossible_shape_are_taken_as_square(width, height, library, tmp_path):
    frames, (note,) = read_whole(with_pixels(tmp_path / "a.mp4", width, height), library)
    assert frames[0].image.shape == (HEIGHT, WIDTH, 3)
    assert note == f"claims pixels {width / height:.3g} times as wide as high, which are taken as square"


@on_linux
@both
def test_pixels_of_an_impossible_shape_take_no_memory(library, tmp_path):
    assert peak_of(with_pixels(tmp_path / "a.mp4", 60000, 1), library) < 100


@both
@pytest.mark.parametrize(("width", "height"), [(4, 3), (10, 11), (9, 1), (1, 4)])
def test_pixels_of_a_possible_shape_are_believed(width, height, library, tmp_path):
    frames, notes = read_whole(with_pixels(tmp_path / "a.mp4", width, height), library)
    assert frames[0].image.shape == (HEIGHT, round(WIDTH * width / height), 3)
    assert notes == []


def test_shapes_that_are_believed():
    assert is_shape(1.0, MAX_SIDE, MAX_SIDE)
    assert is_shape(10.0, 800, 8)
    assert not is_shape(1.1, MAX_SIDE, 100)  # larger than any picture that is read
    assert not is_shape(0.01, 800, 600)
    assert not is_shape(math.inf, 8, 8)
    assert not is_shape(math.nan, 8, 8)


@both
def test_frames_that_grow_are_fitted_and_take_no_lasting_memory(library, tmp_path):
    frames = [*pictures(2), *pictures(1, 3000, 3000), *pictures(1, 60000, 16), *pictures(1, 16, 60000), *pictures(2)]
    path = write_avi(tmp_path / "a.avi", frames)
    with open_video(path, library) as reader:
        given = [frame.image for frame in reader]
    assert {image.shape for image in given} == {(HEIGHT, WIDTH, 3)}
    assert len(given) >= 5
    np.testing.assert_allclose(quarters(given[-1]), quarters(pictures(2)[1]), atol=12)
    if library == "av":
        assert reader.notes == [f"{path}: 3 of its frames, of another size than the first, were fitted into 64 x 48"]


def test_fitting_allows_for_the_shape_of_pixels():
    fitted = letterboxed(np.full((10, 1000, 3), 200, np.uint8), 40, 40, aspect=0.01)  # shown as 10 x 10
    assert fitted.shape == (40, 40, 3)
    assert (fitted == 200).all()


@on_linux
@both
@pytest.mark.parametrize("side", [65500, 10000])
def test_a_picture_that_claims_far_more_than_it_holds(side, library, tmp_path):
    """Motion JPEG whose pictures claim `side` pixels per side: 13 GB each, or 300 MB, which can be allocated."""
    path = write_avi(tmp_path / "a.avi", pictures(3))
    data = bytearray(path.read_bytes())
    at = data.find(b"\xff\xc0\x00\x11\x08")
    while at >= 0:
        data[at + 5 : at + 9] = struct.pack(">HH", side, side)
        at = data.find(b"\xff\xc0\x00\x11\x08", at + 9)
    path.write_bytes(data)
    with pytest.raises(VideoError):
        open_video(path, library)
    if library == "av" or side > 2 * MAX_SIDE:  # OpenCV has no such option
        assert peak_of(path, library) < 100


@both
def test_times_that_jump_by_months_are_counted_on(library, tmp_path):
    jumped = [0.0, 0.04, 0.08, 1e7, 1e7 + 0.04, 1e7 + 0.08]
    path = write_kind(tmp_path / "a.mkv", "ffv1", count=6, times=jumped)
    frames, notes = read_whole(path, library)
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(6) / 25, atol=0.003)
    assert notes == ["has times that jump, 1 in all; after each, frames follow the last time"]


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_a_copy_of_such_a_video_is_short(suffix, tmp_path):
    path = write_kind(tmp_path / "a.mkv", "ffv1", count=4, times=[0.0, 0.04, 1e7, 1e7 + 0.04])
    target = tmp_path / f"b{suffix}"
    with open_video(path) as reader, VideoWriter(target, WIDTH, HEIGHT, 25) as writer:
        for frame in reader:
            writer.write(frame.image, frame.time)
    assert target.stat().st_size < 20_000
    frames, _ = read_whole(target)
    assert (len(frames), frames[-1].time) == (4, pytest.approx(0.12, abs=0.01))


@both
def test_an_hour_of_a_still_picture_is_kept(library, tmp_path):
    path = write_kind(tmp_path / "a.mkv", "ffv1", count=4, times=[0.0, 0.04, 3600.0, 3600.04])
    frames, _ = read_whole(path, library)
    np.testing.assert_allclose([frame.time for frame in frames], [0, 0.04, 3600, 3600.04], atol=0.002)


def times_of(*given, rate=25.0):
    """The times that a clock returns, and the number of jumps in the given times."""
    clock = Clock(rate)
    return [clock(at) for at in given], clock.jumps


def test_the_clock_believes_what_makes_sense():
    assert times_of(0.0, 0.04, 0.5, 5.0) == ([0.0, 0.04, 0.5, 5.0], 0)
    assert times_of(0.3, 0.4) == ([0.3, 0.4], 0)  # the pictures begin after the sound
    assert times_of(-0.5, 0.1) == ([0.0, 0.1], 0)


def test_the_clock_counts_where_times_are_missing_or_nonsense():
    for nothing in (None, math.nan, math.inf, -math.inf):
        assert times_of(0.0, nothing, nothing) == ([0.0, 0.04, 0.08], 0)
    assert times_of(0.0, 0.0, 0.0)[0] == [0.0, 0.04, 0.08]  # repeated times
    assert times_of(1.0, 0.5)[0] == [1.0, 1.04]


def test_the_clock_goes_on_after_a_jump():
    back = times_of(100.0, 100.5, 0.0, 0.5, 1.5)  # a recording that began anew
    assert (back[0], back[1]) == (pytest.approx([100.0, 100.5, 100.54, 101.04, 102.04]), 1)
    ahead = times_of(0.0, 1e8, 1e8 + 0.1, 1e8 + 2)
    assert (ahead[0], ahead[1]) == (pytest.approx([0.0, 0.04, 0.14, 2.04], abs=1e-6), 1)
    first = times_of(1e9, 1e9 + 0.5)
    assert (first[0], first[1]) == (pytest.approx([0.0, 0.5]), 1)
    down = times_of(0.0, -1e9, -1e9 + 0.5)
    assert (down[0], down[1]) == (pytest.approx([0.0, 0.04, 0.54], abs=1e-6), 1)


def test_the_clock_bounds_all_the_gaps_together():
    times, jumps = times_of(*(600.0 * index for index in range(1000)))
    assert times[10] == 6000.0
    assert times[-1] < MOST_STILL + 1000
    assert jumps == pytest.approx(1000 - MOST_STILL / 600, abs=2)
    assert (np.diff(times) > 0).all()


def test_any_times_grow():
    rng = np.random.default_rng(0)
    wild = [None, math.nan, -1e300, 1e300, 0.0, 1e-300, *rng.normal(0, 1e6, 300), *rng.normal(0, 1, 300)]
    for _ in range(20):
        times, _ = times_of(*rng.permutation(np.array(wild, object)))
        assert (np.diff(times) > 0).all()
        assert times[-1] < MOST_STILL + 1000


def test_numbers_of_a_constant_rate():
    number = Numbering(10.0)
    assert [number(at) for at in (0.0, 0.1, 0.12, 0.5, 0.6)] == [0, 1, None, 5, 6]
    assert number.still == 3
    assert number.notes() == ["lacks 1 of the frames, which came faster than its constant frame rate"]


def test_numbers_bound_the_gaps_and_say_so():
    number = Numbering(10.0)
    assert [number(at) for at in (0.0, 1e6, 1e6 + 0.1, 1e6 + 0.3)] == [0, 1, 2, 4]
    assert number.notes() == ["leaves out 1000000 s of gaps, in which a picture stands still"]
    many = Numbering(10.0)
    last = max(many(1000.0 * index) for index in range(100))
    assert last <= MOST_NUMBERS + 100


def test_opencv_says_how_often_frames_are_repeated(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", WIDTH, HEIGHT, 25, library="opencv") as writer:
        for picture, at in zip(pictures(3), (0.0, 0.2, 0.24), strict=True):
            writer.write(picture, at)
    assert "repeats frames 4 times, as its frame rate is constant" in writer.notes[-1]
    assert len(read_whole(tmp_path / "a.mp4", "opencv")[0]) == 7


@pytest.mark.parametrize("time", [math.nan, math.inf, -1.0, 1e12])
def test_a_time_beyond_all_videos_is_a_mistake(time, tmp_path):
    with (
        pytest.raises(ValueError, match="frames are shown from 0 to"),
        VideoWriter(tmp_path / "a.mp4", WIDTH, HEIGHT, 25) as writer,
    ):
        writer.write(pictures(1)[0], time)
    assert list(tmp_path.iterdir()) == []


@both
@pytest.mark.parametrize(("rate", "claimed"), [((1_000_000_000, 1), "1e+09"), ((4_000_000_000, 2), "2e+09")])
def test_frame_rates_beyond_reason(rate, claimed, library, tmp_path):
    frames, notes = read_whole(write_avi(tmp_path / "a.avi", pictures(), rate=rate), library)
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(COUNT) / FRAME_RATE, atol=1e-3)
    assert notes == [f"claims {claimed} frames per second, which is taken as 25"]


@pytest.mark.parametrize("matrix", [(0.7, 0.7, -0.7, 0.7), (1, 0.5, 0, 1), (0.5, 0.866, -0.866, 0.5)])
def test_a_turn_by_an_odd_angle_gives_one_note(matrix, tmp_path):
    frames, notes = read_whole(shown_by(write_video(tmp_path / "a.mp4", pictures()), matrix))
    assert notes == ["is to be shown turned by no multiple of 90 degrees, or skewed; it is turned by the nearest one"]
    assert len(frames) == COUNT


@pytest.mark.parametrize("matrix", [(0, 0, 0, 0), (30000, 0, 0, 30000), (-2, 0, 0, 2), (0.001, 0, 0, 0.001)])
def test_a_nonsensical_matrix_keeps_the_size(matrix, tmp_path):
    frames, _ = read_whole(shown_by(write_video(tmp_path / "a.mp4", pictures(3)), matrix))
    assert frames[0].image.shape == (HEIGHT, WIDTH, 3)
