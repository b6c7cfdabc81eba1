"""The private folder in which a page keeps its visitors' files; it is removed when the page ends."""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "fkp-web-"
SETTLED = 10.0
"""Seconds after which a page has certainly locked its new folder."""
ENVIRONMENT = {
    # Gradio and its packages read these when they are imported; with them they report to nobody.
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_SHARE": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    # Without these Gradio makes a table of the last 10,000 events after each event, and loads pandas for it.
    "GRADIO_ANALYTICS_MAX_EVENTS": "1",
    "GRADIO_ANALYTICS_CACHE_FREQUENCY": str(10**18),
}


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder for this process only; Gradio is told to use it. It is removed at the end, also on SIGTERM and Ctrl-C.

    Folders left by pages that were killed are removed first. SystemExit (143) on SIGTERM and if the terminal is closed.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    remove_abandoned(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
    lock = _lock(folder)
    try:
        places = {"GRADIO_TEMP_DIR": str(folder), "GRADIO_EXAMPLES_CACHE": str(folder / "examples")}
        os.environ.update(ENVIRONMENT | places)
        yield folder
    finally:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_IGN)
        remove(folder)
        if lock is not None:
            os.close(lock)


def remove(folder: Path) -> None:
    """Remove a page's folder. It is renamed first, so that a thread that still runs cannot write into it."""
    gone = folder.with_name(f"{folder.name}.gone")
    with contextlib.suppress(OSError):
        folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def remove_abandoned(place: Path) -> None:
    """Remove folders of pages that no longer run. A running page holds a lock, which ends with its process."""
    for folder in place.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            settled = time.time() - folder.stat().st_mtime > SETTLED
            lock = _lock(folder) if settled else None
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


def _lock(folder: Path) -> int | None:
    """Lock a folder; returns the descriptor. None if another process holds the lock, or the system has none."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
