"""Where results go: never over a source, never two in one place, and known to work before the work begins."""

import os
from collections.abc import Sequence
from pathlib import Path

from fkp_app.errors import UsageError


def make_folder(out: Path) -> None:
    """Make the folder that --out names. UsageError where it is a file or nothing can be written there."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"--out {out}: is a file or lies in one; name a folder") from None
    except OSError as error:
        raise UsageError(f"--out {out}: cannot be made ({error.strerror}); choose another place") from None
    if not os.access(out, os.W_OK | os.X_OK):
        raise UsageError(f"--out {out}: cannot be written to; choose another place")


def check_file(option: str, path: Path | None) -> None:
    """UsageError where the file that `option` names cannot come to be; - is standard output."""
    if path is None or str(path) == "-":
        return
    if path.is_dir():
        raise UsageError(f"{option} {path}: is a folder; name a file")
    if not path.parent.is_dir():
        raise UsageError(f"{option} {path}: there is no folder {path.parent}; make it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"{option} {path}: {path.parent} cannot be written to; choose another place")


def picture_paths(out: Path, sources: Sequence[Path]) -> list[Path]:
    """A file in `out` for the picture of each source: its name with .png put behind, so that a.jpg and a.png differ.

    A number comes before .png where that file is a source, or the picture of another (two folders, one name).
    """
    taken = {_same(source) for source in sources}
    paths = []
    for source in sources:
        number, path = 1, out / f"{source.name}.png"
        while _same(path) in taken:
            number += 1
            path = out / f"{source.name}.{number}.png"
        taken.add(_same(path))
        paths.append(path)
    return paths


def _same(path: Path) -> str:
    """Equal for paths that may be one file: links followed, and case aside, which not every file system tells apart."""
    return str(path.resolve()).casefold()
