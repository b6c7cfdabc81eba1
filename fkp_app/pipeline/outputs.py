"""Paths of results: never a source, never the same path twice, and checked before the work begins."""

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
"""Names of standard output."""


def make_folder(out: Path, option: str = "--out") -> None:
    """Make the folder that `option` names. UsageError if it is a file or cannot be written to."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"{option} {out}: is a file or lies in one; name a folder") from None
    except OSError as error:
        raise UsageError(f"{option} {out}: cannot be made ({error.strerror}); choose another place") from None
    if not os.access(out, os.W_OK | os.X_OK):
        raise UsageError(f"{option} {out}: cannot be written to; choose another place")


def make_parent(path: Path) -> None:
    """Make the folder of a file. FkpError if that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FkpError(f"{path.parent}: cannot be made ({error.strerror})") from None


def check_file(option: str, path: Path | None) -> None:
    """UsageError if the file that `option` names cannot be written; - is standard output."""
    if str(path) == "-" and sys.stdout is None:
        raise UsageError(f"{option} -: standard output is closed; name a file")
    if path is None or str(path) == "-":
        return
    if path.is_dir():
        raise UsageError(f"{option} {path}: is a folder; name a file")
    if path.exists() and not path.is_file():
        return  # /dev/null or a pipe: it is written to, not replaced
    if not path.parent.is_dir():
        raise UsageError(f"{option} {path}: there is no folder {path.parent}; make it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"{option} {path}: {path.parent} cannot be written to; choose another place")


def check_reports(paths: Mapping[str, Path | None]) -> None:
    """Check files of numbers as `check_file` does. paths: by option.

    UsageError also if two options name one file, or if a file is a picture or video, as in `--json *.jpg`.
    """
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
    """One path in `out` per source: the source's whole name and .png, or .mp4 for a video, so that a.jpg and a.png
    get different paths. Sources found in a folder keep their subfolders.

    If a path is a source, or the path of another result, a number is put before its suffix.
    """
    return _untaken(out, sources, {_identity(source.path) for source in sources})


def crop_paths(folder: Path, sources: Sequence["Source"], others: Sequence[Path | None]) -> list[Path]:
    """One path in `folder` per source, for its faces: each face goes to that path with its number before the suffix.

    None of the numbered paths is a source or one of `others`, the paths of the other results.
    """
    used = {_identity(path) for path in [*(source.path for source in sources), *others] if path is not None}
    faces = {re.sub(r"\.\d+\.png$", ".png", path) for path in used if re.search(r"\.\d+\.png$", path)}
    return _untaken(folder, sources, faces)


def _untaken(out: Path, sources: Sequence["Source"], taken: set[str]) -> list[Path]:
    """One path in `out` per source, none of them in `taken`. The paths are added to `taken`."""
    paths = []
    for source in sources:
        suffix = ".png" if source.kind == "image" else ".mp4"
        number, path = 1, out / f"{source.inside}{suffix}"
        while _identity(path) in taken:
            number += 1
            path = out / f"{source.inside}.{number}{suffix}"
        taken.add(_identity(path))
        paths.append(path)
    return paths


def _identity(path: Path) -> str:
    """Equal for two paths that may be one file: links are followed; case is ignored, as some file systems ignore it."""
    return os.path.realpath(path).casefold()
