"""Videos of many formats, read by PyAV and by OpenCV."""

import tempfile
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np

from fkp_app.media.video.codecs import VideoError, has_av
from fkp_app.media.video.reader import open_video
from tests.fuzz.reader import Case, Reader
from tests.videos import pictures, write_avi

FILE = "video"
KINDS = {
    **{"a.mp4": ("mpeg4", None), "b.mp4": ("libx264", None), "a.mov": ("mjpeg", None), "a.mkv": ("ffv1", None)},
    **{"b.mkv": ("mpeg4", None), "a.avi": ("mpeg4", None), "a.ts": ("mpeg2video", None), "a.flv": ("flv", None)},
    **{"a.vob": ("mpeg2video", "vob"), "a.asf": ("wmv2", "asf"), "a.webm": ("libvpx-vp9", None)},
    **{"a.mxf": ("mpeg2video", None), "a.m2v": ("mpeg2video", "mpeg2video"), "a.h264": ("libx264", "h264")},
    **{"a.y4m": ("wrapped_avframe", "yuv4mpegpipe"), "a.mjpeg": ("mjpeg", "mjpeg"), "a.hevc": ("libx265", "hevc")},
}
"""By file name: codec, and FFmpeg's format, None for that of the suffix."""
MOST_FRAMES = 500
"""The most frames that are read of a damaged video."""


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


READERS = [
    Reader(f"video, {name}", _seeds, FILE, _reads(library), (VideoError,), memory=1500, few=20)
    for name, library in ((("PyAV", "av"),) if has_av() else ()) + (("OpenCV", "opencv"),)
]
