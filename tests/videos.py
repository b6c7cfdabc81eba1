"""Makes small videos for tests: an AVI written by hand, without a video library, and others by PyAV."""

import io
import struct
from fractions import Fraction

import numpy as np
from PIL import Image

from fkp_app.media.video.reader import open_video

WIDTH, HEIGHT = 64, 48
RED, GREEN, BLUE = (220, 30, 30), (30, 180, 40), (40, 40, 210)
COUNT = 12


def pictures(count=COUNT, width=WIDTH, height=HEIGHT):
    """RGB frames: upper left red, upper right green, lower left blue; lower right a grey that differs per frame."""
    frames = []
    for index in range(count):
        frame = np.empty((height, width, 3), np.uint8)
        rows, columns = slice(0, height // 2), slice(0, width // 2)
        frame[:] = 20 + 200 * index // max(count, 12)
        frame[rows], frame[rows, columns], frame[height // 2 :, columns] = GREEN, RED, BLUE
        frames.append(frame)
    return frames


def quarters(image):
    """The colours (4, 3) in the middle of the upper left, upper right, lower left, lower right quarter."""
    height, width = image.shape[:2]
    places = [(y, x) for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]
    return np.array([image[y, x] for y, x in places], dtype=float)


def write_avi(path, frames, rate=(25, 1), fourcc=b"MJPG"):
    """Write Motion JPEG as RIFF. rate: the claimed frame rate as (frames, seconds)."""
    height, width = frames[0].shape[:2] if frames else (HEIGHT, WIDTH)
    jpegs = []
    for frame in frames:
        file = io.BytesIO()
        Image.fromarray(frame).save(file, "JPEG", quality=95, subsampling=0)
        jpegs.append(file.getvalue())
    period = round(1e6 * rate[1] / rate[0]) if rate[0] else 0
    avih = struct.pack("<14I", period, 0, 0, 0x10, len(jpegs), 0, 1, 0, width, height, 0, 0, 0, 0)
    strh = b"vids" + fourcc + struct.pack("<10I4H", 0, 0, 0, rate[1], rate[0], 0, len(jpegs), 0, 0, 0, 0, 0, 0, 0)
    strf = struct.pack("<3i2H4s5i", 40, width, height, 1, 24, fourcc, 0, 0, 0, 0, 0)
    header = _list(b"hdrl", _chunk(b"avih", avih) + _list(b"strl", _chunk(b"strh", strh) + _chunk(b"strf", strf)))
    data, index = b"", b""
    for jpeg in jpegs:
        index += struct.pack("<4s3I", b"00dc", 0x10, 4 + len(data), len(jpeg))
        data += _chunk(b"00dc", jpeg)
    body = b"AVI " + header + _list(b"movi", data) + _chunk(b"idx1", index)
    path.write_bytes(_chunk(b"RIFF", body))
    return path


def _chunk(name, data):
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _list(name, data):
    return _chunk(b"LIST", name + data)


def write_video(path, frames, times=None, sound=None, late=0.0, codec="mpeg4", aspect=1):
    """Write MPEG-4 without reordered frames, by PyAV. times: in seconds; None: 25 frames per second; sound: its codec,
    None for no sound; late: seconds by which it begins after the pictures; aspect: a pixel's width / height."""
    import av

    clock = Fraction(1, 25) if times is None else Fraction(1, 1000)
    with av.open(str(path), "w", options={"movflags": "+faststart"} if path.suffix == ".mp4" else {}) as file:
        video = file.add_stream(codec, rate=25, options={"flags": "+qscale", "global_quality": "236", "g": "6"})
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = "yuv420p"
        video.time_base = video.codec_context.time_base = clock
        video.codec_context.sample_aspect_ratio = Fraction(aspect)
        audio = file.add_stream(sound, rate=44100, layout="mono") if sound else None
        for index, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts, frame.time_base = index if times is None else round(times[index] * 1000), clock
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
        if audio is not None:
            samples = _tone(44100 * len(frames) // 25)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 44100, round(44100 * late), Fraction(1, 44100)
            file.mux(audio.encode(frame))
            file.mux(audio.encode(None))
    return path


def _tone(count):
    return (8000 * np.sin(np.arange(count) / 10)).astype(np.int16)[None]


def sound_packets(path):
    """The codec of a file's sound, its packets' bytes, and the seconds from the first frame to the first packet."""
    import av

    with av.open(str(path)) as file:
        audio, video = file.streams.audio[0], file.streams.video[0]
        packets = [packet for packet in file.demux(audio) if packet.size]
        begin = float(packets[0].pts * packets[0].time_base) - float(video.start_time * video.time_base)
        return audio.codec_context.name, [bytes(packet) for packet in packets], begin


def shown_by(path, matrix):
    """Give an MP4's first track a display matrix (a, b, c, d): a stored point (x, y) is shown at (ax + cy, bx + dy)."""
    a, b, c, d = (round(65536 * value) for value in matrix)
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 44  # after name, flags, times, track, duration, layer, group and volume
    data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def begun_later(path, media_time, duration):
    """Let an MP4's first track begin at a media time, with a duration, by an edit list, as phones do when trimming."""
    data = bytearray(path.read_bytes())
    place = data.index(b"elst") + 12  # after name, flags and the number of entries
    data[place : place + 8] = struct.pack(">2i", duration, media_time)
    path.write_bytes(data)
    return path


LUMA = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
"""The weights of red and blue in brightness, by the number of the matrix in H.273."""


def coded(signal, matrix, full=False):
    """Convert R'G'B' (H, W, 3), 0 .. 1, to Y'CbCr (3, H, W) uint16, 16 bits."""
    kr, kb = LUMA[matrix]
    red, green, blue = np.moveaxis(np.asarray(signal, float), -1, 0)
    y = kr * red + (1 - kr - kb) * green + kb * blue
    cb, cr = (blue - y) / (2 - 2 * kb), (red - y) / (2 - 2 * kr)
    if full:
        planes = np.stack([65535 * y, 65535 * cb + 32768, 65535 * cr + 32768])
    else:
        planes = 256 * np.stack([16 + 219 * y, 128 + 224 * cb, 128 + 224 * cr])
    return np.rint(planes).clip(0, 65535).astype(np.uint16)


def write_coloured(path, signals, matrix, tags, pix_fmt="yuv420p10le", codec="ffv1", full=False):
    """Write frames of R'G'B' (H, W, 3), 0 .. 1, coded by a matrix. tags: matrix, transfer and primaries as the file
    states them; 2: not stated."""
    import av

    options = {"x265-params": "log-level=none:lossless=1"} if codec == "libx265" else {}
    with av.open(str(path), "w") as file:
        video = file.add_stream(codec, rate=25, options=options)
        video.height, video.width = signals[0].shape[:2]
        video.pix_fmt = pix_fmt
        context = video.codec_context
        context.colorspace, context.color_trc, context.color_primaries = tags
        context.color_range = 2 if full else 1
        for index, signal in enumerate(signals):
            frame = av.VideoFrame(video.width, video.height, "yuv444p16le")
            for plane, values in zip(frame.planes, coded(signal, matrix, full), strict=True):
                np.frombuffer(plane, np.uint16).reshape(video.height, -1)[:, : video.width] = values
            # The same tags on both sides, so that only depth and subsampling change.
            frame.colorspace, frame.color_range = matrix, 2 if full else 1
            frame = frame.reformat(format=pix_fmt)
            for name, value in zip(("colorspace", "color_trc", "color_primaries"), tags, strict=True):
                if hasattr(frame, name):  # if not, the encoder's own attributes state it
                    setattr(frame, name, value)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
    return path


def write_kind(path, codec, kind=None, count=COUNT, width=WIDTH, height=HEIGHT, times=None, sound="aac", lasts=()):
    """Write a video in a format of FFmpeg. kind: the format's name; None: by the suffix; times: of the frames, in
    seconds; sound: the codec of the sounds; lasts: the seconds that each sound lasts."""
    import av

    clock = Fraction(1, 25) if times is None else Fraction(1, 1000)
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    with av.open(str(path), "w", format=kind) as file:
        video = file.add_stream(codec, rate=25, options=options)
        video.width, video.height, video.pix_fmt = width, height, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        video.time_base = video.codec_context.time_base = clock
        audios = [file.add_stream(sound, rate=48000, layout="mono") for _ in lasts]
        packets = []
        for index, picture in enumerate(pictures(count, width, height)):
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts, frame.time_base = index if times is None else round(1000 * times[index]), clock
            packets += video.encode(frame)
        packets += video.encode(None)
        for audio, seconds in zip(audios, lasts, strict=True):
            packets += _silence(audio, seconds)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            file.mux(packet)
    return path


def _silence(audio, seconds):
    import av

    frame = av.AudioFrame.from_ndarray(np.zeros((1, int(48000 * seconds)), np.float32), format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
    return [*audio.encode(frame), *audio.encode(None)]


def with_subtitles(path, source, until, chapters=False):
    """Write a Matroska file: the pictures of a video, with subtitles of one second each at 0 s and before `until`."""
    import av

    text = path.with_suffix(".srt")
    begin, end = (f"00:00:{second:02d},000" for second in (until - 1, until))
    text.write_text(f"1\n00:00:00,000 --> 00:00:01,000\nYes.\n\n2\n{begin} --> {end}\nNo.\n\n")
    with av.open(str(path), "w") as file, av.open(str(source)) as pictured, av.open(str(text)) as subtitled:
        streams = [(one, file.add_stream_from_template(one.streams[0])) for one in (pictured, subtitled)]
        if chapters:
            clock = Fraction(1, 1000)
            one = {"id": 1, "start": 0, "end": 1000, "time_base": clock, "metadata": {"title": "First"}}
            file.set_chapters([one, {**one, "id": 2, "start": 1000, "end": 1000 * until}])
        for container, stream in streams:
            for packet in container.demux(container.streams[0]):
                if packet.dts is not None:
                    packet.stream = stream
                    file.mux(packet)
    text.unlink()
    return path


def read_whole(path, library="av"):
    """The frames of a whole video, and its notes without its name."""
    with open_video(path, library) as reader:
        frames = list(reader)
        assert not reader.truncated
    return frames, [note.removeprefix(f"{path}: ") for note in reader.notes]
