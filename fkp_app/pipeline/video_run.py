"""A video file from its first frame to its last: tracked, drawn, written."""

import sys
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from fkp_app.errors import one_file
from fkp_app.faces.drawing import Draw
from fkp_app.faces.finder import FaceFinder
from fkp_app.media.sources import Source
from fkp_app.media.video.ahead import ahead
from fkp_app.media.video.reader import Frame, VideoReader, open_video
from fkp_app.media.video.writer import VideoWriter
from fkp_app.pipeline.outputs import make_parent
from fkp_app.pipeline.reporter import Reporter, Stopwatch
from fkp_app.pipeline.results import FrameResult, VideoResult
from fkp_app.pipeline.run_options import RunOptions
from fkp_app.tracking.tracker import FaceTracker
from fkp_app.tracking.tracks import TrackedFace
from fkp_app.wording import count_of


@dataclass
class VideoOutcome:
    """What became of one video.

    result: None if not one frame could be read. written: path of the drawn video, if it was written. missing: one line
    for each part of the source that could not be read. problems: one line for each other thing that went wrong.
    notes: lines for the user. frames, with_faces: number of frames, and of those with a face. seconds: time taken.
    """

    result: VideoResult | None = None
    written: Path | None = None
    missing: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    frames: int = 0
    with_faces: int = 0
    seconds: float = 0.0

    def summary(self) -> str:
        """What was found, in one line."""
        name = self.result.video if self.result is not None else ""
        rate = self.frames / self.seconds if self.seconds else 0.0
        written = f" -> {self.written}" if self.written is not None else ""
        frames = count_of(self.frames, "frame")
        return f"{name}: faces in {self.with_faces} of {frames}, {rate:.1f} frames a second{written}"


def make_tracker(finder: FaceFinder, smooth: bool) -> FaceTracker:
    """A tracker for one video that finds faces as `finder` does."""
    return FaceTracker(finder.detector, finder.predictor, smooth=smooth, min_confidence=finder.min_confidence)


def run_video(
    source: Source, target: Path | None, finder: FaceFinder, options: RunOptions, reporter: Reporter
) -> VideoOutcome:
    """Track, draw and write one video. target: path of the drawn video; None for none. Any error becomes a problem.

    If an error ends it, the faces found until then and the video drawn until then are kept. If the drawn video cannot
    be written, the search goes on without it, provided that the faces are wanted; otherwise the work ends.
    """
    outcome, found = VideoOutcome(), list[FrameResult]()
    with one_file(source.name, outcome.problems), ExitStack() as stack:
        reader = stack.enter_context(open_video(source.path))
        result = VideoResult(source.name, reader.width, reader.height, reader.frame_rate, found)
        advance = stack.enter_context(reporter.bar(source.path.name, reader.frame_count, "frames"))
        drawn = _DrawnVideo(source, target, options.draw_frame, reader, outcome)
        with Stopwatch() as watch, drawn, one_file(source.name, outcome.problems):
            tracker = make_tracker(finder, options.smooth)
            for frame in stack.enter_context(closing(ahead(reader))):
                faces = tracker.update(frame.image, frame.time)
                outcome.frames, outcome.with_faces = outcome.frames + 1, outcome.with_faces + bool(faces)
                outcome.result = result
                drawn.add(frame, faces)
                if options.keep:
                    found.append(FrameResult(frame.index, frame.time, faces))
                elif drawn.failed:
                    break
                advance()
        outcome.seconds = watch.seconds
        (outcome.missing if reader.truncated else outcome.notes).extend(map(source.words, reader.notes))
    outcome.problems = [source.words(problem) for problem in outcome.problems]
    return outcome


class _DrawnVideo:
    """The drawn video, if one is wanted. An error in it becomes the outcome's problem; the search goes on."""

    def __init__(
        self, source: Source, target: Path | None, draw: Draw, reader: VideoReader, outcome: VideoOutcome
    ) -> None:
        self._source, self._target, self._draw = source, target, draw
        self._reader, self._outcome = reader, outcome
        self._writer: VideoWriter | None = None
        self._stack = ExitStack()

    @property
    def failed(self) -> bool:
        """Whether a drawn video is wanted but cannot be written."""
        return self._target is not None and self._writer is None

    def add(self, frame: Frame, faces: list[TrackedFace]) -> None:
        """Draw and write a frame."""
        if self._writer is None:
            return
        try:
            self._writer.write(self._draw(frame.image, faces), frame.time)
        except Exception:
            self._writer = None
            self._stack.__exit__(*sys.exc_info())  # removes the unfinished video, and makes the error a problem

    def __enter__(self) -> Self:
        target = self._target
        if target is None:
            return self
        with ExitStack() as stack:
            stack.enter_context(one_file(self._source.name, self._outcome.problems))
            make_parent(target)
            width, height, rate = self._reader.width, self._reader.height, self._reader.frame_rate
            sound = self._source.path if self._reader.has_sound else None
            self._writer = stack.enter_context(
                VideoWriter(target, width, height, rate, sound, unkept=self._reader.unkept)
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        writer, before = self._writer, len(self._outcome.problems)
        if writer is None:
            return
        self._stack.__exit__(kind, error, at)
        if kind is None and len(self._outcome.problems) == before:
            self._outcome.written = self._target
            self._outcome.notes += [self._source.words(note) for note in writer.notes]
