"""What the SOURCE arguments of a command stand for: images, videos, folders of both, patterns, cameras."""

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fkp_app.errors import FkpError, UsageError
from fkp_app.images import SUFFIXES
from fkp_app.video.reader import VIDEO_SUFFIXES

Kind = Literal["image", "video", "camera"]

CAMERA = "camera:"


@dataclass(frozen=True)
class Source:
    """path: the file, or camera:N; inside: where it lies in the folder that was named, its name alone if itself was."""

    kind: Kind
    path: Path
    inside: Path

    @property
    def camera(self) -> int:
        """The camera's number."""
        return int(str(self.path).removeprefix(CAMERA))

    @property
    def name(self) -> str:
        """As it is printed and written to JSON, where a file's name need not be UTF-8."""
        return os.fsencode(self.path).decode(errors="backslashreplace")


def expand(
    arguments: Sequence[str], recursive: bool = False, leave_out: Path | None = None
) -> tuple[list[Source], list[FkpError]]:
    """All sources that the arguments stand for, in their order, those of a folder by name; and what went wrong.

    recursive: look into folders in folders, too. leave_out: a folder whose files are no sources, since results are
    written there, unless it is itself one of the arguments. UsageError where a camera is named wrongly.
    """
    found: list[Source] = []
    problems: list[FkpError] = []
    for argument in arguments:
        try:
            found += _expand(argument, recursive, leave_out, problems)
        except UsageError:
            raise
        except FkpError as error:
            problems.append(error)
    return found, problems


def _expand(argument: str, recursive: bool, leave_out: Path | None, problems: list[FkpError]) -> list[Source]:
    if argument.startswith(CAMERA):
        if not re.fullmatch(r"\d{1,4}", argument.removeprefix(CAMERA), re.ASCII):
            raise UsageError(f"{argument}: name a camera by its number, as in {CAMERA}0")
        return [Source("camera", Path(argument), Path(argument.replace(":", "-")))]
    path = Path(argument)
    if path.is_dir():
        return _folder(path, recursive, leave_out, problems)
    if os.path.lexists(path) or not glob.has_magic(argument):
        return [_file(path, Path(path.name))]
    matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207 (Path.glob takes no absolute pattern)
    sources = [_file(Path(match), Path(Path(match).name)) for match in matches if _is_source(Path(match))]
    if not sources:
        raise FkpError(f"{argument}: no image or video matches this pattern")
    return sources


def _folder(folder: Path, recursive: bool, leave_out: Path | None, problems: list[FkpError]) -> list[Source]:
    """Images and videos in a folder by their suffix. Links to folders are not followed: they may lead in circles."""
    avoided = leave_out.resolve() if leave_out is not None else None
    unread: list[FkpError] = []
    paths: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=lambda error: unread.append(_unread(error))):
        deeper = [Path(place, name) for name in folders if recursive and not name.startswith(".")]
        folders[:] = [path.name for path in deeper if path.resolve() != avoided]
        paths += [path for path in (Path(place, name) for name in names) if _is_source(path)]
    problems += unread
    if not paths and not unread:
        hint = "" if recursive else "; --recursive looks into the folders in it"
        raise FkpError(f"{folder}: holds no images or videos{hint}")
    return [_file(path, path.relative_to(folder)) for path in sorted(paths)]


def _unread(error: OSError) -> FkpError:
    return FkpError(f"{error.filename}: cannot be read ({error.strerror})")


def _is_source(path: Path) -> bool:
    # Hidden: macOS leaves "._photo.jpg" beside photo.jpg, which is no image.
    return path.suffix.lower() in SUFFIXES | VIDEO_SUFFIXES and not path.name.startswith(".") and path.is_file()


def _file(path: Path, inside: Path) -> Source:
    return Source("video" if path.suffix.lower() in VIDEO_SUFFIXES else "image", path, inside)
