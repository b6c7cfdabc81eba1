"""Finds the images and videos in a folder, and reports in one line what it left out."""

import errno
import os
import stat
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from fkp_app.errors import FkpError
from fkp_app.media.content import content_kind, read_head
from fkp_app.media.images import SUFFIXES
from fkp_app.media.video.reader import VIDEO_SUFFIXES

SYSTEM_FOLDERS = frozenset(
    [
        *("@eadir", "@tmp", "@sharebin", "#snapshot"),  # Synology: thumbnails of every photo, and system files
        *("@recycle", "@recently-snapshot", "#recycle"),  # QNAP, Synology: deleted files
        *("@transcode", "~snapshot", "trashbox"),  # QNAP, NetApp, Buffalo
        *("$recycle.bin", "recycler", "system volume information", "found.000"),  # Windows
        *("__macosx", "lost+found", "network trash folder", "temporary items"),  # macOS, Linux
    ]
)
"""Names, in lower case, of folders that systems make beside photos. They hold copies and deleted files."""
LIBRARIES = (".photoslibrary", ".photolibrary", ".migratedphotolibrary", ".aplibrary")
"""Suffixes of the folders in which macOS keeps photos: the originals in one subfolder, smaller copies in the others."""
LIBRARY_ORIGINALS = ("originals", "masters")
AMBIGUOUS_SUFFIXES = frozenset([".ts", ".mts", ".mod", ".tod", ".dat", ".ogg"])
"""Suffixes of videos that other files have, too (TypeScript, for example): in a folder the content decides."""
PHOTO_FORMATS = frozenset(
    [
        *(".heic", ".heif", ".hif", ".avif", ".avci", ".jxl", ".jxr", ".wdp", ".hdp", ".jfif", ".jpe", ".jp2", ".j2k"),
        *(".jpf", ".jpx", ".psd", ".psb", ".exr", ".tga", ".xcf", ".mpo", ".insp", ".bpg", ".eps", ".ico", ".icns"),
        *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".gpr", ".iiq", ".k25", ".kdc"),
        *(".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".ptx", ".raf", ".raw", ".rw2", ".rwl", ".sr2"),
        *(".srf", ".srw", ".x3f"),
    ]
)
VIDEO_FORMATS = frozenset(
    [
        *(".3g2", ".264", ".265", ".asf", ".avs", ".braw", ".divx", ".dv", ".f4v", ".gifv", ".h264", ".h265", ".hevc"),
        *(".insv", ".ivf", ".m1v", ".m2t", ".m2v", ".mjpeg", ".mjpg", ".mpe", ".mpv", ".mxf", ".ogm", ".qt", ".r3d"),
        *(".rm", ".rmvb", ".vob", ".wtv", ".y4m"),
    ]
)
"""Suffixes of photos and videos. A file that has one, in a format that is not read, is counted in `LeftOut.formats`."""


@dataclass
class LeftOut:
    """What a run has left out of folders and patterns.

    formats: number of files in formats that are not read, by suffix; folders: system and hidden folders that were not
    entered. The other fields are counts: hidden files, photos and videos without a suffix (unnamed), links and pipes
    without a file behind them (links), folders in folders (deeper), sources that were named twice (twice).
    """

    formats: Counter[str] = field(default_factory=Counter)
    folders: set[Path] = field(default_factory=set)
    hidden: int = 0
    unnamed: int = 0
    links: int = 0
    deeper: int = 0
    twice: int = 0

    def line(self) -> str | None:
        """All counts in one line; None if nothing was left out."""
        convert = "; convert them, to JPEG or MP4 for example"
        names = Counter(folder.name for folder in self.folders)
        parts = [
            _phrase(self.formats.total(), "file", "in formats that are not read", _common(self.formats) + convert),
            _phrase(
                self.unnamed, "photo or video", "without a suffix that says so", "add .jpg, for example, or name it"
            ),
            _phrase(self.hidden, "hidden file", ""),
            _phrase(len(self.folders), "folder", "of copies, deleted or hidden files", _common(names)),
            _phrase(self.links, "link or pipe", "with no file behind it"),
            _phrase(self.deeper, "folder", "in a folder", "--recursive looks into it"),
            _phrase(self.twice, "source", "named twice"),
        ]
        said = [part for part in parts if part]
        return f"left out: {', '.join(said)}" if said else None


def in_folder(
    folder: Path, recursive: bool, avoided: Collection[str], left_out: LeftOut, problems: list[str]
) -> list[Path]:
    """The files in a folder that have the suffix of an image or video, sorted by path.

    Links to folders are not followed: they may lead in circles. avoided: real paths of folders that hold results, which
    are not entered. problems: gets a line for each folder that cannot be read. FkpError if no image or video is found.
    """
    unreadable: list[str] = []
    unsupported_before = left_out.formats.total()

    def note_unreadable(error: OSError) -> None:
        unreadable.append(f"{error.filename}: cannot be read ({error.strerror})")

    paths: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=note_unreadable):
        folders[:] = [name for name in folders if _is_entered(Path(place, name), recursive, avoided, left_out)]
        paths += [path for path in (Path(place, name) for name in sorted(names)) if is_source(path, left_out)]
    problems += unreadable
    if not paths and not unreadable:
        if unsupported := left_out.formats.total() - unsupported_before:
            raise FkpError(
                f"{folder}: holds no images or videos that are read here, but {unsupported} in formats to convert"
            )
        hint = "" if recursive else "; --recursive looks into the folders in it"
        raise FkpError(f"{folder}: holds no images or videos{hint}")
    return sorted(paths)


def is_source(path: Path, left_out: LeftOut) -> bool:
    """Whether to process a file that a folder or pattern yielded. A file that is left out is counted in `left_out`."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES | VIDEO_SUFFIXES:
        if suffix in PHOTO_FORMATS | VIDEO_FORMATS and not _is_hidden(path):
            left_out.formats[suffix] += 1
        elif _lacks_suffix(suffix) and not _is_hidden(path) and content_kind(_head(path)) is not None:
            left_out.unnamed += 1
        return False
    if suffix in AMBIGUOUS_SUFFIXES and content_kind(_head(path)) != "video":
        return False
    if _is_hidden(path):  # macOS leaves "._photo.jpg", which is no image, beside photo.jpg
        left_out.hidden += 1
        return False
    if is_regular(path):
        return True
    left_out.links += not os.path.isdir(path)  # noqa: PTH112 (Path.is_dir raises some errors)
    return False


def is_system_folder(path: Path) -> bool:
    """Whether a system made this folder, for copies or deleted files."""
    inside_library = path.parent.suffix.lower() in LIBRARIES and path.name.lower() not in LIBRARY_ORIGINALS
    return path.name.lower() in SYSTEM_FOLDERS or inside_library


def _is_entered(path: Path, recursive: bool, avoided: Collection[str], left_out: LeftOut) -> bool:
    if avoided and os.path.realpath(path) in avoided:
        return False
    if is_system_folder(path) or _is_hidden(path):
        if recursive:
            left_out.folders.add(path)
        return False
    if path.is_symlink():
        left_out.links += recursive
        return False
    left_out.deeper += not recursive
    return recursive


def _is_hidden(path: Path) -> bool:
    """Whether a file is hidden: by its name, or by the flags of Windows and macOS."""
    if path.name.startswith("."):
        return True
    try:
        state = path.lstat()
    except OSError:
        return False
    on_windows = getattr(state, "st_file_attributes", 0) & stat.FILE_ATTRIBUTE_HIDDEN
    return bool(on_windows or getattr(state, "st_flags", 0) & stat.UF_HIDDEN)


def _lacks_suffix(suffix: str) -> bool:
    """Whether there is no suffix, or an image's with something appended, as in `.jpg_large` and `.jpeg~`."""
    return not suffix or any(suffix.startswith(known) and not suffix[len(known)].isalnum() for known in SUFFIXES)


def is_regular(path: Path) -> bool:
    """Whether a path leads to a regular file, which has an end. True if this cannot be told: reading tells why."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        return error.errno != errno.ELOOP


def _head(path: Path) -> bytes:
    return read_head(path) if is_regular(path) else b""  # opening a pipe would wait for ever


def _phrase(number: int, what: str, which: str = "", detail: str = "") -> str:
    if not number:
        return ""
    plural = what.replace(" or ", "s or ") + "s" if number != 1 else what
    return f"{number} {plural}{' ' if which else ''}{which}{f' ({detail})' if detail else ''}"


def _common(counts: Counter[str], most: int = 5) -> str:
    """The most frequent names with their counts, as in `8 .heic, 4 .cr2`."""
    said = [f"{number} {name}" for name, number in counts.most_common(most)]
    return ", ".join(said) + (", ..." if len(counts) > most else "")
