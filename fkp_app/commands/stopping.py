"""Signals during a training: the first one lets it save and end, a second one ends it at once.

A terminal that is closed sends one, and from then on nothing can be printed there.
"""

import contextlib
import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any, Self, TextIO, cast

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""Ctrl-C, the system that asks a process to end, and a terminal that is closed."""
NOTICE = b"\nstopping: this step is finished and saved; press Ctrl-C again to stop at once, without saving\n"


@contextlib.contextmanager
def lasting_output() -> Iterator[None]:
    """During the body, text that standard output or standard error cannot take is dropped and raises no error."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast(TextIO, _Lasting(stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


class _Lasting:
    """A stream whose `write` and `flush` raise no OSError."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with self._dropping():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._dropping():
            self._stream.flush()

    @contextlib.contextmanager
    def _dropping(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno == errno.EIO:  # the terminal is closed; at exit, Python would try once more
                with contextlib.suppress(OSError):
                    os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Stopping:
    """As a context: notes the first signal, in place of the handlers there were. The second raises as `fkp` does else.

    It does nothing outside the main thread, and leaves a signal alone that is ignored, as nohup has SIGHUP ignored.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.number: int | None = None
        """The first signal that came."""
        self.quiet = quiet
        self._before: dict[int, Any] = {}

    def asked(self) -> bool:
        """Whether a signal has come."""
        return self.number is not None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) not in (signal.SIG_IGN, None):  # None: not Python's
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def end(self) -> None:
        """End the process as the signal would have ended it: KeyboardInterrupt for Ctrl-C, else SystemExit."""
        if self.number == signal.SIGINT:
            raise KeyboardInterrupt
        if self.number is not None:
            sys.exit(128 + self.number)

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.number is None:
            self.number = number
            if not self.quiet:
                with contextlib.suppress(OSError):  # print could wait for itself here; the terminal may be closed
                    os.write(2, NOTICE)
            return
        self.number = number
        for other in self._before:
            signal.signal(other, signal.SIG_IGN)  # what removes unfinished files now is not to be disturbed
        self.end()
