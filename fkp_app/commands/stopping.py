"""Signals during a training: the first one lets it save and end, a second one ends it at once."""

import contextlib
import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""Ctrl-C, the system that asks a process to end, and a terminal that is closed."""
NOTICE = b"\nstopping: this step is finished and saved; press Ctrl-C again to stop at once, without saving\n"


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
