"""Video files of many formats with any name; files that name others or never end; what is left out; what fails."""

import os
import threading
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from fkp_app.media.video.codecs import VideoError, has_av, new_enough
from fkp_app.media.video.reader import VIDEO_SUFFIXES, VideoReader, open_video
from tests.videos import COUNT, HEIGHT, WIDTH, pictures, quarters, read_whole, with_subtitles, write_avi, write_kind

pytestmark = [
    pytest.mark.skipif(not has_av(), reason="PyAV is not installed (the extra `video`)"),
    pytest.mark.usefixtures("silent"),
]
both = pytest.mark.parametrize("library", ["av", "opencv"])

FORMATS = {
    ".ts": ("libx264", "mpegts"),
    ".m2ts": ("libx264", "mpegts"),
    ".vob": ("mpeg2video", "vob"),
    ".mpg": ("mpeg1video", "mpeg"),
    ".h264": ("libx264", "h264"),
    ".264": ("libx264", "h264"),
    ".hevc": ("libx265", "hevc"),
    ".265": ("libx265", "hevc"),
    ".mjpeg": ("mjpeg", "mjpeg"),
    ".m2v": ("mpeg2video", "mpeg2video"),
    ".3g2": ("mpeg4", "3g2"),
    ".3gp": ("libx264", "3gp"),
    ".asf": ("wmv2", "asf"),
    ".qt": ("mpeg4", "mov"),
    ".mxf": ("mpeg2video", "mxf"),
    ".f4v": ("libx264", "f4v"),
    ".flv": ("flv", "flv"),
    ".wtv": ("mpeg2video", "wtv"),
    ".rm": ("rv10", "rm"),
    ".y4m": ("wrapped_avframe", "yuv4mpegpipe"),
    ".ivf": ("libvpx-vp9", "ivf"),
    ".ogv": ("libvpx", "ogg"),
}
UNTIMED = {".h264", ".264", ".hevc", ".265", ".mjpeg", ".m2v"}


@both
@pytest.mark.parametrize("suffix", FORMATS)
def test_kinds_of_files(suffix, library, tmp_path):
    codec, kind = FORMATS[suffix]
    try:
        path = write_kind(tmp_path / f"a{suffix}", codec, kind)
    except (ValueError, OSError):
        pytest.skip("this FFmpeg cannot write it")
    frames, notes = read_whole(path, library)
    assert len(frames) == COUNT
    assert (np.diff([frame.time for frame in frames]) > 0).all()
    if suffix not in {".m2v", ".rm"}:  # these formats count frames differently
        np.testing.assert_allclose([frame.time for frame in frames], np.arange(COUNT) / 25, atol=2e-3)
    for frame, expected in zip(frames, pictures(), strict=True):
        np.testing.assert_allclose(quarters(frame.image), quarters(expected), atol=12)
    expected = ["holds no times; its frames are taken as 25 per second"]
    assert notes == (expected if suffix in UNTIMED and library == "av" else [])
    assert suffix in VIDEO_SUFFIXES


# Files that name others.


class Listener(BaseHTTPRequestHandler):
    """A server that records its requests."""

    asked: ClassVar[list[str]] = []

    def do_GET(self):
        self.asked.append(self.path)
        self.send_error(404)

    def log_message(self, *_):
        pass


@pytest.fixture
def address():
    """The address of a server on this machine, which must receive no request."""
    Listener.asked.clear()
    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
    assert Listener.asked == []


LISTS = {
    "a.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{there}\n#EXT-X-ENDLIST\n",
    "a.m3u": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{there}\n#EXT-X-ENDLIST\n",
    "b.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{there}\n#EXT-X-ENDLIST\n",
    "a.ffconcat": "ffconcat version 1.0\nfile '{there}'\n",
    "a.ts": "ffconcat version 1.0\nfile '{there}'\n",
    "a.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1">'
    "<BaseURL>{there}</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "a.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 50048 RTP/AVP 96\n"
    "a=rtpmap:96 H264/90000\n",
    "a.asx": '<asx version="3.0"><entry><ref href="{there}"/></entry></asx>',
    "a.qtl": '<?xml version="1.0"?><?quicktime type="application/x-quicktime-media-link"?><embed src="{there}"/>',
}


@both
@pytest.mark.parametrize("where", ["a file", "an address"])
@pytest.mark.parametrize("name", LISTS)
def test_lists_of_other_files_are_not_followed(name, where, library, address, tmp_path):
    write_kind(tmp_path / "there.ts", "libx264")
    path = tmp_path / name
    path.write_text(LISTS[name].format(there="there.ts" if where == "a file" else f"{address}/there.ts"))
    with pytest.raises(VideoError, match="is not a video that can be read"):
        open_video(path, library)


@both
def test_a_name_is_no_pattern(library, tmp_path):
    from PIL import Image

    for name in ("a000.jpg", "a001.jpg", "a%03d.jpg"):
        Image.fromarray(pictures(1)[0]).save(tmp_path / name)
    for name in ("a%03d.jpg", "a000.jpg"):
        with pytest.raises(VideoError, match="is not a video that can be read"):
            open_video(tmp_path / name, library)


def test_the_error_of_such_a_list_names_its_kind(tmp_path):
    (tmp_path / "a.mp4").write_text("ffconcat version 1.0\nfile 'b.mp4'\n")
    with pytest.raises(VideoError, match="a list of other files, a picture, or of another kind"):
        open_video(tmp_path / "a.mp4", "av")


@both
@pytest.mark.parametrize("kind", ["a pipe", "a link to a device", "a device"])
def test_what_never_ends_is_refused(kind, library, tmp_path):
    path = tmp_path / "a.mp4"
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a device":
        path = Path("/dev/zero")
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(VideoError, match="is a pipe or a device, which may never end"):
        open_video(path, library)


# Parts that are left out.


def test_of_two_videos_in_a_file_the_first_is_used_with_a_note(tmp_path):
    import av

    with av.open(str(tmp_path / "a.mkv"), "w") as file:
        streams = [file.add_stream("mpeg4", rate=25) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index, picture in enumerate(pictures(3)):
            for stream in streams:
                frame = av.VideoFrame.from_ndarray(picture if stream is streams[0] else 255 - picture)
                frame.pts, frame.time_base = index, Fraction(1, 25)
                file.mux(stream.encode(frame))
        for stream in streams:
            file.mux(stream.encode(None))
    frames, notes = read_whole(tmp_path / "a.mkv")
    assert notes == ["holds 2 videos, of which the first is used"]
    np.testing.assert_allclose(quarters(frames[0].image), quarters(pictures(1)[0]), atol=12)


def test_interlaced_lines_are_said_once(tmp_path):
    import av

    with av.open(str(tmp_path / "a.mpg"), "w") as file:
        video = file.add_stream("mpeg2video", rate=25, options={"flags": "+ildct+ilme", "field_order": "tt"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index, picture in enumerate(pictures(4)):
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
    frames, (note,) = read_whole(tmp_path / "a.mpg")
    assert len(frames) == 4
    assert note.startswith("is interlaced, and stays so")


def test_what_a_written_video_lacks_is_said_once(tmp_path, fkp):
    source = with_subtitles(tmp_path / "a.mkv", write_kind(tmp_path / "b.mp4", "mpeg4", count=5), 2, chapters=True)
    (tmp_path / "b.mp4").unlink()
    ended = fkp("filter", source, "--out", tmp_path / "out")
    assert ended.code == 0
    (written,) = (tmp_path / "out").iterdir()
    assert ended.err == f"fkp: {written}: is without the source's 1 subtitle, 2 chapters\n"
    assert fkp("detect", source).err == ""


# Unforeseen errors.


class Failing:
    """A decoder that raises the given error at the third frame."""

    def __init__(self, claims, error):
        self.claims, self.error = claims, error
        self.problems, self.notes, self.unkept, self.closed = [], [], "", False

    def pictures(self):
        yield from [(None, picture) for picture in pictures(2)]
        raise self.error

    def close(self):
        self.closed = True


@pytest.mark.parametrize("error", [RuntimeError("a\nb"), MemoryError(), OverflowError("too\nlarge"), KeyError("x")])
def test_any_error_in_the_middle_is_one_line(error):
    from fkp_app.media.video.codecs import Claims

    decoder = Failing(Claims(25.0, None, False), error)
    frames = []
    with VideoReader(Path("a.xyz"), decoder) as reader, pytest.raises(VideoError) as caught:
        frames.extend(reader)
    assert len(frames) == 2
    assert str(caught.value).startswith(f"a.xyz: cannot be worked on ({type(error).__name__}")
    assert "\n" not in str(caught.value)
    assert decoder.closed


def test_any_error_at_the_beginning_is_one_line(tmp_path, monkeypatch):
    from fkp_app.media.video import av_decoder as ours

    def broken(*_):
        raise RuntimeError("an odd\nerror")

    monkeypatch.setattr(ours, "main_stream", broken)
    with pytest.raises(VideoError, match=r"cannot be worked on \(RuntimeError: an odd error\)"):
        open_video(write_avi(tmp_path / "a.avi", pictures(2)), "av")


def test_pyav_must_be_new_enough(monkeypatch):
    assert [new_enough(one) for one in ("14.0.0", "17.0.1", "17.1.0", "18.0", "100.0rc1", "unknown")] == [
        *(False, False, True, True, True, False)
    ]
    import av

    monkeypatch.setattr(av, "__version__", "14.0.0")
    assert not has_av()
