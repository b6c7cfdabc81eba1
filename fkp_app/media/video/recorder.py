"""A recording of what a window shows, on and off at a key."""

from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from fkp_app.media.video.writer import VideoWriter
from numpynet.typing import AnyArray


class Recorder:
    """Records while it is on; a recording is whole once it ends. `with` ends it.

    path: of the first recording; the next ones, or all where it is None, get the first free number behind the name.
    """

    def __init__(self, path: Path | None, width: int, height: int, frame_rate: float) -> None:
        self._path, self._shape = path, (width, height, frame_rate)
        self._writer: VideoWriter | None = None
        self._current = Path()
        self._from: float | None = None
        self.written: list[Path] = []

    @property
    def sign(self) -> str:
        """What the window says of it."""
        return "" if self._writer is None else "   recording"

    def write(self, picture: AnyArray, at: float) -> None:
        """A frame and its time in seconds; nothing happens while nothing is recorded."""
        if self._writer is None:
            return
        if self._from is None:
            self._from = at
        self._writer.write(picture, at - self._from)

    def toggle(self) -> None:
        """On where it is off, and the other way round."""
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
