"""Where results go: never over a source, never two in one place, and known to work before the work begins."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fkp_app.errors import FkpError, UsageError
from fkp_app.media.content import content_kind, read_head

if TYPE_CHECKING:
    from fkp_app.media.sources import Source


STDOUT = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
"""What names standard output."""


def make_folder(out: Path, option: str = "--out") -> None:
    """Make the folder that `option` names. UsageError where it is a file or nothing can be written there."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"{option} {out}: is a file or lies in one; name a folder") from None
    except OSError as error:
        raise UsageError(f"{option} {out}: cannot be made ({error.strerror}); choose another place") from None
    if not os.access(out, os.W_OK | os.X_OK):
        raise UsageError(f"{option} {out}: cannot be written to; choose another place")


def make_parent(path: Path) -> None:
    """Make the folder that a file is to lie in. FkpError where that cannot be done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FkpError(f"{path.parent}: cannot be made ({error.strerror})") from None


def check_file(option: str, path: Path | None) -> None:
    """UsageError where the file that `option` names cannot come to be; - is standard output."""
    if str(path) == "-" and sys.stdout is None:
        raise UsageError(f"{option} -: standard output is closed; name a file")
    if path is None or str(path) == "-":
        return
    if path.is_dir():
        raise UsageError(f"{option} {path}: is a folder; name a file")
    if path.exists() and not path.is_file():
        return  # /dev/null or a pipe, which is written to and not replaced
    if not path.parent.is_dir():
        raise UsageError(f"{option} {path}: there is no folder {path.parent}; make it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"{option} {path}: {path.parent} cannot be written to; choose another place")


def check_reports(paths: Mapping[str, Path | None]) -> None:
    """The same for files of numbers, by their options: each a file of its own, and none in the place of a picture or
    video, which `--json *.jpg` would name."""
    options: dict[Path, str] = {}
    for option, path in paths.items():
        check_file(option, path)
        if path is None or str(path) == "-" or (path.exists() and not path.is_file()):
            continue
        if path.exists() and content_kind(read_head(path)) is not None:
            raise UsageError(f"{option} {path}: is an image or a video, which is not written over; name another file")
        if (other := options.setdefault(path.resolve(), option)) != option:
            raise UsageError(f"{other} and {option} name one file, {path}; give each its own")


def target_paths(out: Path, sources: Sequence["Source"]) -> list[Path]:
    """A file in `out` for what becomes of each source: its name with .png, for a video .mp4, put behind, so that a.jpg
    and a.png differ; below a folder that was searched, in the same folders.

    A number comes before the suffix where that file is a source, or another's (two folders, one name).
    """
    return _untaken(out, sources, {_same(source.path) for source in sources})


def crop_paths(folder: Path, sources: Sequence["Source"], others: Sequence[Path | None]) -> list[Path]:
    """The same for faces cut out, each of which goes to such a path with its number before the suffix: none of these
    is a source, or one of the other results."""
    used = {_same(path) for path in [*(source.path for source in sources), *others] if path is not None}
    faces = {re.sub(r"\.\d+\.png$", ".png", path) for path in used if re.search(r"\.\d+\.png$", path)}
    return _untaken(folder, sources, faces)


def _untaken(out: Path, sources: Sequence["Source"], taken: set[str]) -> list[Path]:
    """A path in `out` for each source; none is in `taken`, to which they are added."""
    paths = []
    for source in sources:
        suffix = ".png" if source.kind == "image" else ".mp4"
        number, path = 1, out / f"{source.inside}{suffix}"
        while _same(path) in taken:
            number += 1
            path = out / f"{source.inside}.{number}{suffix}"
        taken.add(_same(path))
        paths.append(path)
    return paths


def _same(path: Path) -> str:
    """Equal for paths that may be one file: links followed, and case aside, which not every file system tells apart."""
    return os.path.realpath(path).casefold()
