"""Files that are either whole or not there, and paths that are files at all."""

import errno
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
LONGEST_STEM, LONGEST_SUFFIX = 16, 16
"""Characters of a name that its temporary one keeps: the whole name may be as long as the file system allows."""


def not_a_file(path: str | Path) -> str | None:
    """What stands in the way of reading `path` as a file: "no such file", "is a pipe, not a file", ...; None if nothing.

    Links are followed. A pipe or a device must not be opened at all: reading it may never end.
    """
    try:
        mode = Path(path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "no such file"
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        return f"cannot be read ({getattr(error, 'strerror', None) or error})"
    return None if stat.S_ISREG(mode) else f"is {KINDS.get(stat.S_IFMT(mode), 'something else')}, not a file"


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`, with its suffix; moved to `path` at the end, or removed where the body failed.

    So a crash, of the machine as well, leaves the old file or the new one, never half of one. OSError where nothing
    can be written there, or a pipe or a device has that name.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, f"this {not_a_file(path)}", str(path))
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=_prefix(path), suffix=_suffix(path))
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes files that only their owner may read
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # else the new name may reach the disk before what it names
        temporary.replace(path)
        sync_directory(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def leftovers(path: str | Path) -> list[Path]:
    """Temporary files that processes killed inside `atomic(path)` have left, and those that live ones are writing."""
    path = Path(path)
    pattern = re.compile(rf"{re.escape(_prefix(path))}[a-z0-9_]{{8}}{re.escape(_suffix(path))}")
    return sorted(entry for entry in path.parent.iterdir() if pattern.fullmatch(entry.name))


def sync_directory(directory: Path) -> None:
    """Have the names in a directory on the disk, where the system can do so."""
    with suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _prefix(path: Path) -> str:
    return f".{path.stem[:LONGEST_STEM]}."


def _suffix(path: Path) -> str:
    """What tells those who write which format is meant; no format has a long one."""
    return path.suffix if len(path.suffix) <= LONGEST_SUFFIX else ""


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
