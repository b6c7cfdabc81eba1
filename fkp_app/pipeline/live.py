"""A camera or video in a window: faces as they come, keys, recording."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from fkp_app.errors import one_file
from fkp_app.faces.drawing import Look
from fkp_app.media.sources import Source
from fkp_app.media.video.camera import Camera, CameraError, open_camera
from fkp_app.media.video.reader import Frame, VideoReader, open_video
from fkp_app.media.video.recorder import Recorder
from fkp_app.media.video.window import Window
from fkp_app.pipeline.image_run import Finder
from fkp_app.pipeline.outputs import check_file
from fkp_app.pipeline.reporter import Reporter, Stopwatch
from fkp_app.pipeline.results import FrameResult, Result, VideoResult
from fkp_app.pipeline.video_run import make_tracker
from fkp_app.tracking.tracker import FaceTracker
from fkp_app.tracking.tracks import TrackedFace
from fkp_app.wording import count_of
from numpynet.files import remove_leftovers

KEYS = "q quit   n next look   r record   space pause"
RECORDING_RATE = 30.0
"""Frames a second of a recorded camera where frames do not carry their own times."""


@dataclass(frozen=True)
class LiveTask:
    """A camera or video. looks: how faces can be drawn, the first at first; record: a video to record from the start;
    keep: whether every frame's faces are wanted as data; window: whether there is one, or Ctrl-C alone ends it."""

    source: Source
    looks: Sequence[Look]
    smooth: bool
    record: Path | None
    keep: bool
    window: bool


def run_live(task: LiveTask, finder: Finder, reporter: Reporter) -> tuple[list[Result], bool]:
    """Show a camera, or a video at its own pace, until q or Ctrl-C is pressed or it ends.

    What was found, if that is to be kept, and whether it ended well: recordings are whole even where a camera is
    unplugged, and numbers are kept even where a recording fails. UsageError where nothing can be recorded there.
    """
    source, record = task.source, task.record
    if record is not None:
        check_file("--record", record)
        remove_leftovers(record.parent)
    camera, problems, notes = source.kind == "camera", list[str](), list[str]()
    found, results, recorded = list[FrameResult](), list[Result](), list[Path]()
    number, watch = 0, Stopwatch()
    with one_file(source.name, problems), ExitStack() as stack:
        window = stack.enter_context(Window(f"fkp {source.name}")) if task.window else None
        frames: Camera | VideoReader = open_camera(source.camera) if camera else open_video(source.path)
        stack.enter_context(frames)
        rate = frames.frame_rate if isinstance(frames, VideoReader) else None
        if task.keep:
            results.append(VideoResult(source.name, frames.width, frames.height, rate, found))
        recorder = stack.enter_context(Recorder(record, frames.width, frames.height, rate or RECORDING_RATE))
        recorded = recorder.written
        if record is not None:
            recorder.toggle()
        show = Show(window, make_tracker(finder, task.smooth), task.looks, recorder, at_pace=not camera)
        stack.enter_context(watch)
        try:
            for frame in frames:
                faces = show(frame)
                number += 1
                if task.keep:
                    found.append(FrameResult(frame.index, frame.time, faces))
                if show.ended:
                    break
        except KeyboardInterrupt:
            pass  # in a terminal it does what q does in the window
        except CameraError as error:
            problems.append(str(error))  # here, so that the recording is kept
        if isinstance(frames, VideoReader):
            (problems if frames.truncated else notes).extend(frames.notes)
    for problem in problems:
        reporter.problem(source.words(problem))
    for note in notes:
        reporter.note(source.words(note))
    for path in recorded:
        reporter.line(f"{source.name}: recorded -> {path}")
    if number:
        reporter.line(f"{source.name}: {count_of(number, 'frame')}, {number / watch.seconds:.1f} a second")
    return results if number else [], not problems


class Show:
    """Called with each frame: finds its faces, shows and records them, and does what keys say, if there is a window.

    at_pace: whether to wait until a frame's time has come. ended: whether q was pressed.
    """

    def __init__(
        self, window: Window | None, tracker: FaceTracker, looks: Sequence[Look], recorder: Recorder, at_pace: bool
    ) -> None:
        self._window, self._tracker, self._looks, self._recorder = window, tracker, looks, recorder
        self._at_pace = at_pace
        self._look = 0
        self._begun: float | None = None
        self.ended = False

    def __call__(self, frame: Frame) -> list[TrackedFace]:
        faces = self._tracker.update(frame.image, frame.time)
        look = self._looks[self._look]
        picture = look.draw(frame.image, faces)
        self._recorder.write(picture, frame.time)
        if self._window is None:
            return faces
        if self._begun is None:
            self._begun = time.monotonic() - frame.time
        wait = self._begun + frame.time - time.monotonic() if self._at_pace else 0.0
        key = self._window.show(picture, f"{KEYS}{self._recorder.sign}   {look.name}", wait)
        if key == " ":
            paused = time.monotonic()
            key = self._window.wait()
            self._begun += time.monotonic() - paused
        if key == "n":
            self._look = (self._look + 1) % len(self._looks)
        elif key == "r":
            self._recorder.toggle()
        self.ended = key == "q"
        return faces
