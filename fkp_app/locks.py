"""A lock on a directory, so that only one process at a time works in it."""

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
    """Make `directory` if it is missing, and lock it while the body runs.

    However the process ends, the system releases the lock, so no lock is ever stale. After the body, the file LOCK is
    removed, and so are the directories that were made here and are still empty.

    command: the name of the command that works there, for the message. notes: gets one line if the file system has no
    locks. UsageError if another process has the lock, OSError if the directory cannot be written.
    """
    made = _make(directory)
    try:
        handle = _hold(directory / LOCK, f"{directory}: another {command} is at work there; wait until it ends", notes)
        try:
            yield
        finally:
            _let_go(directory / LOCK, handle)
    finally:
        with contextlib.suppress(OSError):  # not empty
            for path in reversed(made):
                path.rmdir()


def _make(directory: Path) -> list[Path]:
    """Make a directory and its missing parents. Returns those that were missing, the outermost first."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()][::-1]
    directory.mkdir(parents=True, exist_ok=True)
    return missing


def _hold(path: Path, refusal: str, notes: list[str] | None) -> int:
    """Open the lock file `path` and lock it. Returns its handle. UsageError if another process has the lock."""
    while True:
        # A directory that somebody else made may hold a link here: no file elsewhere is to be made or opened.
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
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
        os.close(handle)  # the last holder has just removed this file: a third process would lock a new one


def _let_go(path: Path, handle: int) -> None:
    """Remove the lock file and close its handle, which releases the lock."""
    if sys.platform == "win32":  # Windows cannot remove an open file
        os.close(handle)
    with contextlib.suppress(OSError):
        path.unlink()
    if sys.platform != "win32":
        os.close(handle)


def _lock(handle: int) -> None:
    """Lock an open file without waiting. OSError if another process has locked it, or it cannot be locked."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
