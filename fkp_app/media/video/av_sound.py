"""Takes the sound of one video into another: copied packet by packet, or coded anew."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from fkp_app.errors import FkpError
from fkp_app.media.video.av_decoder import AV_ERRORS, main_stream, open_av, reason
from fkp_app.media.video.clock import MOST_STILL

OPUS_RATE = 48_000
"""Samples per second. Opus supports few rates; this is its native one."""
IN_SYNC = 0.1
"""Seconds by which sound and pictures may differ without being noticed."""
EQUAL_PACKETS = ("aac", "ac3", "mp3", "pcm_")
"""Codecs whose packets all last equally long, so that a packet's number gives its time."""
PLAIN_LAYOUTS = {1: "mono", 2: "stereo"}
"""Layouts by number of channels, for files that state none, as most AVIs and Matroskas of PCM."""


class SoundError(Exception):
    """Why a file cannot hold a sound, in a few words."""


class Sound:
    """Adds a stream with the sound of `source` to `target`, and yields its packets. lost: how many are damaged.

    codec: the codec of the new sound; None: copy the packets as they are. Times count from the first picture of
    `source`, as those of `VideoReader` do. timed: whether the target keeps times; if not, the sound must begin with the
    pictures. SoundError if source, target and codec do not go together.
    """

    def __init__(self, source: Path, target: OutputContainer, codec: str | None, timed: bool = True) -> None:
        self.notes: list[str] = []
        self._ahead: Packet[Any] | None = None
        self.lost, self._at, self._joins = 0, 0.0, _Joins()
        try:
            self._container = open_av(source)
        except FkpError as error:
            raise SoundError(str(error).removeprefix(f"{source}: ")) from None
        try:
            pictures = main_stream(source, self._container)
            sound = self._container.streams.best("audio")
            if not isinstance(sound, AudioStream):
                raise SoundError("there is none")
            self._begin = (pictures.start_time or 0) * (pictures.time_base or Fraction(0))
            if not timed:
                _check_untimed(sound, self._begin, codec)
            self._stream = _new_stream(target, sound, codec)
        except (*AV_ERRORS, FkpError) as error:
            self._container.close()
            raise SoundError(reason(error)) from None
        except SoundError:
            self._container.close()
            raise
        if len(self._container.streams.audio) > 1:
            self.notes.append(f"has one of the {len(self._container.streams.audio)} sounds of {source}")
        if codec is not None:
            self.notes.append(f"has its sound coded anew, as a {target.format.name} file cannot hold it as it was")
        self._packets = self._copied(sound) if codec is None else self._coded(sound)

    def packets(self, until: float | None) -> Iterator["Packet[Any]"]:
        """The packets that are due until a time in seconds; None: all the rest. Called for every frame, so that sound
        and pictures are interleaved."""
        while True:
            packet = self._ahead if self._ahead is not None else self._next()
            self._ahead = packet
            if packet is None or (
                until is not None and packet.dts is not None and packet.dts * packet.time_base > until
            ):
                return
            self._ahead = None
            yield packet

    def _next(self) -> "Packet[Any] | None":
        """The next packet; None at the end, or if the rest is damaged."""
        try:
            packet = next(self._packets, None)
        except AV_ERRORS as error:
            self.notes.append(f"has the sound up to where the source's is damaged ({reason(error)})")
            self._packets = iter(())
            return None
        if packet is None and self.lost:
            lacks = "a packet" if self.lost == 1 else f"{self.lost} packets"
            self.notes.append(f"lacks {lacks} of the sound, as the source's is damaged")
            self.lost = 0
        return packet

    def _copied(self, sound: AudioStream) -> Iterator["Packet[Any]"]:
        last: int | None = None
        for packet in self._container.demux(sound):
            at = packet.dts if packet.dts is not None else packet.pts
            shift = round(self._begin / packet.time_base)
            if not packet.size or at is None or self._leaps((at - shift) * packet.time_base):
                self.lost += bool(packet.size)
                continue
            clock = packet.time_base
            shift -= round(self._joins((at - shift) * clock, (packet.duration or 0) * clock) / clock)
            at -= shift
            if last is not None:
                at = max(at, last + 1)  # times must grow; in many files they do not
            packet.pts, packet.dts, last = max(at, (packet.pts or 0) - shift), at, at
            packet.stream = self._stream
            yield packet

    def _coded(self, sound: AudioStream) -> Iterator["Packet[Any]"]:
        for packet in self._container.demux(sound):
            frames: list[AudioFrame] = []
            try:
                frames = sound.codec_context.decode(packet)
            except AV_ERRORS:  # a damaged packet becomes a short silence; the empty packet at the end is none
                self.lost += bool(packet.size)
            for frame in frames:
                if frame.pts is not None:
                    frame.pts -= round(self._begin / (frame.time_base or 1))
                    if self._leaps(frame.pts * (frame.time_base or 1)):
                        self.lost += 1
                        continue
                    clock = Fraction(frame.time_base or 1)
                    lasts = Fraction(frame.samples, frame.sample_rate or 1)
                    frame.pts += round(self._joins(frame.pts * clock, lasts) / clock)
                yield from self._stream.encode(frame)
        yield from self._stream.encode(None)

    def _leaps(self, at: Fraction | int) -> bool:
        """Whether a time in seconds is hours after the last one, and so must be wrong."""
        leaps = at > self._at + MOST_STILL
        self._at = self._at if leaps else float(at)
        return leaps

    def close(self) -> None:
        """Close the source."""
        self._container.close()


class _Joins:
    """Called with the time and duration of a piece of sound, returns the shift to add to its time; all in seconds.

    If files were joined, times begin anew. The sound after the join then follows the sound before it, as pictures do
    in `Clock`. One piece with a wrong time does not move those after it.
    """

    def __init__(self) -> None:
        self._end: Fraction | None = None
        self._shift, self._before = Fraction(0), Fraction(0)

    def __call__(self, at: Fraction, lasts: Fraction) -> Fraction:
        if self._end is not None:
            ahead, as_before = at + self._shift - self._end, at + self._before - self._end
            if abs(ahead) > IN_SYNC and abs(as_before) <= IN_SYNC:
                self._shift, self._before = self._before, self._shift
            elif ahead < -IN_SYNC:
                self._shift, self._before = self._end - at, self._shift
        self._end = at + self._shift + lasts
        return self._shift


def _new_stream(target: OutputContainer, sound: AudioStream, codec: str | None) -> AudioStream:
    if codec is None:
        stream = target.add_stream_from_template(sound)
        layout = PLAIN_LAYOUTS.get(sound.codec_context.layout.nb_channels)
        if layout is not None and sound.codec_context.layout.name.endswith("channels"):
            stream.codec_context.layout = layout  # an MP4 of PCM must state which channel is which
        return stream
    rate = OPUS_RATE if codec == "libopus" else sound.codec_context.sample_rate
    stream = cast(AudioStream, target.add_stream(codec, rate=rate))
    stream.codec_context.layout = "mono" if sound.codec_context.layout.nb_channels == 1 else "stereo"
    return stream


def _check_untimed(sound: AudioStream, begin: Fraction, codec: str | None) -> None:
    """SoundError if this sound would be out of step with the pictures in a file that keeps no times."""
    late = float((sound.start_time or 0) * (sound.time_base or 0) - begin)
    if abs(late) > IN_SYNC:
        raise SoundError(
            f"it begins {abs(late):.1f} s {'after' if late > 0 else 'before'} the pictures; .mp4 can hold it"
        )
    if codec is None and not sound.codec_context.name.startswith(EQUAL_PACKETS):
        raise SoundError("its packets differ in length")
