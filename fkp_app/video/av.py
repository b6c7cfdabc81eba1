"""Videos read by PyAV, which is FFmpeg's libraries in Python: any codec, exact times, orientation, damage told."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.packet import Packet
from av.sidedata.sidedata import SideData
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from fkp_app.video.codecs import MAX_SIDE, Claims, VideoError, check_size
from numpynet.typing import AnyArray

AV_ERRORS = (av.FFmpegError, ValueError, OSError, UnicodeError)
"""What PyAV raises on files that it cannot use."""
MARGIN = 0.3
"""A video may end so many seconds before its claimed end, as sound and picture seldom end together."""
HIGH_DEFINITION = 720
"""From so many rows on, pictures that do not say how they code colours code them by ITU-R BT.709, others by BT.601."""
UNSPECIFIED = 2
"""AVCOL_SPC_UNSPECIFIED."""


class AvDecoder:
    """VideoError as in `video.open_video`."""

    def __init__(self, path: Path) -> None:
        self.problems: list[str] = []
        self._lost = 0
        try:
            # Absolute: FFmpeg takes "a:b.mp4" for a protocol. Titles in an unknown encoding are no reason to fail.
            self._container = av.open(str(path.absolute()), metadata_errors="replace")
        except AV_ERRORS as error:
            raise VideoError(f"{path}: is not a video that can be read ({reason(error)})") from None
        try:
            self._video = main_stream(path, self._container)
        except VideoError:
            self._container.close()
            raise
        self._sound = self._container.streams.best("audio")
        self._origin = float((self._video.start_time or 0) * (self._video.time_base or 0))
        aspect = self._video.sample_aspect_ratio
        rate = float(self._video.average_rate or 0)
        # Both as claimed before anything was read: some of FFmpeg's readers correct them as they go.
        self._length, self._begin = self._claimed()
        counts = self._video.frames, round((self._length or 0) * rate)  # also those that an edit list hides; estimated
        count = min((one for one in counts if one > 0), default=None)
        self.claims = Claims(rate, count, self._sound is not None, float(aspect or 1))

    def pictures(self) -> Iterator[tuple[float | None, AnyArray]]:
        """Each picture, upright, and its time in seconds. Damaged ones are left out and counted, as players do."""
        end = 0.0
        streams = [self._video] if self._sound is None else [self._video, self._sound]
        packets = self._container.demux(streams)
        while True:
            try:
                packet = next(packets, None)
            except AV_ERRORS as error:
                self.problems.append(f"is damaged from {max(0.0, end - self._begin):.1f} s on ({reason(error)})")
                break
            if packet is None:
                break
            if packet.size and packet.pts is not None and self._measures(packet.stream):
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            if packet.stream is self._video:  # the index of an empty packet, which ends a stream, may be another's
                before = self._lost
                yield from self._decoded(packet)
                self._lost = max(self._lost, before + packet.is_corrupt)
        if self.problems:
            yield from self._decoded(None)
        self._judge(end)

    def _decoded(self, packet: "Packet[Any] | None") -> Iterator[tuple[float | None, AnyArray]]:
        """The pictures that a packet completes; with None, those that the decoder still holds."""
        try:
            for frame in self._video.codec_context.decode(packet):
                at = None if frame.time is None else frame.time - self._origin
                yield at, oriented(to_rgb(frame), frame)
        except AV_ERRORS:
            self._lost += 1

    def _judge(self, end: float) -> None:
        """Says what is missing; end: of the last packet, in seconds by the file's clock."""
        lasted = max(0.0, end - self._begin)
        if not self.problems and self._length is not None and lasted < self._length - MARGIN:
            self.problems.append(f"ends after {lasted:.1f} of {self._length:.1f} s; it is truncated")
        if self._lost > len(self.problems):  # where a file is cut off, a packet usually is
            self.problems.append(f"is damaged; {self._lost} of its packets cannot be decoded")

    def _claimed(self) -> tuple[float | None, float]:
        """How long the pictures, or else all, are claimed to last, in seconds, and from when on by the file's clock."""
        if self._video.duration and self._video.time_base:
            length = float(self._video.duration * self._video.time_base)
            # An AVI that is cut off gets the length that is left; of MP4's frames an edit list may hide some.
            frames = self._video.frames if self._container.format.name == "avi" else 0
            return max(length, frames / float(self._video.average_rate or 1)), self._origin
        if not self._container.duration:
            return None, 0.0
        # Matroska's duration is the time of its end, wherever it begins.
        return max(0.0, self._container.duration / av.time_base - self._origin), self._origin

    def _measures(self, stream: Stream) -> bool:
        """Whether a stream's packets must reach the claimed length."""
        return stream is self._video or not self._video.duration

    def close(self) -> None:
        """Close the file."""
        self._container.close()


def main_stream(path: Path, container: av.container.InputContainer) -> VideoStream:
    """The pictures in a file, but no cover of an album. VideoError where there are none that can be decoded."""
    streams = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    if not streams:
        what = "holds sound alone" if container.streams.audio else "holds nothing to be seen"
        raise VideoError(f"{path}: {what}, no video")
    usable = [one for one in streams if one.codec_context is not None]
    if not usable:
        raise VideoError(f"{path}: its pictures are in a codec that is unknown here; convert it to H.264")
    video = usable[0]
    check_size(path, video.codec_context.width, video.codec_context.height)
    video.thread_type = "AUTO"
    video.codec_context.options = {"max_pixels": str(MAX_SIDE * MAX_SIDE)}
    return video


def to_rgb(frame: VideoFrame) -> AnyArray:
    """A decoded frame's picture, uint8 RGB (H, W, 3), as it is stored."""
    guessed = "itu709" if frame.height >= HIGH_DEFINITION else "itu601"
    return frame.to_ndarray(format="rgb24", src_colorspace=guessed if frame.colorspace == UNSPECIFIED else None)


def oriented(image: AnyArray, frame: VideoFrame) -> AnyArray:
    """The image turned and mirrored by quarter turns, as the frame's display matrix wants it shown."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return image
    # Rows (a, b, u), (c, d, v), (x, y, w): a stored point (p, q) is shown at (a p + c q + x, b p + d q + y).
    a, b, _, c, d = np.frombuffer(bytes(cast(SideData, data)), np.int32)[:5]
    if abs(int(b)) > abs(int(a)):  # columns become rows
        image, a, d = image.transpose(1, 0, 2), c, b
    if a < 0:
        image = image[:, ::-1]
    if d < 0:
        image = image[::-1]
    return np.ascontiguousarray(image)


def reason(error: BaseException) -> str:
    """Why, in a few words."""
    return getattr(error, "strerror", None) or str(error).split("\n")[0] or type(error).__name__
