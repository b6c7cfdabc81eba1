"""Small videos of many kinds, damaged at random: each must give frames, or an error of one line.

A few run with the tests; `python -m tests.fuzz_videos --count 5000 --seed 1` tries many.
"""

import argparse
import resource
import struct
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

from fkp_app.media.video.codecs import VideoError
from fkp_app.media.video.reader import open_video
from tests.videos import pictures

KINDS = {
    **{"a.mp4": ("mpeg4", None), "b.mp4": ("libx264", None), "a.mov": ("mjpeg", None), "a.mkv": ("ffv1", None)},
    **{"b.mkv": ("mpeg4", None), "a.avi": ("mpeg4", None), "a.ts": ("mpeg2video", None), "a.flv": ("flv", None)},
    **{"a.vob": ("mpeg2video", "vob"), "a.asf": ("wmv2", "asf"), "a.webm": ("libvpx-vp9", None)},
    **{"a.mxf": ("mpeg2video", None), "a.m2v": ("mpeg2video", "mpeg2video"), "a.h264": ("libx264", "h264")},
    **{"a.y4m": ("wrapped_avframe", "yuv4mpegpipe"), "a.mjpeg": ("mjpeg", "mjpeg"), "a.hevc": ("libx265", "hevc")},
}
"""By file name: codec, and FFmpeg's format, None for that of the suffix."""
SECONDS = 20.0
"""The longest that a video of six small frames may take, however it is damaged."""
ODD = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]


def write_all(folder):
    """Write a video of each kind that this PyAV can write; the list of their paths."""
    paths = []
    for name, (codec, kind) in KINDS.items():
        try:
            paths.append(_write(folder / name, codec, kind))
        except (ValueError, OSError):  # FFmpeg lacks the codec
            (folder / name).unlink(missing_ok=True)
    return paths


def _write(path, codec, kind):
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


def damaged(data, rng):
    """Bytes changed at one to six places: flipped, set to odd numbers, cut out, doubled, zeroed or cut off."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 7)):
        # Headers and indices, where damage does most, stand at the beginning or at the end.
        most = len(data) if rng.random() < 0.5 else min(len(data), 1024)
        at = int(rng.integers(most)) if rng.random() < 0.8 else len(data) - 1 - int(rng.integers(most))
        length = int(rng.integers(1, 64))
        way = rng.integers(7)
        if way == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif way == 1:
            data[at : at + length] = rng.bytes(min(length, len(data) - at))
        elif way == 2:
            number = struct.pack(">I" if rng.random() < 0.5 else "<I", ODD[rng.integers(len(ODD))])
            data[at : at + 4] = number[: len(data) - at]
        elif way == 3:
            del data[at : at + length]
        elif way == 4:
            data[at:at] = data[at : at + length]
        elif way == 5:
            data[at : at + length] = bytes(min(length, len(data) - at))
        elif len(data) > 64:
            del data[max(64, at) :]
    return bytes(data) or b"\0"


def outcome(path, library, most=2000):
    """Read a video to its end, at most `most` frames; returns "N frames" or the error's one line.

    AssertionError if the error has several lines or is an unforeseen one, if a frame is no picture, if times do not
    increase, or if it takes more than SECONDS.
    """
    begun = time.monotonic()
    said, count, last = "", 0, -1.0
    try:
        with open_video(path, library) as reader:
            for frame in reader:
                assert frame.image.shape == (reader.height, reader.width, 3)
                assert frame.image.dtype == np.uint8
                assert frame.time > last or (count == 0 and frame.time == 0)
                last, count = frame.time, count + 1
                if count == most:
                    break
            for note in reader.notes:
                assert note.startswith(f"{path}: ")
                assert "\n" not in note
    except VideoError as error:
        said = str(error)
        assert said.startswith(f"{path}: ")
        assert "\n" not in said
        assert "cannot be worked on" not in said  # the words of an unforeseen error
    taken = time.monotonic() - begun
    assert taken < SECONDS, f"{taken:.0f} s"
    return said or f"{count} frames"


def main():
    """Try many damaged videos, and print those that go wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="end of the range of numbers (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="a number and this seed determine a damaged video")
    parser.add_argument("--first", type=int, default=0, help="start of the range, to repeat a single video")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = write_all(Path(folder))
        wrong, last = 0, 0
        for number in range(given.first, given.count):
            rng = np.random.default_rng((given.seed, number))
            source = paths[number % len(paths)]
            path = source.with_name(f"bad-{source.name}")
            path.write_bytes(damaged(source.read_bytes(), rng))
            for library in ("av", "opencv"):
                print(f"\r{number} {source.name} {library}   ", end="", flush=True)  # the last line before a crash
                try:
                    outcome(path, library)
                except Exception as error:
                    wrong += 1
                    print(f"\n{source.name} {number} {library}: {type(error).__name__} {error}")
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            if peak > last + 200:
                print(f"\n{source.name} {number}: {peak} MB")
                last = peak
        print(f"\n{given.count - given.first} videos, {wrong} wrong")


if __name__ == "__main__":
    main()
