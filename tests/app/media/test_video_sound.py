"""The sound of written videos: copied or encoded again, in step with the pictures; damaged packets are counted."""

from fractions import Fraction

import numpy as np
import pytest

from fkp_app.media.video.codecs import has_av
from fkp_app.media.video.reader import open_video
from fkp_app.media.video.writer import VideoWriter
from tests.videos import COUNT, HEIGHT, WIDTH, pictures, sound_packets, write_kind, write_video

needs_av = pytest.mark.skipif(not has_av(), reason="PyAV is not installed (the extra `video`)")


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


def sound_begins(path):
    """The start of each packet of a file's sound, in seconds."""
    import av

    with av.open(str(path)) as file:
        return [float(packet.pts * packet.time_base) for packet in file.demux(file.streams.audio[0]) if packet.size]


def read(path):
    """All frames of a video and its reader, with the library that is installed."""
    with open_video(path) as reader:
        frames = list(reader)
    assert not reader.truncated
    assert reader.notes == []
    return frames, reader


@needs_av
@pytest.mark.parametrize("codec", ["aac", "libmp3lame", "pcm_s16le"])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi"])
def test_sound_is_copied_bit_for_bit(codec, suffix, tmp_path):
    source = write_video(tmp_path / "source.mov", pictures(20), sound=codec)
    assert write(tmp_path / f"a{suffix}", pictures(20), rate=25, sound_from=source) == []
    name, packets, begin = sound_packets(tmp_path / f"a{suffix}")
    source_name, source_packets, source_begin = sound_packets(source)
    assert (name, packets) == (source_name, source_packets)
    assert len(packets) > 5
    assert begin == pytest.approx(source_begin, abs=0.05 if suffix == ".avi" else 0.002)
    times = [frame.time for frame in read(tmp_path / f"a{suffix}")[0]]
    np.testing.assert_allclose(times, np.arange(20) / 25, atol=1e-3)


@needs_av
@pytest.mark.parametrize("source_suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_sound_stays_in_step(source_suffix, suffix, tmp_path):
    """Pictures that begin at 1 s of the source's clock, and sound that begins at 1.4 s."""
    times = [1 + index / 25 for index in range(30)]
    source = write_video(tmp_path / f"source{source_suffix}", pictures(30), times, sound="pcm_s16le", late=1.4)
    with open_video(source) as reader, VideoWriter(tmp_path / f"a{suffix}", WIDTH, HEIGHT, 25, source) as writer:
        for frame in reader:
            writer.write(frame.image, frame.time)
    assert sound_packets(tmp_path / f"a{suffix}")[2] == pytest.approx(0.4, abs=0.002)


@needs_av
def test_sound_that_a_container_cannot_hold_is_encoded_again_with_a_note(tmp_path):
    source = write_video(tmp_path / "source.mp4", pictures(50), sound="aac")
    (note,) = write(tmp_path / "a.webm", pictures(50), rate=25, sound_from=source)
    assert note == f"{tmp_path / 'a.webm'}: has its sound coded anew, as a webm file cannot hold it as it was"
    import av

    with av.open(str(tmp_path / "a.webm")) as file:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])
    assert sound.size / 48000 == pytest.approx(2, abs=0.06)
    assert np.std(sound[10000:-10000]) == pytest.approx(8000 / 32768 / np.sqrt(2), rel=0.1)


@needs_av
def test_sound_that_avi_would_shift_is_left_out_with_a_note(tmp_path):
    source = write_video(tmp_path / "source.mp4", pictures(50), sound="aac", late=0.6)
    (note,) = write(tmp_path / "a.avi", pictures(50), rate=25, sound_from=source)
    assert "is without sound" in note
    assert "begins 0.6 s after the pictures" in note
    with open_video(tmp_path / "a.avi") as reader:
        assert not reader.has_sound


@needs_av
def test_a_source_whose_sound_cannot_be_read_costs_only_the_sound(tmp_path):
    (tmp_path / "b.mp4").write_text("no video")
    (note,) = write(tmp_path / "a.mp4", pictures(), sound_from=tmp_path / "b.mp4")
    assert "is without sound" in note
    assert len(read(tmp_path / "a.mp4")[0]) == COUNT


@needs_av
@pytest.mark.parametrize(("suffix", "most"), [(".mp4", 12), (".mkv", 12), (".webm", 24)])
def test_damaged_packets_of_the_sound_cost_only_themselves(suffix, most, tmp_path):
    """AAC in a transport stream: in the middle of two seconds, three packets lose their first bytes FF F1."""
    source = write_kind(tmp_path / "source.ts", "libx264", count=50, lasts=(2.0,))
    data = bytearray(source.read_bytes())
    at = len(data) // 2
    for _ in range(3):
        at = data.index(b"\xff\xf1", at + 2)
        data[at : at + 2] = b"\0\0"
    source.write_bytes(data)
    (*_, note) = write(tmp_path / f"a{suffix}", pictures(50), rate=25, sound_from=source)
    assert "packet" in note
    assert "as the source's is damaged" in note
    assert len(read(tmp_path / f"a{suffix}")[0]) == 50
    _, packets, _ = sound_packets(tmp_path / f"a{suffix}")
    assert 2 * 48000 / 1024 - most < len(packets) < 110


@needs_av
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_sound_whose_times_leap_by_months_loses_those_pieces(suffix, tmp_path):
    """Two of twenty pieces of sound claim to begin 1e7 seconds later, which an MP4 cannot hold."""
    import av

    source = tmp_path / "source.mkv"
    with av.open(str(source), "w") as file:
        video, audio = file.add_stream("ffv1", rate=25), file.add_stream("pcm_s16le", rate=48000, layout="mono")
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index, picture in enumerate(pictures(20)):
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            file.mux(video.encode(frame))
            piece = av.AudioFrame.from_ndarray(np.full((1, 1920), 1000, np.int16), format="s16", layout="mono")
            piece.pts, piece.time_base, piece.sample_rate = 1920 * index, Fraction(1, 48000), 48000
            for packet in audio.encode(piece):
                if index >= 18:
                    packet.pts = packet.dts = packet.pts + 10_000_000 * 48000
                file.mux(packet)
        file.mux(video.encode(None))
    target = tmp_path / f"a{suffix}"
    notes = write(target, pictures(20), rate=25, sound_from=source)
    assert "lacks 2 packets of the sound" in notes[-1]
    with av.open(str(target)) as file:
        assert 0.6 < file.duration / av.time_base < 1.2
    assert len(read(target)[0]) == 20


@needs_av
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize("count", [25, 75])
def test_sound_of_joined_parts_follows_as_their_pictures_do(count, suffix, tmp_path):
    """Two transport streams in sequence, as a recorder's joined parts: the times begin again in the second."""
    part = write_kind(tmp_path / "part.ts", "libx264", count=count, lasts=(count / 25,)).read_bytes()
    source = tmp_path / "joined.ts"
    source.write_bytes(part + part)
    with open_video(source) as reader:
        frames = list(reader)
    assert len(frames) == 2 * count
    times = [frame.time for frame in frames]
    target = tmp_path / f"a{suffix}"
    notes = write(target, [frame.image for frame in frames], rate=25, times=times, sound_from=source)
    assert not any("packet" in note for note in notes)
    begins = sound_begins(target)
    assert begins[-1] == pytest.approx(2 * count / 25, abs=0.15)
    assert max(np.diff(begins)) < 0.1
    assert min(np.diff(begins)) > 0.01


@needs_av
@pytest.mark.parametrize("moved", [range(20, 21), range(20, 40)])
def test_a_wrong_time_of_sound_moves_no_later_piece(moved):
    from fkp_app.media.video.av_sound import _Joins

    joins, shifts = _Joins(), []
    for index in range(40):
        at = Fraction(index, 50) - (5 if index in moved else 0)
        shifts.append(joins(at, Fraction(1, 50)))
    assert shifts == [5 if index in moved else 0 for index in range(40)]


@needs_av
@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_s24le"])
@pytest.mark.parametrize(("name", "layout"), [("a.mkv", "stereo"), ("a.mkv", "mono"), ("a.avi", "stereo")])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_sound_that_does_not_state_its_channel_layout(codec, name, layout, suffix, tmp_path):
    """PCM in Matroska and AVI states no layout. An MP4 must state it, or closing the file fails."""
    import av

    source = tmp_path / name
    with av.open(str(source), "w") as file:
        video, audio = file.add_stream("mpeg4", rate=25), file.add_stream(codec, rate=48000, layout=layout)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index, picture in enumerate(pictures(20)):
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            file.mux(video.encode(frame))
        samples = np.full((1, 38400 * audio.codec_context.layout.nb_channels), 1000, np.int16)
        piece = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
        piece.pts, piece.time_base, piece.sample_rate = 0, Fraction(1, 48000), 48000
        file.mux(audio.encode(piece))
        file.mux(audio.encode(None))
        file.mux(video.encode(None))
    target = tmp_path / f"a{suffix}"
    if target == source:
        target = tmp_path / f"b{suffix}"
    assert write(target, pictures(20), rate=25, sound_from=source) == []
    assert sound_packets(target)[0] == codec
    assert b"".join(sound_packets(target)[1]) == b"".join(sound_packets(source)[1])
