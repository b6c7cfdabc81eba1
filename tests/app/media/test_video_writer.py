"""Videos written by PyAV and by OpenCV hold what was written, and are whole or do not exist."""

import resource
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from fkp_app.errors import FkpError, UsageError
from fkp_app.media.video.codecs import has_av
from fkp_app.media.video.reader import open_video
from fkp_app.media.video.writer import WRITTEN_SUFFIXES, VideoWriter
from tests.videos import COUNT, HEIGHT, WIDTH, pictures, quarters

needs_av = pytest.mark.skipif(not has_av(), reason="PyAV is not installed (the extra `video`)")
both = pytest.mark.parametrize("library", [pytest.param("av", marks=needs_av), "opencv"])
KINDS = [("av", suffix) for suffix in WRITTEN_SUFFIXES] + [("opencv", suffix) for suffix in WRITTEN_SUFFIXES[:-1]]
every_kind = pytest.mark.parametrize(
    ("library", "suffix"), [pytest.param(*kind, marks=needs_av if kind[0] == "av" else ()) for kind in KINDS]
)


@pytest.fixture(autouse=True)
def _silent(capfd):
    """Neither OpenCV nor FFmpeg prints anything of its own."""
    yield
    assert capfd.readouterr() == ("", "")


def write(path, frames, library=None, rate=20, times=None, sound_from=None):
    """Write frames to a file; return the notes."""
    height, width = frames[0].shape[:2]
    with VideoWriter(path, width, height, rate, sound_from, library) as writer:
        for index, frame in enumerate(frames):
            writer.write(frame, None if times is None else times[index])
    return writer.notes


def names(folder):
    """The names of all files in a folder."""
    return sorted(path.name for path in folder.iterdir())


def read(path):
    """All frames of a video and its reader, with the library that is installed."""
    with open_video(path) as reader:
        frames = list(reader)
    assert not reader.truncated
    assert reader.notes == []
    return frames, reader


@every_kind
def test_a_written_video_is_read_back(library, suffix, tmp_path):
    notes = write(tmp_path / f"a{suffix}", pictures(), library)
    frames, reader = read(tmp_path / f"a{suffix}")
    assert (reader.width, reader.height, reader.frame_rate) == (WIDTH, HEIGHT, pytest.approx(20))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(COUNT) / 20, atol=1e-3)
    for frame, expected in zip(frames, pictures(), strict=True):
        np.testing.assert_allclose(quarters(frame.image), quarters(expected), atol=14)
    assert names(tmp_path) == [f"a{suffix}"]
    assert notes == [] if library == "av" else "numpynet-fkp[video]" in notes[0]


@needs_av
@pytest.mark.parametrize(("width", "height"), [(640, 480), (1280, 720)])
@both
def test_colours_are_those_that_players_show(width, height, library, tmp_path):
    """Videos with many rows code colours differently from those with few; both libraries must read the same colours."""
    write(tmp_path / "a.mp4", pictures(2, width, height), "av")
    with open_video(tmp_path / "a.mp4", library) as reader:
        np.testing.assert_allclose(quarters(next(iter(reader)).image), quarters(pictures(1)[0]), atol=4)


@needs_av
@pytest.mark.parametrize(
    ("suffix", "width", "height"),
    [*((suffix, 65, 47) for suffix in WRITTEN_SUFFIXES), (".mp4", 65, 48), (".mp4", 64, 47), (".mp4", 1, 1)],
)
def test_pyav_keeps_odd_sizes(suffix, width, height, tmp_path):
    notes = write(tmp_path / f"a{suffix}", pictures(3, width, height), "av")
    frames, reader = read(tmp_path / f"a{suffix}")
    assert (reader.width, reader.height, len(frames)) == (width, height, 3)
    assert bool(notes) == (suffix in {".mp4", ".mov", ".mkv"})  # not every player can decode their H.264
    if width > 1:
        np.testing.assert_allclose(quarters(frames[2].image), quarters(pictures(3, width, height)[2]), atol=14)


def test_opencv_cuts_odd_sizes_and_says_so(tmp_path):
    notes = write(tmp_path / "a.mp4", pictures(3, 65, 47), "opencv")
    _, reader = read(tmp_path / "a.mp4")
    assert (reader.width, reader.height) == (64, 46)
    assert "last row or column" in notes[1]


@needs_av
@pytest.mark.parametrize("rate", [30000 / 1001, 24000 / 1001, 25, 60, 12.5, 1])
def test_frame_rates_are_kept(rate, tmp_path):
    import av

    write(tmp_path / "a.mp4", pictures(), rate=rate)
    frames, _ = read(tmp_path / "a.mp4")
    assert frames[-1].time == pytest.approx((COUNT - 1) / rate, rel=1e-3)
    with av.open(str(tmp_path / "a.mp4")) as file:
        assert file.streams.video[0].average_rate == Fraction(rate).limit_denominator(1001)  # exactly


@needs_av
def test_the_only_frame_is_shown_for_a_while(tmp_path):
    import av

    write(tmp_path / "a.mp4", pictures(1), rate=20)
    with av.open(str(tmp_path / "a.mp4")) as file:
        assert file.duration / av.time_base == pytest.approx(1 / 20)


@needs_av
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_times_that_come_unevenly_are_kept(suffix, tmp_path):
    times = [0.0, 0.011, 0.2, 0.23, 0.9, 1.0]
    write(tmp_path / f"a{suffix}", pictures(6), times=times)
    frames, _ = read(tmp_path / f"a{suffix}")
    np.testing.assert_allclose([frame.time for frame in frames], times, atol=1e-3)


@both
def test_a_constant_rate_comes_as_near_as_it_can(library, tmp_path):
    """In AVI and OpenCV's files a frame is repeated until the next one; a surplus frame is left out with a note."""
    times = [0.0, 0.02, 0.1, 0.3, 0.35]  # at 20 frames per second: numbers 0, 0, 2, 6 and 7
    notes = write(tmp_path / "a.avi", pictures(5), library, times=times)
    frames, _ = read(tmp_path / "a.avi")
    for number, index in ((0, 0), (2, 2), (6, 3), (7, 4)):
        shown = [frame for frame in frames if frame.time <= number / 20 + 1e-3][-1]
        np.testing.assert_allclose(quarters(shown.image), quarters(pictures(5)[index]), atol=14)
    assert frames[-1].time == pytest.approx(0.35, abs=1e-3)
    assert "lacks 1 of the frames" in notes[-1]


@both
@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_nothing_is_left_of_a_run_that_failed(library, error, tmp_path):
    path = tmp_path / "a.mp4"
    path.write_text("what was there before")

    def fail():
        with VideoWriter(path, WIDTH, HEIGHT, 25, library=library) as writer:
            for frame in pictures():
                writer.write(frame)
            assert len(names(tmp_path)) == 2  # the second is the unfinished file under its hidden name
            raise error

    with pytest.raises(error):
        fail()
    assert names(tmp_path) == [path.name]
    assert path.read_text() == "what was there before"


@both
def test_a_full_disk(library, tmp_path):
    """A limit of 4 kB on files acts like a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    noise = np.random.default_rng(0).integers(0, 256, (60, 120, 160, 3), np.uint8)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(FkpError) as caught:
            write(tmp_path / "a.mp4", noise, library)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(caught.value).startswith(f"{tmp_path / 'a.mp4'}: cannot be written (")
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == []


@both
def test_places_where_nothing_can_be_written(library, tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "no" / "a.mp4", tmp_path / "file" / "a.mp4"):
        with pytest.raises(FkpError, match="cannot be written") as caught:
            write(path, pictures(), library)
        assert str(caught.value).startswith(f"{path}: ")


@both
def test_a_video_without_frames_is_not_made(library, tmp_path):
    with pytest.raises(FkpError, match="no frame came"), VideoWriter(tmp_path / "a.mp4", 64, 48, 25, library=library):
        pass
    assert names(tmp_path) == []


def test_unknown_suffixes_name_the_known_ones(tmp_path):
    for name in ("a.gif", "a", "a.mp4.txt"):
        with pytest.raises(UsageError, match=r"end the name in one of \.mp4, \.mov, \.mkv, \.avi, \.webm"):
            VideoWriter(tmp_path / name, 64, 48, 25)
    VideoWriter(tmp_path / "A.MP4", 64, 48, 25)


def test_opencv_sends_webm_to_pyav(tmp_path):
    with pytest.raises(FkpError, match=r"numpynet-fkp\[video\]"):
        write(tmp_path / "a.webm", pictures(), "opencv")


@both
@pytest.mark.parametrize(
    "image", [np.zeros((48, 65, 3), np.uint8), np.zeros((48, 64), np.uint8), np.zeros((48, 64, 3), np.float32)]
)
def test_a_frame_of_another_kind_is_a_mistake(image, library, tmp_path):
    with (
        pytest.raises(ValueError, match="frames are uint8"),
        VideoWriter(tmp_path / "a.mp4", 64, 48, 25, library=library) as writer,
    ):
        writer.write(image)
    assert names(tmp_path) == []


@needs_av
def test_without_pyav_opencv_writes(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)  # as if it were not installed
    assert "without sound" in write(tmp_path / "a.mp4", pictures())[0]


@both
def test_ctrl_c_in_a_process_of_its_own(library, tmp_path):
    """SIGINT while frames are being written, as Ctrl-C sends it."""
    program = f"""
import sys, numpy as np
from fkp_app.media.video.writer import VideoWriter
with VideoWriter({str(tmp_path / "a.mp4")!r}, 64, 48, 25, library={library!r}) as writer:
    print("begun", flush=True)
    while True:
        writer.write(np.zeros((48, 64, 3), np.uint8))
"""
    running = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout.readline() == b"begun\n"
    assert names(tmp_path) != []
    running.send_signal(2)
    _, errors = running.communicate(timeout=60)
    assert running.returncode != 0
    assert b"KeyboardInterrupt" in errors
    assert names(tmp_path) == []
