"""Writes the content of a pipe to a file: readers seek in files, and a pipe yields every byte only once."""

import re
import stat
import sys
from pathlib import Path
from typing import BinaryIO

from fkp_app.errors import FkpError

MAX_BYTES = 2 << 30
"""Most bytes that are read from a pipe, which may never end."""
PIECE = 1 << 20
"""Bytes per read."""
STDIN = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")


def is_pipe(argument: str) -> bool:
    """Whether an argument is standard input, or a pipe that the shell has opened, as it does for <(command)."""
    if argument in STDIN:
        return True
    if not re.fullmatch(r"/dev/fd/\d+|/proc/self/fd/\d+", argument):
        return False
    try:
        return stat.S_ISFIFO(Path(argument).stat().st_mode)
    except OSError:
        return False


def spooled(argument: str, folder: Path) -> tuple[Path, str, str]:
    """Copy a pipe into a file in `folder`. Returns the file, its name in messages, and the stem of its results' names.

    FkpError if the pipe is a terminal, closed, empty or longer than MAX_BYTES, was named before, or the disk is full.
    """
    stdin = argument in STDIN
    said = "standard input" if stdin else argument
    stem = "stdin" if stdin else f"pipe-{argument.rpartition('/')[2]}"
    target = folder / stem
    if target.exists():
        raise FkpError(f"{said}: can be read once; name it once")
    if stdin and (sys.stdin is None or sys.stdin.isatty()):
        raise FkpError("standard input: is not connected to a file or a pipe; use: fkp COMMAND - < FILE")
    try:
        with (
            open(sys.stdin.fileno() if stdin else argument, "rb", closefd=not stdin) as pipe,
            target.open("xb") as file,
        ):
            _copy(said, pipe, file)
    except (OSError, ValueError) as error:
        raise FkpError(f"{said}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    return target, argument, stem


def _copy(said: str, pipe: BinaryIO, file: BinaryIO) -> None:
    size = 0
    while piece := pipe.read(PIECE):
        size += len(piece)
        if size > MAX_BYTES:
            raise FkpError(f"{said}: holds more than {MAX_BYTES >> 30} GiB; write it to a file and name that")
        file.write(piece)
    if not size:
        raise FkpError(f"{said}: is empty")
