"""Whether a video lasts as long as it states: the only sign of a file that was cut off between two frames."""

import re
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from fkp_app.media.video.codecs import END_MARGIN

STATES_STREAM_LENGTH = frozenset(["mov", "avi", "mxf"])
"""Formats that state each stream's length. For others, FFmpeg may give the whole file's length as a stream's."""
STATES_NO_LENGTH = frozenset(
    ["mpegts", "mpeg", "mpegvideo", "h261", "h263", "h264", "hevc", "vvc", "m4v", "mjpeg", "obu", "av1", "vc1", "dv"]
)
"""Formats that state no length. FFmpeg estimates one from the file's size, which cannot show what is missing."""


class Length:
    """Compares the stated length of a video with the packets that come.

    If the file states the length of the video stream, only that stream is measured, as sound and subtitles may last
    longer. Otherwise all streams are measured, as the stated length is that of the longest.

    own: whether the length is the video stream's own; seconds: the stated length, or None; estimate: the stated length,
    else FFmpeg's estimate, else 0.
    """

    def __init__(self, container: InputContainer, video: VideoStream, origin: float) -> None:
        self._video, self._begin, self._end = video, origin, 0.0
        self.own = True
        stated = self._stated(container)
        if not self.own:  # the earliest stream may be another one
            self._begin = min(origin, (container.start_time or 0) / av.time_base)
        self.seconds = None if container.format.name in STATES_NO_LENGTH else stated
        self.estimate = float((video.duration or 0) * (video.time_base or 0)) or stated or 0.0

    def _stated(self, container: InputContainer) -> float | None:
        video = self._video
        if video.duration and video.time_base and not STATES_STREAM_LENGTH.isdisjoint(container.format.name.split(",")):
            length = float(video.duration * video.time_base)
            # For an AVI that is cut off FFmpeg gives the length that is left, so count its frames. Not those of an
            # MP4: its edit list may hide some.
            frames = video.frames if container.format.name == "avi" else 0
            return max(length, frames / float(video.average_rate or 1))
        if not container.duration:
            return None
        # In Matroska, the duration of the file and of each stream is the time of its end, wherever it begins.
        end = container.duration / av.time_base
        stated = stated_end(video.metadata)
        self.own = stated is not None
        return max(0.0, min(end, stated if stated is not None else end) - self._begin)

    def measured(self, container: InputContainer) -> list[Stream]:
        """The streams to measure: the video alone, or all if the stated length is that of the longest."""
        kinds = () if self.own else ("video", "audio", "subtitle", "data")
        return [stream for stream in container.streams if stream is self._video or stream.type in kinds]

    def see(self, packet: "Packet[Any]") -> None:
        """Take note of a packet; must be called with each packet of those streams."""
        at = packet.pts if packet.pts is not None else packet.dts
        if packet.size and at is not None:
            self._end = max(self._end, float((at + (packet.duration or 0)) * packet.time_base))

    @property
    def lasted(self) -> float:
        """Seconds from the first picture to the end of the last packet so far."""
        return max(0.0, self._end - self._begin)

    def missing(self) -> str | None:
        """After the last packet: how much of the stated length is missing, in words; None if nothing is."""
        if self.seconds is None or self.lasted >= self.seconds - END_MARGIN:
            return None
        return f"ends after {self.lasted:.1f} of {self.seconds:.1f} s; it is truncated"


def stated_end(tags: dict[str, str]) -> float | None:
    """The time in seconds at which a Matroska stream ends, by a tag of FFmpeg and MKVToolNix; None without it."""
    for name, value in tags.items():
        found = re.fullmatch(r"(\d{1,4}):(\d\d):(\d\d(?:\.\d+)?)", value.strip(), re.ASCII)
        if found and name.upper().startswith("DURATION"):
            return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])
    return None
