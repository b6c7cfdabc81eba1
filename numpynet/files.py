"""Files that are either whole or not there, and paths that are files at all."""

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
"""What the names of temporary files begin with; they are short, so that a file may have the longest name there is."""
LONGEST_SUFFIX = 64
"""In bytes. No format has a longer suffix; a temporary file does without one that is longer."""
CLOSED, LOST = -1, -2
"""In place of a file's handle."""


def not_a_file(path: str | Path) -> str | None:
    """What stands in the way of reading `path` as a file, as in "is a pipe, not a file"; None if nothing does.

    Links are followed. A pipe or a device must not be opened at all: reading it may never end.
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
    """A temporary path beside `path`, with its suffix; moved to `path` at the end, or removed where the body failed.

    So a crash leaves the old file or the new one, never half of one. durable: also a crash of the machine; waiting for
    the disk takes some milliseconds. OSError where nothing can be written there, or a pipe or a device has that name.
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
    """Remove the temporary files of processes that were killed from a folder, and say how many there were.

    A living process holds a lock on each of its own, which these keep. Where files cannot be locked (Windows, some
    file systems) nothing is removed.
    """
    if sys.platform == "win32":
        return 0
    removed = 0
    for path in Path(folder).glob(f"{PREFIX}*"):
        with suppress(OSError):  # it went meanwhile, is not ours to touch, or is held
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
                removed += 1
            finally:
                os.close(handle)
    return removed


def sync_directory(directory: Path) -> None:
    """Have the names in a directory on the disk, where the system can do so."""
    with suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _temporary(folder: Path, suffix: str) -> Iterator[Path]:
    """A new file, locked for as long as this process lives and is in the body; gone after it.

    Its name is chosen before it is made, and it is removed twice over: a signal may come between any two steps.
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
    """A new file's handle, which holds its lock; LOST where somebody took the file for a leftover before that."""
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
