"""Videos of many formats, read by PyAV and by OpenCV; and with sound, written anew as `fkp filter` does."""

import tempfile
from fractions import Fraction
from functools import cache
from itertools import islice
from pathlib import Path
from zlib import crc32

import numpy as np

from fkp_app.errors import FkpError
from fkp_app.media.video.codecs import VideoError, has_av
from fkp_app.media.video.reader import open_video
from tests.fuzz.reader import Case, Reader
from tests.videos import pictures, write_avi, write_kind

FILE = "video"
KINDS = {
    **{"a.mp4": ("mpeg4", None), "b.mp4": ("libx264", None), "a.mov": ("mjpeg", None), "a.mkv": ("ffv1", None)},
    **{"b.mkv": ("mpeg4", None), "a.avi": ("mpeg4", None), "a.ts": ("mpeg2video", None), "a.flv": ("flv", None)},
    **{"a.vob": ("mpeg2video", "vob"), "a.asf": ("wmv2", "asf"), "a.webm": ("libvpx-vp9", None)},
    **{"a.mxf": ("mpeg2video", None), "a.m2v": ("mpeg2video", "mpeg2video"), "a.h264": ("libx264", "h264")},
    **{"a.y4m": ("wrapped_avframe", "yuv4mpegpipe"), "a.mjpeg": ("mjpeg", "mjpeg"), "a.hevc": ("libx265", "hevc")},
}
"""By file name: codec, and FFmpeg's format, None for that of the suffix."""
MOST_FRAMES, MOST_WRITTEN = 500, 30
"""The most frames that are read of a damaged video, and written anew."""


@cache
def _seeds() -> list[Case]:
    """A video of each kind that this PyAV can write."""
    with tempfile.TemporaryDirectory() as folder:
        found = [{FILE: write_avi(Path(folder) / "z.avi", pictures(6)).read_bytes()}]
        for name, (codec, kind) in KINDS.items() if has_av() else ():
            try:
                found.append({FILE: _write(Path(folder) / name, codec, kind).read_bytes()})
            except (ValueError, OSError):  # FFmpeg lacks the codec
                continue
        return found


def _write(path, codec, kind):
    """Six small frames."""
    import av

    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    with av.open(str(path), "w", format=kind) as file:
        video = file.add_stream(codec, rate=25, options=options)
        video.width, video.height, video.pix_fmt = 64, 48, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for index, picture in enumerate(pictures(6)):
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
    return path


def _reads(library):
    def read(path: Path) -> None:
        last = -1.0
        with open_video(path, library) as reader:
            for count, frame in enumerate(reader):
                assert frame.image.shape == (reader.height, reader.width, 3)
                assert frame.image.dtype == np.uint8
                assert frame.time > last
                last = frame.time
                if count == MOST_FRAMES:
                    break
            assert all(note.startswith(f"{path}: ") and "\n" not in note for note in reader.notes)

    return read


SOUNDS = {
    **{"a.mp4": ("mpeg4", "aac"), "a.mov": ("mjpeg", "pcm_s16le"), "a.mkv": ("mpeg4", "flac")},
    **{"b.mkv": ("mpeg4", "libvorbis"), "a.avi": ("mpeg4", "libmp3lame"), "a.ts": ("mpeg2video", "mp2")},
    **{"a.webm": ("libvpx", "libopus"), "a.flv": ("flv", "aac"), "c.mkv": ("mpeg4", "ac3")},
}
"""By file name: codecs of the pictures and of the sound."""
TARGETS = (".mp4", ".avi", ".webm", ".mkv", ".mov")


@cache
def _sound_seeds() -> list[Case]:
    """A video with sound of each kind that this PyAV can write."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (codec, sound) in SOUNDS.items():
            try:
                made = write_kind(Path(folder) / name, codec, count=6, width=64, height=48, sound=sound, lasts=[0.24])
            except (ValueError, OSError):  # FFmpeg lacks a codec
                continue
            found.append({FILE: made.read_bytes()})
    return found


def _write_anew(path: Path) -> None:
    """Write the pictures with the sound to a file whose format depends on the source's bytes."""
    from fkp_app.media.video.writer import VideoWriter

    target = f"out{TARGETS[crc32(path.read_bytes()) % len(TARGETS)]}"
    with tempfile.TemporaryDirectory() as folder, open_video(path, "av") as reader:
        sound = path if reader.has_sound else None
        with VideoWriter(
            Path(folder) / target, reader.width, reader.height, reader.frame_rate, sound, unkept=reader.unkept
        ) as writer:
            for frame in islice(reader, MOST_WRITTEN):
                writer.write(frame.image, frame.time)
        assert not any("\n" in note for note in writer.notes)


READERS = [
    Reader(f"video, {name}", _seeds, FILE, _reads(library), (VideoError,), memory=1500)
    for name, library in ((("PyAV", "av"),) if has_av() else ()) + (("OpenCV", "opencv"),)
]
if has_av():
    READERS.append(Reader("video with sound", _sound_seeds, FILE, _write_anew, (FkpError,), memory=1500, seconds=60))
