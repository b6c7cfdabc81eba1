"""A directory that one process at a time works in."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from fkp_app.errors import UsageError

LOCK = ".lock"


@contextlib.contextmanager
def locked(directory: Path, command: str, notes: list[str] | None = None) -> Iterator[None]:
    """Make `directory` if it is missing, and hold it: a second process is refused until this one ends, however it ends.

    The system lets go of the lock when its process dies, so none is ever stale. At the end the file LOCK goes, and so
    do the directories that were made here and are still empty. command: what to call those who work there. UsageError
    where another process holds it, OSError where nothing can be written there. A file system without locks is a line
    appended to `notes`.
    """
    made = _make(directory)
    try:
        handle = _hold(directory / LOCK, f"{directory}: another {command} is at work there; wait for its end", notes)
        try:
            yield
        finally:
            _let_go(directory / LOCK, handle)
    finally:
        with contextlib.suppress(OSError):  # not empty
            for path in reversed(made):
                path.rmdir()


def _make(directory: Path) -> list[Path]:
    """Make a directory; those that were missing, the outermost first."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()][::-1]
    directory.mkdir(parents=True, exist_ok=True)
    return missing


def _hold(path: Path, refusal: str, notes: list[str] | None) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(handle)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                os.close(handle)
                raise UsageError(refusal) from None
            if notes is not None:
                notes.append(f"{path.parent}: cannot be locked ({error.strerror}); let no other process work there")
            return handle
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        os.close(handle)  # whoever held it before has just removed the file: another process would lock a new one


def _let_go(path: Path, handle: int) -> None:
    if sys.platform == "win32":  # where an open file cannot be removed
        os.close(handle)
    with contextlib.suppress(OSError):
        path.unlink()
    if sys.platform != "win32":
        os.close(handle)


def _lock(handle: int) -> None:
    """Lock an open file, at once or not at all."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
