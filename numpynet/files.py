"""Files that are either whole or not there."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl

PREFIX = ".numpynet-"
"""What the names of temporary files begin with; they are short, so that a file may have the longest name there is."""
LONGEST_SUFFIX = 64
"""In bytes. No format has a longer suffix; a temporary file does without one that is longer."""


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`, with its suffix; moved to `path` at the end, or removed where the body failed.

    So a crash leaves the old file or the new one, never half of one. OSError where nothing can be written there.
    """
    path = Path(path)
    suffix = path.suffix if len(os.fsencode(path.suffix)) <= LONGEST_SUFFIX else ""
    with _temporary(path.parent, suffix) as temporary:
        try:
            yield temporary
            temporary.chmod(0o666 & ~_umask())  # mkstemp makes files that only their owner may read
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def remove_leftovers(folder: str | Path) -> int:
    """Remove the temporary files of processes that were killed from a folder, and say how many there were.

    A living process holds a lock on each of its own, which these keep. Where files cannot be locked (Windows, some
    file systems) nothing is removed.
    """
    if sys.platform == "win32":
        return 0
    removed = 0
    for path in Path(folder).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # it went meanwhile, is not ours to touch, or is held
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
                removed += 1
            finally:
                os.close(handle)
    return removed


@contextmanager
def _temporary(folder: Path, suffix: str) -> Iterator[Path]:
    """A new file, locked for as long as this process lives and is in the body."""
    while True:
        handle, name = tempfile.mkstemp(dir=folder, prefix=PREFIX, suffix=suffix)
        if sys.platform == "win32":  # where an open file cannot be moved
            os.close(handle)
            yield Path(name)
            return
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(handle).st_nlink:  # else somebody took it for a leftover before it was locked
            break
        os.close(handle)
    try:
        yield Path(name)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
