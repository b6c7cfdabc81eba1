"""A camera or a video shown in a window: faces in each frame, keys, recording."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from fkp_app.errors import one_file
from fkp_app.faces.drawing import Look
from fkp_app.faces.finder import FaceFinder
from fkp_app.media.sources import Source
from fkp_app.media.video.camera import Camera, CameraError, open_camera
from fkp_app.media.video.reader import Frame, VideoReader, open_video
from fkp_app.media.video.recorder import Recorder
from fkp_app.media.video.window import Window
from fkp_app.pipeline.outputs import check_file
from fkp_app.pipeline.reporter import Reporter, Stopwatch
from fkp_app.pipeline.results import FrameResult, SourceResult, VideoResult
from fkp_app.pipeline.run_options import RunOptions
from fkp_app.pipeline.video_run import make_tracker
from fkp_app.tracking.tracker import FaceTracker
from fkp_app.tracking.tracks import TrackedFace
from fkp_app.wording import count_of
from numpynet.files import remove_leftovers

KEYS = "q quit   n next look   r record   space pause"
RECORDING_RATE = 30.0
"""Frames per second of a recording from a camera, for video formats that store a rate and no times."""


def run_live(
    source: Source, finder: FaceFinder, options: RunOptions, reporter: Reporter
) -> tuple[list[SourceResult], bool]:
    """Show a camera, or a video at its own pace, until it ends or the user presses q or Ctrl-C.

    Without a window only Ctrl-C ends a camera. Returns the faces of every frame, if they are wanted, and whether all
    went well. Recordings are whole even if a camera is unplugged, and the faces are kept even if a recording fails.
    UsageError if no recording can be written where --record says.
    """
    record = options.record
    if record is not None:
        check_file("--record", record)
        remove_leftovers(record.parent)
    camera, problems, notes = source.kind == "camera", list[str](), list[str]()
    found, results, recorded = list[FrameResult](), list[SourceResult](), list[Path]()
    number, watch = 0, Stopwatch()
    with one_file(source.name, problems), ExitStack() as stack:
        window = stack.enter_context(Window(f"fkp {source.name}")) if options.window is not False else None
        frames: Camera | VideoReader = open_camera(source.camera) if camera else open_video(source.path)
        stack.enter_context(frames)
        rate = frames.frame_rate if isinstance(frames, VideoReader) else None
        if options.keep:
            results.append(VideoResult(source.name, frames.width, frames.height, rate, found))
        recorder = stack.enter_context(Recorder(record, frames.width, frames.height, rate or RECORDING_RATE))
        recorded = recorder.written
        if record is not None:
            recorder.toggle()
        view = LiveView(window, make_tracker(finder, options.smooth), options.looks, recorder, at_pace=not camera)
        stack.enter_context(watch)
        try:
            for frame in frames:
                faces = view(frame)
                number += 1
                if options.keep:
                    found.append(FrameResult(frame.index, frame.time, faces))
                if view.ended:
                    break
        except KeyboardInterrupt:
            pass  # Ctrl-C in a terminal does what q does in the window
        except CameraError as error:
            problems.append(str(error))  # caught here, so that the recording is kept
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


class LiveView:
    """Called with each frame, it finds the faces, records and shows them, and does what the pressed key says.

    window: None for no window and no keys. at_pace: whether to wait until a frame's time has come. ended: whether q was
    pressed.
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
