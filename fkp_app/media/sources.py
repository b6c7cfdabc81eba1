"""What the SOURCE arguments of a command stand for: images, videos, folders of both, patterns, cameras, a pipe."""

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
STREAMS_OF_JPEG = (".mjpeg", ".mjpg")
"""Videos that begin as a JPEG does."""


@dataclass(frozen=True)
class Source:
    """path: the file, or camera:N; inside: where it lies in the folder that was named, its name alone if itself was;
    called: what stands for the path in lines and results, where the file is one of ours."""

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
        """As it is printed and written to JSON, where a file's name need not be UTF-8."""
        return self.called or os.fsencode(self.path).decode(errors="backslashreplace")

    def words(self, text: str) -> str:
        """A line about the file, with the name that the user knows."""
        return text if self.called is None else text.replace(str(self.path), self.called)


@dataclass
class Expanded:
    """All sources that arguments stand for, in their order, those of a folder by name; what went wrong, a line each;
    and what one should know, a line each."""

    sources: list[Source]
    problems: list[str]
    notes: list[str]


def expand(
    arguments: Sequence[str],
    recursive: bool = False,
    leave_out: Collection[Path] = (),
    spool: Path | None = None,
) -> Expanded:
    """What the arguments stand for.

    recursive: look into folders in folders, too. leave_out: folders whose files are no sources, since results are
    written there, unless one is itself an argument. spool: an existing folder for what a pipe holds; pipes are a
    problem where it is None. UsageError where a camera is named wrongly.
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
    once = {os.path.abspath(source.path): source for source in reversed(found)}  # noqa: PTH100 (links are names, too)
    sources = [source for source in found if once.get(os.path.abspath(source.path)) is source]  # noqa: PTH100
    left_out.twice = len(found) - len(sources)
    said = [left_out.line(), _against_their_names(sources)]
    return Expanded(sources, problems, [line for line in said if line])


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
        argument = os.path.expanduser(argument)  # noqa: PTH111 (which keeps it where there is no such home)
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
    """Whether a match of a pattern lies neither among results nor in a folder of the system's own, unless the pattern
    names that folder or begins below it."""
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
    """FkpError for what is no path at all."""
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
    """FkpError for what has no end, or would wait for somebody to write."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return  # whoever reads it says so
    except OSError as error:
        raise FkpError(f"{path}: cannot be read ({error.strerror})") from None
    if stat.S_ISFIFO(mode):
        raise FkpError(f"{path}: is a pipe; use - as the source, and < {path}")
    if not stat.S_ISREG(mode):
        raise FkpError(f"{path}: is a device or socket, not a file; name an image, a video or a folder")


def _file(path: Path, inside: Path) -> Source:
    return Source(_kind(path), path, inside)


def _kind(path: Path) -> Kind:
    """By the content; where that is unknown, by the suffix; where that is unknown, too, by trying."""
    suffix, head = path.suffix.lower(), read_head(path)
    if suffix in STREAMS_OF_JPEG and head.startswith(b"\xff\xd8"):
        return "video"
    known = content_kind(head) or _kind_by_suffix(suffix)
    if known is not None:
        return known
    if b"\0" not in head or is_archive(head):  # text, which FFmpeg would show as a film of letters
        return "image"
    try:
        with open_video(path):
            return "video"
    except VideoError:
        return "image"


def _kind_by_suffix(suffix: str) -> Kind | None:
    return "video" if suffix in VIDEO_SUFFIXES else "image" if suffix in SUFFIXES else None


def _against_their_names(sources: Sequence[Source]) -> str | None:
    """A line about the files whose content is not what their names say."""
    other = [one for one in sources if _kind_by_suffix(one.path.suffix.lower()) not in (None, one.kind, "camera")]
    if not other:
        return None
    what = "a video" if other[0].kind == "video" else "an image"
    more = f"; likewise {count_of(len(other) - 1, 'other file')}" if len(other) > 1 else ""
    return f"{other[0].name}: is {what}, whatever its name says, and is read as one{more}"
