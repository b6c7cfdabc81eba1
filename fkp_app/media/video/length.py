"""Whether a video lasts as long as it says: the one sign of a file that was cut off between two frames."""

import re
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from fkp_app.media.video.codecs import END_MARGIN

OWN = frozenset(["mov", "avi", "mxf"])
"""Formats that state each stream's length. What FFmpeg gives as such for the others may be that of the whole file."""
UNSTATED = frozenset(
    ["mpegts", "mpeg", "mpegvideo", "h261", "h263", "h264", "hevc", "vvc", "m4v", "mjpeg", "obu", "av1", "vc1", "dv"]
)
"""Formats that state no length: FFmpeg estimates one from the file's size, which says nothing of what is missing."""


class Length:
    """Pictures are measured by their own stream where the file says how long that is, since sound or subtitles may last
    longer; else by all streams, of which the longest states the length.

    own: whether it is their own; seconds: as stated, or None; estimate: the same, or FFmpeg's guess, or 0.
    """

    def __init__(self, container: InputContainer, video: VideoStream, origin: float) -> None:
        self._video, self._begin, self._end = video, origin, 0.0
        self.own = True
        stated = self._stated(container)
        if not self.own:  # other streams may begin earlier
            self._begin = min(origin, (container.start_time or 0) / av.time_base)
        self.seconds = None if container.format.name in UNSTATED else stated
        self.estimate = float((video.duration or 0) * (video.time_base or 0)) or stated or 0.0

    def _stated(self, container: InputContainer) -> float | None:
        video = self._video
        if video.duration and video.time_base and not OWN.isdisjoint(container.format.name.split(",")):
            length = float(video.duration * video.time_base)
            # An AVI that is cut off gets the length that is left; of MP4's frames an edit list may hide some.
            frames = video.frames if container.format.name == "avi" else 0
            return max(length, frames / float(video.average_rate or 1))
        if not container.duration:
            return None
        # Matroska's duration is the time of its end, wherever it begins, and so is that of each of its streams.
        end = container.duration / av.time_base
        stated = stated_end(video.metadata)
        self.own = stated is not None
        return max(0.0, min(end, stated if stated is not None else end) - self._begin)

    def measured(self, container: InputContainer) -> list[Stream]:
        """The streams whose packets must be seen: the pictures alone, or all where one of them states the length."""
        kinds = () if self.own else ("video", "audio", "subtitle", "data")
        return [one for one in container.streams if one is self._video or one.type in kinds]

    def see(self, packet: "Packet[Any]") -> None:
        """Each packet of those streams is shown here."""
        at = packet.pts if packet.pts is not None else packet.dts
        if packet.size and at is not None:
            self._end = max(self._end, float((at + (packet.duration or 0)) * packet.time_base))

    @property
    def lasted(self) -> float:
        """Seconds from the first picture to the end of the last packet so far."""
        return max(0.0, self._end - self._begin)

    def missing(self) -> str | None:
        """After the last packet: what is missing, if anything."""
        if self.seconds is None or self.lasted >= self.seconds - END_MARGIN:
            return None
        return f"ends after {self.lasted:.1f} of {self.seconds:.1f} s; it is truncated"


def stated_end(tags: dict[str, str]) -> float | None:
    """When a Matroska stream ends, in seconds, by the tag that FFmpeg and MKVToolNix write."""
    for name, value in tags.items():
        found = re.fullmatch(r"(\d{1,4}):(\d\d):(\d\d(?:\.\d+)?)", value.strip(), re.ASCII)
        if found and name.upper().startswith("DURATION"):
            return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])
    return None
