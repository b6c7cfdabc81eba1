"""Writes files whole or not at all, and tells paths that are no files."""

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
PREFIX = ".numpynet-"
"""The names of temporary files start with this. They are short: the file itself may have the longest possible name."""
LONGEST_SUFFIX = 64
"""In bytes. No format has a longer suffix; a temporary file drops one that is longer."""
CLOSED, LOST = -1, -2
"""Stand for a file handle: the file is closed; the file was taken for a leftover and removed."""


def not_a_file(path: str | Path) -> str | None:
    """Why `path` cannot be read as a file, such as "is a pipe, not a file"; None if it can.

    Links are followed. A pipe or a device must not even be opened: reading it may never end.
    """
    try:
        mode = Path(path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        address = re.match(r"[A-Za-z][A-Za-z0-9+]+:/", str(path))  # Path makes one slash of two
        return "no such file (from an address nothing is fetched: download it first)" if address else "no such file"
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        return f"cannot be read ({getattr(error, 'strerror', None) or error})"
    return None if stat.S_ISREG(mode) else f"is {KINDS.get(stat.S_IFMT(mode), 'something else')}, not a file"


@contextmanager
def atomic(path: str | Path, durable: bool = True) -> Iterator[Path]:
    """A temporary path beside `path`, with its suffix; moved to `path` at the end, or removed if the body fails.

    So a crash leaves the old file or the new one, never half of one. durable: the same after a crash of the machine,
    which costs some milliseconds of waiting for the disk. OSError if nothing can be written there, or if `path` is a
    pipe or a device.
    """
    path = Path(path)
    if path.is_relative_to("/dev"):  # /dev/stdout and its like are links, which the whole system needs
        path = path.resolve()
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, f"this {not_a_file(path)}", str(path))
    suffix = path.suffix if len(os.fsencode(path.suffix)) <= LONGEST_SUFFIX else ""
    with _temporary(path.parent, suffix) as temporary:
        yield temporary
        if durable:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())  # else the new name may reach the disk before what it names
        temporary.replace(path)
        if durable:
            sync_directory(path.parent)


def remove_leftovers(folder: str | Path) -> int:
    """Remove from a folder the temporary files of killed processes; returns their number.

    A living process holds a lock on each of its own files, and those stay. If files cannot be locked (Windows, some
    file systems), nothing is removed.
    """
    if sys.platform == "win32":
        return 0
    removed = 0
    for path in Path(folder).glob(f"{PREFIX}*"):
        with suppress(OSError):  # it has gone meanwhile, belongs to another user, or is locked
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
                removed += 1
            finally:
                os.close(handle)
    return removed


def sync_directory(directory: Path) -> None:
    """Write the names in a directory to the disk, if the system can do so."""
    with suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _temporary(folder: Path, suffix: str) -> Iterator[Path]:
    """A new file, locked while the process is in the body, and removed afterwards.

    The name is chosen before the file is made, and the removal stands twice: a signal may come between any two steps.
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
    """The handle of a new file, which holds its lock; LOST if another process removed the file before that."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    if sys.platform == "win32":  # where an open file cannot be moved
        os.close(handle)
        return CLOSED
    with suppress(OSError):  # a file system without locks
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if os.fstat(handle).st_nlink:
        return handle
    os.close(handle)
    return LOST
