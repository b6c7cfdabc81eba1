"""Reads videos by PyAV (FFmpeg's libraries in Python): any codec, exact times, orientation, and damage is reported."""

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from fkp_app.media.video.codecs import FRAME_RATES, MAX_SIDE, Claims, VideoError, check_size
from fkp_app.media.video.colours import Colours
from fkp_app.media.video.formats import OPTIONS
from fkp_app.media.video.length import STATES_NO_LENGTH, Length
from fkp_app.media.video.turn import oriented
from fkp_app.media.video.whole import short_of
from numpynet.typing import AnyArray

AV_ERRORS = (av.FFmpegError, ValueError, OSError, UnicodeError)
"""The errors that PyAV raises on files that it cannot use."""
LARGE = 4096 * 2304
"""Larger pictures are not decoded several at once: each thread would hold pictures of its own."""
INTERLACED = "is interlaced, and stays so: in moving parts, every other line shows another moment"
NO_TIMES = STATES_NO_LENGTH - {"mpegts", "mpeg", "dv"}
"""Formats that consist of frames alone, without times."""


class AvDecoder:
    """Decodes a file by PyAV; see `codecs.Decoder`. VideoError as in `reader.open_video`."""

    def __init__(self, path: Path) -> None:
        self.problems: list[str] = []
        self.notes: list[str] = []
        self._lost = self._broken = self._gaps = 0
        self._short = short_of(path)
        self._container = open_av(path)
        try:
            self._video = main_stream(path, self._container)
        except VideoError:
            self._container.close()
            if self._short:
                raise _cut_off(path, self._short) from None
            raise
        self._colours = Colours(self.notes)
        self._origin = float((self._video.start_time or 0) * (self._video.time_base or 0))
        # Taken before anything is read: some of FFmpeg's demuxers correct the stated length while they read.
        self._length = Length(self._container, self._video, self._origin)
        rate = frame_rate(self._video)
        counts = self._video.frames, round(self._length.estimate * rate)  # may include hidden frames; an estimate
        count = min((number for number in counts if number > 0), default=None)
        sound = self._container.streams.best("audio") is not None
        self.claims = Claims(rate, count, sound, float(self._video.sample_aspect_ratio or 1))
        self.unkept = unkept(self._container)
        videos = len(video_streams(self._container))
        if videos > 1:
            self.notes.append(f"holds {videos} videos, of which the first is used")
        if self._container.format.name in NO_TIMES:
            self.notes.append(f"holds no times; its frames are taken as {rate:g} per second")

    def pictures(self) -> Iterator[tuple[float | None, AnyArray]]:
        """Each picture, upright, and its time in seconds. Damaged ones are left out, as in players, and counted."""
        packets = self._container.demux(self._length.measured(self._container))
        while True:
            try:
                packet = next(packets, None)
            except AV_ERRORS as error:
                self.problems.append(f"is damaged from {self._length.lasted:.1f} s on ({reason(error)})")
                break
            if packet is None:
                break
            self._length.see(packet)
            if packet.stream is self._video:  # an empty packet, which ends a stream, may bear another's index
                before = self._lost + self._broken
                yield from self._decoded(packet)
                self._gaps += packet.is_corrupt and self._lost + self._broken == before
        if self.problems:
            yield from self._decoded(None)
        missing = self._length.missing()
        if missing and not self.problems:
            self.problems.append(missing)
        if self._lost + self._broken > len(self.problems):  # a file that is cut off usually ends in a broken packet
            self.problems.append(f"is damaged; {self._damage()}")
        if self._gaps > len(self.problems):
            where = "1 place" if self._gaps == 1 else f"{self._gaps} places"
            self.problems.append(f"is damaged or joined from parts: at {where} packets are missing between two others")
        if self._short and not self.problems:
            self.problems.append(f"is truncated: it {self._short}; pictures or sound may be missing")

    def _decoded(self, packet: "Packet[Any] | None") -> Iterator[tuple[float | None, AnyArray]]:
        """The pictures that a packet completes; for None, the pictures that the decoder still holds."""
        try:
            for frame in self._video.codec_context.decode(packet):
                at = None if frame.time is None else frame.time - self._origin
                if frame.interlaced_frame and INTERLACED not in self.notes:
                    self.notes.append(INTERLACED)
                self._broken += frame.is_corrupt
                yield at, oriented(self._colours(frame), frame, self.notes)
        except AV_ERRORS:
            self._lost += 1

    def _damage(self) -> str:
        """The damage that the decoder found, in words."""
        packets = f"{self._lost} of its packets cannot be decoded" if self._lost else ""
        frames = f"{self._broken} of its frames {'is' if self._broken == 1 else 'are'} broken" if self._broken else ""
        return " and ".join(filter(None, [packets, frames]))

    def close(self) -> None:
        """Close the file."""
        self._container.close()


def open_av(path: Path) -> InputContainer:
    """A file opened by FFmpeg. VideoError if it cannot be opened, or its format is none of `formats.FORMATS`."""
    try:
        # Absolute, since FFmpeg reads "a:b.mp4" as a protocol. Titles in an unknown encoding must not make it fail.
        return av.open(str(path.absolute()), metadata_errors="replace", options=dict(OPTIONS))
    except AV_ERRORS as error:
        short = short_of(path)
        if short:
            raise _cut_off(path, short) from None
        refused = getattr(error, "errno", None) == errno.EINVAL
        why = "a list of other files, a picture, or of another kind that is not read" if refused else reason(error)
        raise VideoError(f"{path}: is not a video that can be read ({why})") from None


def _cut_off(path: Path, short: str) -> VideoError:
    return VideoError(f"{path}: is truncated: it {short}, and what is there cannot be read")


def video_streams(container: InputContainer) -> list[VideoStream]:
    """The video streams of a file, without pictures such as an album's cover."""
    return [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]


def main_stream(path: Path, container: InputContainer) -> VideoStream:
    """The first video stream of a file. VideoError if there is none that can be decoded, or it is too large."""
    streams = video_streams(container)
    if not streams:
        what = "holds sound alone" if container.streams.audio else "holds nothing to be seen"
        raise VideoError(f"{path}: {what}, no video")
    usable = [one for one in streams if one.codec_context is not None]
    if not usable:
        raise VideoError(f"{path}: its pictures are in a codec that is unknown here; convert it to H.264")
    video = usable[0]
    width, height = video.codec_context.width, video.codec_context.height
    check_size(path, width, height)
    video.thread_type = "AUTO" if width * height <= LARGE else "SLICE"
    video.codec_context.options = {"max_pixels": str(MAX_SIDE * MAX_SIDE)}
    return video


def frame_rate(video: VideoStream) -> float:
    """Frames per second, as the file states or FFmpeg guesses, whichever makes sense first; 0 if neither is known."""
    rates = [float(rate) for rate in (video.average_rate, video.guessed_rate, video.base_rate) if rate]
    return next((rate for rate in rates if FRAME_RATES[0] <= rate <= FRAME_RATES[1]), rates[0] if rates else 0.0)


def unkept(container: InputContainer) -> str:
    """The parts of a file that no written video keeps, in words; empty if there are none."""
    streams = container.streams
    counts = {
        "subtitle": len(streams.subtitles),
        "data stream": len(streams.data),
        "attachment": len(getattr(streams, "attachments", ())),
        "cover": len(streams.video) - len(video_streams(container)),
        "chapter": len(container.chapters()) if hasattr(container, "chapters") else 0,
    }
    held = [f"{count} {name}{'s' * (count > 1)}" for name, count in counts.items() if count]
    return ", ".join(held)


def reason(error: BaseException) -> str:
    """The reason that an error gives, in a few words."""
    return getattr(error, "strerror", None) or str(error).split("\n")[0] or type(error).__name__
