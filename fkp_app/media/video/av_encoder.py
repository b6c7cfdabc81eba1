"""Writes videos by PyAV: H.264, which looks the same as the source, with sound."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from fkp_app.media.video.av_decoder import AV_ERRORS, reason
from fkp_app.media.video.av_sound import Sound, SoundError
from fkp_app.media.video.codecs import EncodingError
from fkp_app.media.video.colours import HIGH_DEFINITION
from fkp_app.media.video.numbering import Numbering
from numpynet.typing import AnyArray

LEAST_TICKS = 90_000
"""Least ticks per second of the clock in which times are written."""
BT709, BT601, LIMITED = 1, 6, 1
"""H.273's numbers of the two ways to code colours, and FFmpeg's number of the range that leaves room at both ends."""
MATRICES = {BT709: "itu709", BT601: "itu601"}
H264 = {"crf": "18", "preset": "veryfast"}
MPEG4 = {"flags": "+qscale", "global_quality": str(118 * 3)}  # quality 3 of 1 (best) .. 31, in FFmpeg's unit
VP9 = {"crf": "24", "b:v": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"}
INDEX_FIRST = {"movflags": "+faststart"}  # so that a browser can play it before it has the whole file


@dataclass(frozen=True)
class Kind:
    """How files of one suffix are written.

    sound: the codec of sound that cannot be copied; numbered: whether frames have numbers instead of times;
    states_colours: whether the file states its matrix; if not, players choose it by the size.
    """

    codec: str = "libx264"
    options: dict[str, str] = field(default_factory=lambda: H264)
    file_options: dict[str, str] = field(default_factory=dict)
    sound: str = "aac"
    numbered: bool = False
    states_colours: bool = True


KINDS = {
    ".mp4": Kind(file_options=INDEX_FIRST),
    ".mov": Kind(file_options=INDEX_FIRST),
    ".mkv": Kind(),
    # H.264 in an AVI is shown one frame late. Sound that begins before the pictures must not delay them.
    ".avi": Kind(
        "mpeg4", MPEG4, {"avoid_negative_ts": "disabled"}, sound="libmp3lame", numbered=True, states_colours=False
    ),
    ".webm": Kind("libvpx-vp9", VP9, sound="libopus"),
}


class AvEncoder:
    """Writes to `path`, in the format of its suffix; see `codecs.Encoder`. EncodingError if it cannot be written."""

    def __init__(self, path: Path, width: int, height: int, frame_rate: float, sound_from: Path | None) -> None:
        self.notes: list[str] = []
        self._kind = KINDS[path.suffix.lower()]
        self._size = width, height
        self._rate = Fraction(frame_rate).limit_denominator(1001)  # 29.97 is 30000 / 1001
        self._clock = 1 / self._rate
        if not self._kind.numbered:  # a fraction of a frame's duration, so that a constant rate is exact
            self._clock /= -(-LEAST_TICKS // self._rate.numerator) * self._rate.denominator
        self._next, self._number = 0, Numbering(float(self._rate))
        self._sound: Sound | None = None
        why = ""
        for copied in (True, False) if sound_from is not None else ():
            try:
                self._open(path, sound_from, copied)
                break
            except SoundError as error:
                why = str(error)
        else:
            self._open(path, None)
        if why and self._sound is None:
            self.notes.append(f"is without sound, as that of {sound_from} cannot be used ({why})")

    def _open(self, path: Path, sound_from: Path | None, copied: bool = True) -> None:
        """Begin the file. SoundError if it cannot hold this sound."""
        with _errors():
            self._container = av.open(str(path.absolute()), "w", options=self._kind.file_options)
            self._video = self._add_video()
        try:
            if sound_from is not None:
                codec = None if copied else self._kind.sound
                self._sound = Sound(sound_from, self._container, codec, timed=not self._kind.numbered)
            self._container.start_encoding()
        except AV_ERRORS as error:
            self.abandon()
            raise (EncodingError if sound_from is None else SoundError)(reason(error)) from None
        except SoundError:
            self.abandon()
            raise

    def _add_video(self) -> VideoStream:
        width, height = self._size
        halved = not (width % 2 or height % 2) or self._kind.codec != "libx264"
        if not halved:
            self.notes = ["has an odd width or height, for which some players lack H.264 4:4:4"]
        codec, options = self._kind.codec, dict(self._kind.options)
        video = cast(VideoStream, self._container.add_stream(codec, rate=self._rate, options=options))
        video.width, video.height = width, height
        video.pix_fmt = "yuv420p" if halved else "yuv444p"  # 4:4:4 codes colours per pixel, not per 2 x 2 pixels
        video.time_base = video.codec_context.time_base = self._clock
        context = video.codec_context
        self._matrix = BT709 if self._kind.states_colours or height >= HIGH_DEFINITION else BT601
        context.color_range = LIMITED
        context.color_primaries = context.color_trc = BT709
        context.colorspace = self._matrix
        return video

    def write(self, image: AnyArray, time: float) -> None:
        """Add an RGB frame that is shown from `time` (seconds) on."""
        number = self._number(time) if self._kind.numbered else round(Fraction(time) / self._clock)
        if number is None:
            return
        with _errors():
            frame = VideoFrame.from_ndarray(image).reformat(
                format=self._video.pix_fmt, dst_colorspace=MATRICES[self._matrix], dst_color_range=LIMITED
            )
            frame.pts, frame.time_base = max(number, self._next), self._clock
            self._next = frame.pts + 1
            self._container.mux(self._video.encode(frame))
            self._mux_sound(time)

    def finish(self) -> None:
        """Write the packets that are still held back and the rest of the sound, and close the file."""
        try:
            with _errors():
                self._container.mux(self._video.encode(None))
                self._mux_sound(None)
                self._container.close()
        except BaseException:
            self.abandon()
            raise
        if self._sound is not None:
            self.notes += self._sound.notes
            self._sound.close()
        self.notes += self._number.notes()

    def abandon(self) -> None:
        """Close the file, even if it is broken."""
        if self._sound is not None:
            self._sound.close()
            self._sound = None
        with suppress(*AV_ERRORS):
            self._container.close()

    def _mux_sound(self, until: float | None) -> None:
        if self._sound is None:
            return
        for packet in self._sound.packets(until):
            try:
                self._container.mux(packet)
            except (av.error.InvalidDataError, av.error.ArgumentError):  # the packet is at fault, not the disk
                self._sound.lost += 1


@contextmanager
def _errors() -> Iterator[None]:
    """Raise PyAV's errors as EncodingError."""
    try:
        yield
    except AV_ERRORS as error:
        raise EncodingError(reason(error)) from None
