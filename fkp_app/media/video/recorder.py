"""Records what a window shows; a key starts and stops it."""

from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from fkp_app.media.video.writer import VideoWriter
from numpynet.typing import AnyArray


class Recorder:
    """Writes a video while it is on. A video is whole once it is stopped, which the end of `with` does, too.

    path: of the first recording. Later recordings, or all if it is None, get the first free number after the name.
    written: the paths of the finished recordings.
    """

    def __init__(self, path: Path | None, width: int, height: int, frame_rate: float) -> None:
        self._path, self._shape = path, (width, height, frame_rate)
        self._writer: VideoWriter | None = None
        self._current = Path()
        self._from: float | None = None
        self.written: list[Path] = []

    @property
    def sign(self) -> str:
        """The words that the window shows while it records."""
        return "" if self._writer is None else "   recording"

    def write(self, picture: AnyArray, at: float) -> None:
        """Add a frame, shown at this time in seconds; does nothing unless recording is on."""
        if self._writer is None:
            return
        if self._from is None:
            self._from = at
        self._writer.write(picture, at - self._from)

    def toggle(self) -> None:
        """Start recording, or stop it if it is on."""
        if self._writer is not None:
            self._end(None, None, None)
            return
        self._current, self._from = self._next_path(), None
        self._writer = VideoWriter(self._current, *self._shape).__enter__()

    def _next_path(self) -> Path:
        first = self._path or Path("recording.mp4")
        if self._path is not None and not self.written:
            return first
        numbered = (first.with_stem(f"{first.stem}-{number}") for number in count(1))
        return next(path for path in numbered if not path.exists())

    def _end(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.__exit__(kind, error, at)
            if kind is None:
                self.written.append(self._current)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end(kind, error, at)
