"""A video file from its first frame to its last: tracked, drawn, written."""

from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from fkp_app.ahead import ahead
from fkp_app.drawing import Draw
from fkp_app.image_run import Finder
from fkp_app.outputs import make_parent
from fkp_app.reporter import Reporter, Stopwatch
from fkp_app.results import FrameResult, VideoResult, count_of
from fkp_app.sources import Source
from fkp_app.tracking.tracker import FaceTracker
from fkp_app.video.reader import open_video
from fkp_app.video.writer import VideoWriter


@dataclass(frozen=True)
class VideoTask:
    """A video, and where the drawn one goes, if anywhere. keep: whether every frame's faces are wanted as data."""

    source: Source
    target: Path | None
    draw: Draw
    smooth: bool
    keep: bool


def make_tracker(finder: Finder, smooth: bool) -> FaceTracker:
    """A tracker with a command's network, detector and settings."""
    return FaceTracker(finder.detector, finder.predictor, smooth=smooth, min_confidence=finder.min_confidence)


def run_video(task: VideoTask, finder: Finder, reporter: Reporter) -> tuple[VideoResult, bool]:
    """What was found in a video, and whether it could be read to its end. FkpError where it cannot be used at all."""
    source = task.source
    with ExitStack() as stack:
        reader = stack.enter_context(open_video(source.path))
        tracker, result = make_tracker(finder, task.smooth), []
        writer = None
        if task.target is not None:
            make_parent(task.target)
            sound = source.path if reader.has_sound else None
            writer = stack.enter_context(
                VideoWriter(task.target, reader.width, reader.height, reader.frame_rate, sound, unkept=reader.unkept)
            )
        count = with_faces = 0
        advance = stack.enter_context(reporter.bar(source.path.name, reader.frame_count, "frames"))
        watch = stack.enter_context(Stopwatch())
        for frame in stack.enter_context(closing(ahead(reader))):
            faces = tracker.update(frame.image, frame.time)
            count += 1
            with_faces += bool(faces)
            if writer is not None:
                writer.write(task.draw(frame.image, faces), frame.time)
            if task.keep:
                result.append(FrameResult(frame.index, frame.time, faces))
            advance()
    for note in [*reader.notes, *(writer.notes if writer is not None else [])]:
        reporter.note(note)
    faces_in = f"faces in {with_faces} of {count_of(count, 'frame')}"
    written = f" -> {task.target}" if task.target is not None else ""
    reporter.line(f"{source.name}: {faces_in}, {count / watch.seconds:.1f} frames a second{written}")
    found = VideoResult(source.name, reader.width, reader.height, reader.frame_rate, result)
    return found, not reader.truncated
