"""Whether a video is whole depends on its pictures: longer sound or subtitles are no damage."""

import numpy as np
import pytest

from fkp_app.media.video.codecs import VideoError, has_av
from fkp_app.media.video.length import stated_end
from fkp_app.media.video.reader import open_video
from fkp_app.media.video.whole import short_of
from tests.videos import begun_later, pictures, quarters, with_subtitles, write_avi, write_kind, write_video

pytestmark = pytest.mark.skipif(not has_av(), reason="PyAV is not installed (the extra `video`)")
both = pytest.mark.parametrize("library", ["av", "opencv"])

KINDS = {
    ".mp4": ("mpeg4", "aac"),
    ".mov": ("mpeg4", "aac"),
    ".mkv": ("mpeg4", "aac"),
    ".webm": ("libvpx-vp9", "libopus"),
    ".avi": ("mpeg4", "libmp3lame"),
    ".ts": ("libx264", "aac"),
    ".flv": ("flv", "libmp3lame"),
    ".asf": ("wmv2", "libmp3lame"),
    ".mpg": ("mpeg2video", "mp2"),
}
STATED = [".mkv", ".webm", ".avi", ".flv", ".asf"]
"""Formats that can be read when cut off, and that state their length."""


def write(path, lasts=(), count=50, begins=0.0):
    """Two seconds of pictures, and sounds of the given lengths."""
    codec, sound = KINDS[path.suffix]
    times = [begins + index / 25 for index in range(count)] if begins else None
    return write_kind(path, codec, count=count, times=times, sound=sound, lasts=lasts)


def cut(path, share):
    """A copy of the file that keeps only this share of its bytes."""
    data = path.read_bytes()
    shorter = path.with_name(f"cut-{path.name}")
    shorter.write_bytes(data[: int(len(data) * share)])
    return shorter


def read(path, library="av"):
    """The number of frames in a video, and its reader."""
    with open_video(path, library) as reader:
        return len(list(reader)), reader


@both
@pytest.mark.parametrize("lasts", [(2.0,), (7.0,), (0.5,)], ids=["as long", "longer", "shorter"])
@pytest.mark.parametrize("suffix", KINDS)
def test_sound_of_any_length_is_no_damage(suffix, lasts, library, tmp_path):
    count, reader = read(write(tmp_path / f"a{suffix}", lasts), library)
    assert count == 50
    assert not reader.truncated
    assert reader.notes == []


@both
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".webm", ".ts", ".asf"])
def test_a_second_sound_that_ends_later_is_no_damage(suffix, library, tmp_path):
    count, reader = read(write(tmp_path / f"a{suffix}", (2.0, 9.0)), library)
    assert (count, reader.truncated, reader.notes) == (50, False, [])


@both
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".webm", ".flv", ".asf"])
def test_pictures_that_begin_late_are_no_damage(suffix, library, tmp_path):
    count, reader = read(write(tmp_path / f"a{suffix}", (6.0,), begins=1.0), library)
    assert (count, reader.truncated) == (50, False)


@both
@pytest.mark.parametrize("chapters", [False, True])
@pytest.mark.parametrize("tagged", [True, False], ids=["with its length", "without"])
def test_subtitles_that_end_later_are_no_damage(tagged, chapters, library, tmp_path):
    path = with_subtitles(tmp_path / "a.mkv", write(tmp_path / "b.mkv"), 9, chapters)
    if not tagged:
        path.write_bytes(path.read_bytes().replace(b"DURATION", b"DURATION"[::-1]))
    count, reader = read(path, library)
    assert (count, reader.truncated, reader.notes) == (50, False, [])
    if library == "av":
        assert reader.unkept == ("1 subtitle, 2 chapters" if chapters else "1 subtitle")


@both
@pytest.mark.parametrize("lasts", [(), (2.0,), (7.0,), (2.0, 9.0)], ids=["silent", "as long", "longer", "two"])
@pytest.mark.parametrize("suffix", STATED)
def test_missing_frames_give_a_note(suffix, lasts, library, tmp_path):
    """Also if the sound goes on and only the last frames are missing."""
    if len(lasts) > 1 and suffix in {".flv", ".asf"}:
        pytest.skip("one sound is all it holds, or the end of the second says it all")
    if library == "opencv" and suffix == ".flv":
        pytest.skip("OpenCV guesses how long these are")
    count, reader = read(cut(write(tmp_path / f"a{suffix}", lasts), 0.75 if suffix == ".avi" else 0.6), library)
    assert 0 < count <= 50
    assert reader.truncated
    assert "truncated" in reader.notes[-1] or "is damaged" in reader.notes[-1]
    assert len(reader.notes) == 1


@both
@pytest.mark.parametrize("tagged", [True, False])
def test_subtitles_hide_no_damage(tagged, library, tmp_path):
    path = with_subtitles(tmp_path / "a.mkv", write(tmp_path / "b.mkv"), 9)
    if not tagged:
        path.write_bytes(path.read_bytes().replace(b"DURATION", b"DURATION"[::-1]))
    count, reader = read(cut(path, 0.6), library)
    assert count < 40
    assert reader.truncated


@both
@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_a_file_without_its_index_says_how_much_is_missing(suffix, library, tmp_path):
    path = cut(write_kind(tmp_path / f"a{suffix}", "libx264", count=50, kind="mov"), 0.6)
    with pytest.raises(VideoError, match=r"holds [\d,]+ of the [\d,]+ bytes that it claims"):
        read(path, library)


def test_missing_bytes_of_sound_give_a_note_too(tmp_path):
    """All pictures are there."""
    path = write_video(tmp_path / "a.mp4", pictures(50), sound="aac")  # its index comes first
    path.write_bytes(path.read_bytes()[:-30])
    _, reader = read(path)
    assert reader.truncated
    assert len(reader.notes) == 1


@both
def test_a_trimmed_video_with_longer_sound_is_whole(library, tmp_path):
    path = begun_later(write_video(tmp_path / "a.mp4", pictures(50)), 20 * 12800 // 25, 1200)
    assert read(path, library)[1].truncated is False


@pytest.mark.parametrize(
    ("tags", "end"),
    [
        ({"DURATION": "00:01:02.500000000"}, 62.5),
        ({"language": "eng", "DURATION-eng": "01:00:00"}, 3600.0),
        ({"duration": " 00:00:03.040000000 "}, 3.04),
        ({"DURATION": "soon"}, None),
        ({"DURATION": "1:2:3"}, None),
        ({"title": "00:00:03"}, None),
        ({}, None),
    ],
)
def test_how_long_a_matroska_stream_says_it_is(tags, end):
    assert stated_end(tags) == end


def test_bytes_that_are_missing(tmp_path):
    path = tmp_path / "a"

    def said(data):
        path.write_bytes(data)
        return short_of(path)

    assert said(b"RIFF\x10\0\0\0AVI ") == "holds 12 of the 24 bytes that it claims"
    assert said(b"RIFF\x04\0\0\0AVI ") is None
    assert said(b"RIFF\0\0\0\0AVI ") is None  # begun but never finished
    assert said(b"RIFF\xff\xff\xff\xffAVI ") is None
    assert said(b"\0\0\0\x08free\0\0\0\x20mdat1234") == "holds 20 of the 40 bytes that it claims"
    assert said(b"\0\0\0\x01mdat\0\0\0\0\0\0\1\0") == "holds 16 of the 256 bytes that it claims"
    assert said(b"\0\0\0\0mdat1234") is None  # extends to the end of the file
    assert said(b"\0\0\0\x08free") is None
    assert said(b"\x1aE\xdf\xa3\x81x\x18S\x80g\x8512") == "holds 13 of the 16 bytes that it claims"
    assert said(b"\x1aE\xdf\xa3\x81x\x18S\x80g\x40\x02ab") is None
    assert said(b"\x1aE\xdf\xa3\x81x\x18S\x80g\x01\xff\xff\xff\xff\xff\xff\xff12") is None  # a live recording
    assert said(b"\x1aE\xdf\xa3") is None
    assert said(b"To be or not to be") is None
    for length in range(1, 40):
        assert said(b"\x1aE\xdf\xa3"[:length] + b"\0" * (length - 4)) is None


@both
def test_a_whole_avi_is_whole(library, tmp_path):
    count, reader = read(write_avi(tmp_path / "a.avi", pictures(20)), library)
    assert (count, reader.truncated) == (20, False)


def test_longer_sound_is_kept_and_the_pictures_stay(tmp_path):
    from fkp_app.media.video.writer import VideoWriter

    source = write(tmp_path / "a.mkv", (5.0,), count=25)
    with (
        open_video(source) as reader,
        VideoWriter(tmp_path / "b.mkv", reader.width, reader.height, 25, source) as writer,
    ):
        for frame in reader:
            writer.write(frame.image, frame.time)
    with open_video(tmp_path / "b.mkv") as reader:
        frames = list(reader)
    assert (len(frames), reader.truncated) == (25, False)
    np.testing.assert_allclose(quarters(frames[9].image), quarters(pictures(25)[9]), atol=14)


def test_a_trimmed_video_is_not_truncated(tmp_path):
    path = write_video(tmp_path / "a.mp4", pictures(50))
    clock = 12800  # FFmpeg's choice for 25 frames per second
    with open_video(begun_later(path, 20 * clock // 25, 1200), "av") as reader:
        frames = list(reader)
    assert len(frames) == 30
    assert frames[0].time == 0
    assert (reader.notes, reader.truncated) == ([], False)
    np.testing.assert_allclose(quarters(frames[0].image), quarters(pictures(50)[20]), atol=12)


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "libx264"), (".mkv", "libx264"), (".mpg", "mpeg2video")])
def test_frames_that_a_decoder_patches_up_give_a_note(suffix, codec, tmp_path):
    """FFmpeg fills in damaged parts of a frame from the frames around it, and raises nothing."""
    path = tmp_path / f"a{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3)).astype(np.uint8)
    write_video(path, [noise] * 20, codec=codec)
    data = bytearray(path.read_bytes())
    middle = data.index(b"mdat") + 12_000 if suffix == ".mp4" else 16_000
    data[middle : middle + 200] = bytes(200)
    path.write_bytes(data)
    count, reader = read(path)
    assert count >= 19
    assert reader.truncated
    assert any("broken" in note for note in reader.notes)


def test_joined_parts_give_all_frames_and_a_true_note(tmp_path):
    """Two transport streams in one file: the packet numbers do not continue, as if packets were missing."""
    path = write(tmp_path / "a.ts", (2.0,))
    path.write_bytes(path.read_bytes() * 2)
    count, reader = read(path)
    assert count == 100
    assert reader.truncated
    assert reader.notes[-1] == (
        f"{path}: is damaged or joined from parts: at 1 place packets are missing between two others"
    )


def test_a_file_cut_off_in_its_first_picture_says_what_is_wrong(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3)).astype(np.uint8)
    path = write_video(tmp_path / "a.mp4", [noise] * 2, codec="libx264")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + 3000])
    with pytest.raises(VideoError, match="no pictures that can be read; it is damaged; 1 of its packets"):
        open_video(path)
