"""Readers with a fault of each kind: the fuzzer must find it."""

import ctypes
import time
from pathlib import Path

from tests.fuzz.reader import Case, Reader

FILE = "file"


def _seeds() -> list[Case]:
    return [{FILE: b"valid" * 20}]


def _unless_valid(path: Path) -> bool:
    return path.read_bytes() == _seeds()[0][FILE]


def _sound(path: Path) -> None:
    if not _unless_valid(path):
        raise ValueError(f"{path}: is damaged")


def _error(path: Path) -> None:
    if not _unless_valid(path):
        raise KeyError("a")


def _lines(path: Path) -> None:
    if not _unless_valid(path):
        raise ValueError("two\nlines")


def _crash(path: Path) -> None:
    if not _unless_valid(path):
        ctypes.string_at(0)


def _hang(path: Path) -> None:
    if not _unless_valid(path):
        time.sleep(60)


def _memory(path: Path) -> None:
    if not _unless_valid(path):
        assert len(b"x" * (100 << 20))


def _pieces(path: Path) -> None:
    """Memory in pieces, which the C library keeps for the next file: reading twice takes no more than once."""
    if not _unless_valid(path):
        kept = [b"x" * 50_000 for _ in range(2000)]
        assert len(kept) == 2000


def _no_memory(path: Path) -> None:
    try:
        assert _unless_valid(path) or bytearray(1 << 40)
    except MemoryError:
        raise ValueError("needs more memory than there is") from None


PLANTED = {
    reader.name: reader
    for reader in (
        Reader("sound", _seeds, FILE, _sound, (ValueError,)),
        Reader("invalid seed", lambda: [{FILE: b"no"}], FILE, _sound, (ValueError,)),
        Reader("error", _seeds, FILE, _error, (ValueError,)),
        Reader("lines", _seeds, FILE, _lines, (ValueError,)),
        Reader("crash", _seeds, FILE, _crash, (ValueError,)),
        Reader("hang", _seeds, FILE, _hang, (ValueError,), seconds=2),
        Reader("memory", _seeds, FILE, _memory, (ValueError,), memory=50),
        Reader("pieces", _seeds, FILE, _pieces, (ValueError,), memory=50),
        Reader("no memory", _seeds, FILE, _no_memory, (ValueError,)),
    )
}
