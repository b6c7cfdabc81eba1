"""Turns the SOURCE arguments of a command into sources: images, videos, folders of both, patterns, cameras, a pipe."""

import glob
import os
import re
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fkp_app.errors import FkpError, UsageError, one_file
from fkp_app.media.content import content_kind, is_archive, read_head
from fkp_app.media.folders import LeftOut, in_folder, is_source, is_system_folder
from fkp_app.media.images import SUFFIXES
from fkp_app.media.spool import is_pipe, spooled
from fkp_app.media.video.codecs import VideoError
from fkp_app.media.video.reader import VIDEO_SUFFIXES, open_video
from fkp_app.wording import count_of

Kind = Literal["image", "video", "camera"]

CAMERA = "camera:"
MOTION_JPEG_SUFFIXES = (".mjpeg", ".mjpg")
"""Suffixes of videos that are JPEGs in a row, and so begin as a JPEG does."""


@dataclass(frozen=True)
class Source:
    """One file or camera to process.

    path: the file, or camera:N. inside: the path below the folder that the user named; the file's name if the user
    named the file. called: the name in messages and results of a file that we made from a pipe; None: the path.
    """

    kind: Kind
    path: Path
    inside: Path
    called: str | None = None

    @property
    def camera(self) -> int:
        """The camera's number."""
        return int(str(self.path).removeprefix(CAMERA))

    @property
    def name(self) -> str:
        """The name as printed and as written to JSON: bytes that are not UTF-8 are escaped."""
        return self.called or os.fsencode(self.path).decode(errors="backslashreplace")

    def words(self, text: str) -> str:
        """A line about the file, with the path replaced by the name that the user knows."""
        return text if self.called is None else text.replace(str(self.path), self.called)


@dataclass
class Expanded:
    """What the arguments stand for.

    sources: in the order of the arguments, those of one folder sorted by path; problems: one line per argument or
    folder that failed; notes: one line per fact that the user should know.
    """

    sources: list[Source]
    problems: list[str]
    notes: list[str]


def expand(
    arguments: Sequence[str],
    recursive: bool = False,
    leave_out: Collection[Path] = (),
    spool: Path | None = None,
) -> Expanded:
    """Find all sources that the arguments stand for.

    recursive: also look into folders in folders. leave_out: folders that results are written to, whose files are no
    sources unless such a folder is itself an argument. spool: an existing folder for the content of pipes; if None, a
    pipe is a problem. UsageError if a camera's name is malformed.
    """
    found, problems, left_out = list[Source](), list[str](), LeftOut()
    avoided = {os.path.realpath(folder) for folder in leave_out}
    cameras = {argument: _camera(argument) for argument in arguments if argument.startswith(CAMERA)}
    for argument in arguments:
        if argument in cameras:
            found.append(cameras[argument])
            continue
        with one_file(argument or "''", problems):
            found += _expand(argument, recursive, avoided, left_out, problems, spool)
    first_named = {os.path.abspath(source.path): source for source in reversed(found)}  # noqa: PTH100 (a link counts as a name of its own)
    sources = [source for source in found if first_named.get(os.path.abspath(source.path)) is source]  # noqa: PTH100
    left_out.twice = len(found) - len(sources)
    notes = [left_out.line(), _misnamed(sources)]
    return Expanded(sources, problems, [line for line in notes if line])


def _camera(argument: str) -> Source:
    if not re.fullmatch(r"\d{1,4}", argument.removeprefix(CAMERA), re.ASCII):
        raise UsageError(f"{argument}: name a camera by its number, as in {CAMERA}0")
    return Source("camera", Path(argument), Path(argument.replace(":", "-")))


def _expand(
    argument: str, recursive: bool, avoided: Collection[str], left_out: LeftOut, problems: list[str], spool: Path | None
) -> list[Source]:
    if not argument:
        raise FkpError("'': is an empty name; name an image, a video or a folder, . for this one")
    if is_pipe(argument):
        if spool is None:
            raise FkpError(f"{argument}: is a pipe; write what it holds to a file and name that")
        path, called, stem = spooled(argument, spool)
        return [Source(_kind(path), path, Path(stem), called)]
    if not os.path.lexists(argument):
        _refuse_address(argument)
        argument = os.path.expanduser(argument)  # noqa: PTH111 (unlike Path.expanduser, it keeps ~name if there is no such home)
    path = Path(argument)
    if os.path.isdir(path):  # noqa: PTH112 (Path.is_dir raises some errors)
        return [_file(one, one.relative_to(path)) for one in in_folder(path, recursive, avoided, left_out, problems)]
    if os.path.lexists(path) or not glob.has_magic(argument):
        _refuse_device(path)
        return [_file(path, Path(path.name))]
    matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207 (Path.glob takes no absolute pattern)
    paths = [Path(match) for match in matches]
    sources = [
        _file(path, Path(path.name))
        for path in paths
        if _is_wanted(path, argument, avoided, left_out) and is_source(path, left_out)
    ]
    if not sources:
        raise FkpError(f"{argument}: no image or video matches this pattern")
    return sources


def _is_wanted(match: Path, pattern: str, avoided: Collection[str], left_out: LeftOut) -> bool:
    """Whether a match of a pattern counts: it must not lie in a folder of results or a system folder, unless the
    pattern names that folder or begins below it."""
    parts = Path(pattern).parts
    begin = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    for folder in match.parents:
        if len(folder.parts) <= begin or folder.name in parts:
            continue
        if is_system_folder(folder):
            left_out.folders.add(folder)
            return False
        if avoided and os.path.realpath(folder) in avoided:
            return False
    return True


def _refuse_address(argument: str) -> None:
    """FkpError if the argument is an address or data instead of a path."""
    scheme, separator, _ = argument.partition("://")
    if argument.lower().startswith("data:"):
        raise FkpError(f"{argument[:20]}...: is data, not a file; write it to a file and name that")
    if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]+", scheme):
        return
    scheme = scheme.lower()
    if scheme == "file":
        raise FkpError(f"{argument}: is an address; name the file by its path, without file://")
    if scheme in ("rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "srt", "tcp", "mms"):
        raise FkpError(f"{argument}: is a stream, which is not read here; record it to a file and name that")
    raise FkpError(f"{argument}: is an address, and nothing is fetched here; download the file and name that")


def _refuse_device(path: Path) -> None:
    """FkpError for pipes, devices and sockets, which have no end or wait until somebody writes."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return  # reading it reports so
    except OSError as error:
        raise FkpError(f"{path}: cannot be read ({error.strerror})") from None
    if stat.S_ISFIFO(mode):
        raise FkpError(f"{path}: is a pipe; use - as the source, and < {path}")
    if not stat.S_ISREG(mode):
        raise FkpError(f"{path}: is a device or socket, not a file; name an image, a video or a folder")


def _file(path: Path, inside: Path) -> Source:
    return Source(_kind(path), path, inside)


def _kind(path: Path) -> Kind:
    """A file's kind: by its content; if that is unknown, by its suffix; if that is unknown, too, by opening it."""
    suffix, head = path.suffix.lower(), read_head(path)
    if suffix in MOTION_JPEG_SUFFIXES and head.startswith(b"\xff\xd8"):
        return "video"
    known = content_kind(head) or _kind_by_suffix(suffix)
    if known is not None:
        return known
    if b"\0" not in head or is_archive(head):  # FFmpeg would show text as a film of letters
        return "image"
    try:
        with open_video(path):
            return "video"
    except VideoError:
        return "image"


def _kind_by_suffix(suffix: str) -> Kind | None:
    return "video" if suffix in VIDEO_SUFFIXES else "image" if suffix in SUFFIXES else None


def _misnamed(sources: Sequence[Source]) -> str | None:
    """A line about the files whose content is not what their suffix says; None if there are none."""
    other = [one for one in sources if _kind_by_suffix(one.path.suffix.lower()) not in (None, one.kind, "camera")]
    if not other:
        return None
    what = "a video" if other[0].kind == "video" else "an image"
    more = f"; likewise {count_of(len(other) - 1, 'other file')}" if len(other) > 1 else ""
    return f"{other[0].name}: is {what}, whatever its name says, and is read as one{more}"
