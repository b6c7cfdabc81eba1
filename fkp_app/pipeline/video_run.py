"""A video file from its first frame to its last: tracked, drawn, written."""

import sys
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from fkp_app.errors import one_file
from fkp_app.faces.drawing import Draw
from fkp_app.media.sources import Source
from fkp_app.media.video.ahead import ahead
from fkp_app.media.video.reader import Frame, VideoReader, open_video
from fkp_app.media.video.writer import VideoWriter
from fkp_app.pipeline.image_run import Finder
from fkp_app.pipeline.outputs import make_parent
from fkp_app.pipeline.reporter import Reporter, Stopwatch
from fkp_app.pipeline.results import FrameResult, VideoResult
from fkp_app.tracking.tracker import FaceTracker
from fkp_app.tracking.tracks import TrackedFace
from fkp_app.wording import count_of


@dataclass(frozen=True)
class VideoTask:
    """A video, and where the drawn one goes, if anywhere. keep: whether every frame's faces are wanted as data."""

    source: Source
    target: Path | None
    draw: Draw
    smooth: bool
    keep: bool


@dataclass
class VideoOutcome:
    """What became of a video: its result, if a frame of it could be read; the drawn video, if it was written; what is
    missing from the source and what else went wrong, a line each; notes for the user; and how many frames there were,
    how many with faces, in how many seconds."""

    result: VideoResult | None = None
    written: Path | None = None
    missing: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    frames: int = 0
    with_faces: int = 0
    seconds: float = 0.0

    @property
    def well(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing and not self.problems

    def summary(self) -> str:
        """What was found, in a line."""
        name = self.result.video if self.result is not None else ""
        rate = self.frames / self.seconds if self.seconds else 0.0
        written = f" -> {self.written}" if self.written is not None else ""
        frames = count_of(self.frames, "frame")
        return f"{name}: faces in {self.with_faces} of {frames}, {rate:.1f} frames a second{written}"


def make_tracker(finder: Finder, smooth: bool) -> FaceTracker:
    """A tracker with a command's network, detector and settings."""
    return FaceTracker(finder.detector, finder.predictor, smooth=smooth, min_confidence=finder.min_confidence)


def run_video(task: VideoTask, finder: Finder, reporter: Reporter) -> VideoOutcome:
    """What was found in a video, whatever happens to it.

    Where an error ends it, what was found until then is kept, and so is the video drawn until then. Where that one
    cannot be written, the numbers go on without it if they are wanted; if not, the work ends.
    """
    outcome, source, found = VideoOutcome(), task.source, list[FrameResult]()
    with one_file(source.name, outcome.problems), ExitStack() as stack:
        reader = stack.enter_context(open_video(source.path))
        result = VideoResult(source.name, reader.width, reader.height, reader.frame_rate, found)
        advance = stack.enter_context(reporter.bar(source.path.name, reader.frame_count, "frames"))
        drawn = _Drawn(task, reader, outcome)
        with Stopwatch() as watch, drawn, one_file(source.name, outcome.problems):
            tracker = make_tracker(finder, task.smooth)
            for frame in stack.enter_context(closing(ahead(reader))):
                faces = tracker.update(frame.image, frame.time)
                outcome.frames, outcome.with_faces = outcome.frames + 1, outcome.with_faces + bool(faces)
                outcome.result = result
                drawn.add(frame, faces)
                if task.keep:
                    found.append(FrameResult(frame.index, frame.time, faces))
                elif drawn.failed:
                    break
                advance()
        outcome.seconds = watch.seconds
        (outcome.missing if reader.truncated else outcome.notes).extend(map(source.words, reader.notes))
    outcome.problems = [source.words(problem) for problem in outcome.problems]
    return outcome


class _Drawn:
    """The drawn video, if one is wanted. An error in it is the outcome's problem, and the end of it alone."""

    def __init__(self, task: VideoTask, reader: VideoReader, outcome: VideoOutcome) -> None:
        self._task, self._reader, self._outcome = task, reader, outcome
        self._writer: VideoWriter | None = None
        self._stack = ExitStack()

    @property
    def failed(self) -> bool:
        """Whether it is wanted and cannot be had."""
        return self._task.target is not None and self._writer is None

    def add(self, frame: Frame, faces: list[TrackedFace]) -> None:
        """Draw and write a frame."""
        if self._writer is None:
            return
        try:
            self._writer.write(self._task.draw(frame.image, faces), frame.time)
        except Exception:
            self._writer = None
            self._stack.__exit__(*sys.exc_info())  # which removes what was written and keeps to the rule

    def __enter__(self) -> Self:
        source, target = self._task.source, self._task.target
        if target is None:
            return self
        with ExitStack() as stack:
            stack.enter_context(one_file(source.name, self._outcome.problems))
            make_parent(target)
            width, height, rate = self._reader.width, self._reader.height, self._reader.frame_rate
            sound = source.path if self._reader.has_sound else None
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
            self._outcome.written = self._task.target
            self._outcome.notes += [self._task.source.words(note) for note in writer.notes]
