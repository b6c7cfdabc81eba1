"""Names of video files: no character in them has a special meaning."""

import os

import pytest

from fkp_app.errors import FkpError
from fkp_app.media.video.codecs import VideoError, has_av
from fkp_app.media.video.reader import open_video
from fkp_app.media.video.writer import VideoWriter
from tests.videos import COUNT, HEIGHT, WIDTH, pictures, read_whole, write_avi, write_kind

pytestmark = [
    pytest.mark.skipif(not has_av(), reason="PyAV is not installed (the extra `video`)"),
    pytest.mark.usefixtures("silent"),
]
both = pytest.mark.parametrize("library", ["av", "opencv"])


@both
@pytest.mark.parametrize("name", ["a", "a.jpg", "a.txt", "a.b.c", "a.m3u8", "a%03d.mp4", "concat:a.mp4", "subfile,,:a"])
def test_content_decides_and_not_the_name(name, library, tmp_path):
    write_kind(tmp_path / "b.mp4", "mpeg4").rename(tmp_path / name)
    assert len(read_whole(tmp_path / name, library)[0]) == COUNT


def test_names_in_another_encoding(tmp_path):
    """PyAV reads and writes such names; OpenCV would crash the process."""
    name = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    write_kind(tmp_path / "b.mp4", "mpeg4").rename(name)
    assert len(read_whole(name)[0]) == COUNT
    with pytest.raises(VideoError, match="a name that is not UTF-8"):
        open_video(name, "opencv")
    target = tmp_path / os.fsdecode(b"th\xe9.mp4")
    with VideoWriter(target, WIDTH, HEIGHT, 25, library="av") as writer:
        writer.write(pictures(1)[0])
    assert len(read_whole(target)[0]) == 1
    other = tmp_path / os.fsdecode(b"\xe9t\xe9") / "a.mp4"
    other.parent.mkdir()
    with (
        pytest.raises(FkpError, match="names and folders in UTF-8 alone"),
        VideoWriter(other, WIDTH, HEIGHT, 25, library="opencv") as writer,
    ):
        writer.write(pictures(1)[0])
    assert list(other.parent.iterdir()) == []


@both
def test_the_limits_of_opencv_leave_the_environment_alone(library, tmp_path, monkeypatch):
    name = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
    path = write_avi(tmp_path / "a.avi", pictures(2))
    monkeypatch.delenv(name, raising=False)
    read_whole(path, library)
    assert name not in os.environ
    monkeypatch.setenv(name, "rtsp_transport;udp")
    read_whole(path, library)
    assert os.environ[name] == "rtsp_transport;udp"
