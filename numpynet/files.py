"""Writes files so that a failure never leaves half of one, and says why a path cannot be read as a file."""

import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
"""What a path is if it is not a file, for messages."""
PREFIX = ".numpynet-"
"""Start of the names of temporary files. The file's own name is no part of them: it may be of the greatest length."""
LONGEST_SUFFIX = 64
"""In bytes. No format has a longer suffix; a temporary file gets no suffix if it would be longer."""
CLOSED, LOST = -1, -2
"""In place of a file handle: the file is closed; another process took the file for a leftover and removed it."""


def not_a_file(path: str | Path) -> str | None:
    """Why `path` cannot be read as a file, such as "is a pipe, not a file"; None if it can.

    Links are followed. A pipe or a device must not even be opened: reading it may never end.
    """
    try:
        mode = Path(path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        address = re.match(r"[A-Za-z][A-Za-z0-9+]+:/", str(path))  # Path turns "//" into "/"
        return "no such file (an address is not downloaded: do that first)" if address else "no such file"
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        return f"cannot be read ({getattr(error, 'strerror', None) or error})"
    return None if stat.S_ISREG(mode) else f"is {KINDS.get(stat.S_IFMT(mode), 'something else')}, not a file"


@contextmanager
def atomic(path: str | Path, durable: bool = True) -> Iterator[Path]:
    """Yields a temporary path beside `path`, with the same suffix. It is moved to `path` when the body ends, or removed
    if the body fails.

    So a crash of the process leaves the old file or the new one, never half of one. durable: whether this also holds
    for a crash of the machine; it costs some milliseconds of waiting for the disk. OSError if nothing can be written
    there, or if `path` is a pipe, a device or a directory.
    """
    path = Path(path)
    if path.is_relative_to("/dev"):  # links such as /dev/stdout must not be replaced: the whole system uses them
        path = path.resolve()
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, f"this {not_a_file(path)}", str(path))
    suffix = path.suffix if len(os.fsencode(path.suffix)) <= LONGEST_SUFFIX else ""
    with _temporary(path.parent, suffix) as temporary:
        yield temporary
        if durable:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())  # otherwise the new name may reach the disk before the content
        temporary.replace(path)
        if durable:
            sync_directory(path.parent)


def remove_leftovers(folder: str | Path) -> int:
    """Remove from a folder the temporary files of killed processes; returns their number.

    A running process holds a lock on each of its own files, so those stay. If files cannot be locked
    (Windows, some file systems), nothing is removed.
    """
    if sys.platform == "win32":
        return 0
    removed = 0
    for path in Path(folder).glob(f"{PREFIX}*"):
        with suppress(OSError):  # it is gone, belongs to another user, or is locked
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
                removed += 1
            finally:
                os.close(handle)
    return removed


def sync_directory(directory: Path) -> None:
    """Make the system write a directory's list of names to the disk, if it can."""
    with suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _temporary(folder: Path, suffix: str) -> Iterator[Path]:
    """Yields a new file, which is locked during the body and removed afterwards.

    A signal may raise between any two lines. So the name is chosen before the file exists, and it is removed in two
    places.
    """
    path, handle = folder / f"{PREFIX}{secrets.token_hex(8)}{suffix}", LOST
    try:
        try:
            while handle == LOST:
                handle = _locked(path)
            yield path
        finally:
            path.unlink(missing_ok=True)
    finally:
        path.unlink(missing_ok=True)
        if handle >= 0:
            os.close(handle)


def _locked(path: Path) -> int:
    """Make a file and lock it. Returns its handle; CLOSED on Windows; LOST if another process has removed it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    if sys.platform == "win32":  # Windows cannot move an open file
        os.close(handle)
        return CLOSED
    with suppress(OSError):  # a file system without locks
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if os.fstat(handle).st_nlink:
        return handle
    os.close(handle)
    return LOST
