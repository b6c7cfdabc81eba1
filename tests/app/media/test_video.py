"""Reading and writing videos by PyAV and by OpenCV: the frames, and the errors of bad files."""

import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from fkp_app.media.video.codecs import MAX_SIDE, Claims, VideoError, has_av
from fkp_app.media.video.reader import FRAME_RATE, VideoReader, open_video
from tests.videos import (
    BLUE,
    COUNT,
    GREEN,
    HEIGHT,
    RED,
    WIDTH,
    pictures,
    quarters,
    shown_by,
    write_avi,
    write_video,
)

needs_av = pytest.mark.skipif(not has_av(), reason="PyAV is not installed (the extra `video`)")
LIBRARIES = [pytest.param("av", marks=needs_av), "opencv"]
both = pytest.mark.parametrize("library", LIBRARIES)


@pytest.fixture(autouse=True)
def _silent(capfd):
    """Neither OpenCV nor FFmpeg prints anything of its own."""
    yield
    assert capfd.readouterr() == ("", "")


def read(path, library):
    """All frames of a video, and its reader."""
    with open_video(path, library) as reader:
        frames = list(reader)
    assert not reader.truncated
    return frames, reader


def same_colours(image, expected, within=12):
    np.testing.assert_allclose(quarters(image), quarters(expected), atol=within)


@both
def test_every_frame_with_its_index_time_and_colours(library, tmp_path):
    frames, reader = read(write_avi(tmp_path / "a.avi", pictures(), rate=(20, 1)), library)
    assert (reader.width, reader.height, reader.frame_rate) == (WIDTH, HEIGHT, 20)
    assert (reader.frame_count, reader.has_sound, reader.notes) == (COUNT, False, [])
    assert [frame.index for frame in frames] == list(range(COUNT))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(COUNT) / 20, atol=1e-6)
    for frame, expected in zip(frames, pictures(), strict=True):
        assert frame.image.dtype == np.uint8
        same_colours(frame.image, expected)


@both
@needs_av
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_phone_held_upright(library, degrees, tmp_path):
    path = write_video(tmp_path / "a.mp4", pictures())
    # The viewer sees a clockwise turn; y points down.
    matrix = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    frames, reader = read(shown_by(path, matrix), library)
    expected = [np.rot90(picture, -degrees // 90) for picture in pictures()]
    assert (reader.height, reader.width) == expected[0].shape[:2]
    for frame, picture in zip(frames, expected, strict=True):
        same_colours(frame.image, picture)


@needs_av
@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
        ((1, 0, 0, -1), lambda image: image[::-1]),
        ((0, 1, 1, 0), lambda image: image.transpose(1, 0, 2)),
    ],
    ids=["left-right", "upside-down", "transposed"],
)
def test_a_mirrored_video(matrix, shown, tmp_path):
    frames, _ = read(shown_by(write_video(tmp_path / "a.mp4", pictures()), matrix), "av")
    same_colours(frames[3].image, shown(pictures()[3]))


@both
@needs_av
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_frames_that_do_not_come_evenly_keep_their_times(library, suffix, tmp_path):
    times = [0.0, 0.04, 0.2, 0.23, 0.9, 1.0]
    frames, reader = read(write_video(tmp_path / f"a{suffix}", pictures(6), times), library)
    np.testing.assert_allclose([frame.time for frame in frames], times, atol=2e-3)
    assert 3 < reader.frame_rate < 26


@both
@needs_av
def test_time_counts_from_the_first_frame(library, tmp_path):
    times = [5.0 + index / 25 for index in range(6)]
    frames, _ = read(write_video(tmp_path / "a.mkv", pictures(6), times), library)
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(6) / 25, atol=2e-3)


@both
@needs_av
def test_pixels_that_are_not_square_are_shown_square(library, tmp_path):
    frames, reader = read(write_video(tmp_path / "a.mp4", pictures(), aspect=2), library)
    assert (reader.width, reader.height) == (2 * WIDTH, HEIGHT)
    same_colours(frames[0].image, pictures()[0])


@needs_av
def test_the_reader_tells_whether_there_is_sound(tmp_path):
    assert read(write_video(tmp_path / "a.mp4", pictures(), sound="aac"), "av")[1].has_sound
    assert not read(write_video(tmp_path / "b.mp4", pictures()), "av")[1].has_sound


@both
def test_special_characters_in_names_have_no_meaning(library, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("http:a.avi", "Фильм 海 %02d.avi", "video.txt"):
        write_avi(tmp_path / name, pictures())
        assert len(read(Path(name), library)[0]) == COUNT


def not_a_video(path):
    path.write_text("To be or not to be, that is the question.\n" * 50)


BAD = {
    "missing": (lambda path: None, "no such file"),
    "empty": (lambda path: path.touch(), "is empty"),
    "folder": (lambda path: path.mkdir(), "is a directory"),
    "text": (not_a_video, "is not a video that can be read"),
    "too large": (lambda path: write_avi(path, pictures(1, MAX_SIDE + 8, 16)), f"more than {MAX_SIDE} x {MAX_SIDE}"),
    "no frames": (lambda path: write_avi(path, []), ""),
    "unknown codec": (lambda path: write_avi(path, pictures(), fourcc=b"ZQXJ"), ""),
}


@both
@pytest.mark.parametrize("kind", BAD)
def test_bad_files_end_in_one_line(kind, library, tmp_path):
    path = tmp_path / "bad.avi"
    make, says = BAD[kind]
    make(path)
    with pytest.raises(VideoError) as caught:
        open_video(path, library)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert says in message
    assert "\n" not in message
    assert caught.value.exit_code == 1


@needs_av
def test_pyav_tells_more_of_what_is_wrong(tmp_path):
    with pytest.raises(VideoError, match="codec that is unknown"):
        open_video(write_avi(tmp_path / "codec.avi", pictures(), fourcc=b"ZQXJ"), "av")
    with pytest.raises(VideoError, match="holds no pictures"):
        open_video(write_avi(tmp_path / "none.avi", []), "av")
    sound = tmp_path / "sound.wav"
    import wave

    with wave.open(str(sound), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(8000))
    with pytest.raises(VideoError, match="holds sound alone"):
        open_video(sound, "av")


@both
def test_a_nonsensical_frame_rate_is_replaced_with_a_note(library, tmp_path):
    frames, reader = read(write_avi(tmp_path / "a.avi", pictures(), rate=(1_000_000, 1)), library)
    assert reader.frame_rate == FRAME_RATE
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(COUNT) / FRAME_RATE, atol=1e-3)
    assert reader.notes == [f"{tmp_path / 'a.avi'}: claims 1e+06 frames per second, which is taken as 25"]


@both
def test_a_frame_rate_of_zero(library, tmp_path):
    """In this container FFmpeg itself replaces it by 25."""
    frames, reader = read(write_avi(tmp_path / "a.avi", pictures(), rate=(0, 1)), library)
    assert reader.frame_rate == 25
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(COUNT) / 25, atol=1e-6)


class NoTimes:
    """A decoder of a file that states neither rate nor times."""

    claims = Claims(0.0, None, False)
    problems: ClassVar[list[str]] = []
    notes: ClassVar[list[str]] = []
    unkept = ""

    def pictures(self):
        return iter([(None, picture) for picture in pictures(3)])

    def close(self):
        pass


def test_frames_without_times_come_evenly():
    reader = VideoReader(Path("a.xyz"), NoTimes())
    assert [frame.time for frame in reader] == [0, 1 / 25, 2 / 25]
    assert reader.notes == ["a.xyz: claims 0 frames per second, which is taken as 25"]
    assert reader.frame_count is None


@both
def test_a_truncated_file_gives_its_frames_and_a_note(library, tmp_path):
    path = write_avi(tmp_path / "a.avi", pictures(50))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    with open_video(path, library) as reader:
        frames = list(reader)
    assert 25 <= len(frames) <= 31
    same_colours(frames[20].image, pictures(50)[20])
    assert reader.truncated
    (note,) = reader.notes
    assert note.startswith(f"{path}: ")
    assert "truncated" in note


@needs_av
def test_half_a_frame_missing_at_the_end_gives_a_note(tmp_path):
    path = write_video(tmp_path / "a.mp4", pictures(50))
    path.write_bytes(path.read_bytes()[:-20])
    with open_video(path, "av") as reader:
        assert len(list(reader)) >= 49
    assert reader.notes == [f"{path}: is damaged; 1 of its frames is broken"]
    assert reader.truncated


@needs_av
def test_damage_in_the_middle_costs_some_frames_and_gives_a_note(tmp_path):
    path = write_video(tmp_path / "a.mp4", pictures(50))
    data = bytearray(path.read_bytes())
    media = data.index(b"mdat")
    middle = media + (len(data) - media) // 2
    data[middle : middle + 400] = bytes(400)
    path.write_bytes(data)
    with open_video(path, "av") as reader:
        frames = list(reader)
    assert 20 < len(frames) < 50
    assert frames[-1].time == pytest.approx(49 / 25)
    assert reader.truncated
    assert "is damaged" in reader.notes[0]


@both
def test_frames_of_another_size_are_fitted(library, tmp_path):
    frames = [*pictures(4), *pictures(4, width=48, height=96), *pictures(4), *pictures(2, width=96, height=24)]
    given, reader = read(write_avi(tmp_path / "a.avi", frames), library)
    assert {frame.image.shape for frame in given} == {(HEIGHT, WIDTH, 3)}
    assert len(given) == 14
    same_colours(given[11].image, frames[11])
    if library == "opencv":  # OpenCV has fitted them itself, and distorted them
        same_colours(given[5].image, frames[5], within=25)
        return
    (note,) = reader.notes
    assert "6 of its frames, of another size" in note
    fitted = given[5].image
    assert fitted[:, :18].max() < 40  # black bars beside it: the picture has 24 of the 64 columns
    np.testing.assert_allclose(fitted[12, [23, 40]], [RED, GREEN], atol=25)
    np.testing.assert_allclose(fitted[36, 23], BLUE, atol=25)
    wide = given[13].image
    assert wide[:15].max() < 40  # black bars above and below: the picture has 16 of the 48 rows
    assert wide[33:].max() < 40
    np.testing.assert_allclose(wide[[20, 28], 16], [RED, BLUE], atol=25)


def test_importing_loads_no_library():
    program = (
        "import fkp_app.media.video.reader, fkp_app.media.video.writer, sys; print({'av', 'cv2'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@needs_av
def test_pyav_is_used_if_it_is_installed_and_opencv_otherwise(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", pictures(), sound="aac")
    with open_video(path) as reader:
        assert reader.has_sound
    monkeypatch.setitem(sys.modules, "av", None)  # as if it were not installed
    with open_video(path) as reader:
        assert not reader.has_sound
        assert len(list(reader)) == COUNT
