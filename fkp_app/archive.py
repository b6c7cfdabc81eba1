"""The public archive of the data set: what it holds, whether a directory holds the same, and how to fetch it."""

import contextlib
import csv
import errno
import gzip
import hashlib
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from fkp_app.errors import FkpError

URL = "https://s3.amazonaws.com/video.udacity-data.com/topher/2018/May/5aea1b91_train-test-data/train-test-data.zip"
BYTES = 338_613_624
MANIFEST = Path(__file__).parent / "assets" / "ytf68_manifest.csv.gz"
HASH_PREFIX = 16
"""Hexadecimal digits of each sha256 that the manifest keeps: 64 bits tell any damage, and whole ones would be large."""

Manifest = dict[str, tuple[int, str]]
"""File -> bytes and the first digits of its sha256."""


class ArchiveError(FkpError):
    """An archive that is damaged, unsafe or not the published one: of no use, so it is not kept."""


@dataclass
class Report:
    """What `verify` found, as names of files; `extra` ones are no fault."""

    intact: int = 0
    missing: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.missing and not self.changed


def load_manifest(path: Path = MANIFEST) -> Manifest:
    """The published file list: 5770 frames and two CSV files."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return {row["file"]: (int(row["bytes"]), row["sha256"]) for row in csv.DictReader(file)}


def verify(directory: Path, manifest: Manifest, progress: Callable[[list[str]], Any] = iter) -> Report:
    """Compare a directory with the published list, by size first and then by hash.

    FkpError where there is no such directory, or a file in it cannot be read.
    """
    if not directory.is_dir():
        raise FkpError(f"{directory}: no such directory; `fkp data download {directory}` fetches the data set")
    report = Report()
    for name in progress(sorted(manifest)):
        path, (size, digest) = directory / name, manifest[name]
        if not path.is_file():
            report.missing.append(name)
        elif path.stat().st_size != size or not _sha256(path).startswith(digest):
            report.changed.append(name)
        else:
            report.intact += 1
    folders = sorted({name.split("/")[0] for name in manifest if "/" in name})
    present = (path for folder in folders for path in (directory / folder).rglob("*") if path.is_file())
    report.extra = sorted({path.relative_to(directory).as_posix() for path in present} - manifest.keys())
    return report


def download(directory: Path, url: str, size: int, manifest: Manifest, bar: Any = False) -> None:
    """Fetch the archive, unpack what the manifest names, and put it into `directory`.

    Every file is checked before the first is put in place, so `directory` gets all or nothing. Until then everything
    lies in its folder .download, where a whole archive stays when a call is broken off later, and need not be fetched
    again. bar: shows progress, an object like tqdm's. FkpError where anything is wrong.
    """
    work = directory / ".download"
    try:
        work.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as after:
            after.callback(_remove_if_empty, work)
            _sweep(work)
            archive = _fetch(url, size, work / "archive.zip", bar)
            temporary = Path(after.enter_context(tempfile.TemporaryDirectory(dir=work)))
            try:
                _unpack(archive, temporary, manifest)
                _must_be_published(temporary, manifest)
            except ArchiveError as error:
                archive.unlink()
                raise ArchiveError(
                    f"{url}: {error}; what was fetched is removed: try again, or another --url"
                ) from None
            for name in manifest:
                target = directory / name
                target.parent.mkdir(parents=True, exist_ok=True)
                (temporary / name).replace(target)
            archive.unlink()
    except OSError as error:
        raise FkpError(f"{directory}: cannot be written ({error.strerror or error}); choose another place") from None


def _sweep(work: Path) -> None:
    """Remove what a process that was killed left behind; a whole archive stays."""
    for path in work.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "archive.zip":
            path.unlink()


def _remove_if_empty(directory: Path) -> None:
    with contextlib.suppress(OSError):
        directory.rmdir()


def _fetch(url: str, size: int, archive: Path, bar: Any) -> Path:
    """The archive, fetched with pooch unless a whole one lies there already."""
    import pooch
    import requests

    if archive.is_file() and archive.stat().st_size == size:
        return archive
    archive.unlink(missing_ok=True)
    pooch.get_logger().setLevel("ERROR")
    downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 18, timeout=60)
    try:
        # The manifest's hashes are checked file by file once unpacked; the archive's own was never published.
        pooch.retrieve(url, known_hash=None, fname=archive.name, path=archive.parent, downloader=downloader)
    except requests.RequestException as error:
        reason = type(error).__name__ if error.response is None else f"HTTP status {error.response.status_code}"
        raise FkpError(f"{url}: cannot be fetched ({reason}); check the network and try again") from None
    if archive.stat().st_size != size:
        got = archive.stat().st_size
        archive.unlink()
        raise FkpError(f"{url}: gave {got} bytes instead of {size}; try again, or look whether the address has changed")
    return archive


def _unpack(archive: Path, directory: Path, manifest: Manifest) -> None:
    """Unpack the files of the manifest. A folder around them all is dropped; whatever else is there is left alone.

    ArchiveError where a member's path leaves the directory or is a link, or where the archive is damaged.
    """
    try:
        with zipfile.ZipFile(archive) as pack:
            for member, name in _members(pack, manifest):
                target = directory / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with pack.open(member) as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        # RuntimeError: encrypted, or a compression unknown here. ValueError: a name that cannot be decoded.
        raise ArchiveError(f"is damaged ({error})") from None
    except OSError as error:
        if error.errno != errno.EINVAL:  # which is a seek to a place before the file's start
            raise
        raise ArchiveError("is damaged (its directory points outside the file)") from None


def _must_be_published(directory: Path, manifest: Manifest) -> None:
    report = verify(directory, manifest)
    wrong = report.missing + report.changed
    if wrong:
        raise ArchiveError(f"{len(wrong)} files are missing or not as published, the first {wrong[0]}")


def _members(pack: zipfile.ZipFile, manifest: Manifest) -> Iterator[tuple[zipfile.ZipInfo, str]]:
    """The members that are files of the manifest, with their names there."""
    for member in pack.infolist():
        path = PurePosixPath(member.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in "".join(path.parts[:1]):
            raise ArchiveError(f"holds {member.filename}, which would leave the directory; nothing is unpacked")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise ArchiveError(f"holds the link {member.filename}; nothing is unpacked")
        for name in (path.as_posix(), PurePosixPath(*path.parts[1:]).as_posix()):
            # A member of another size is not the published file, and unpacking it might fill the disk.
            if name in manifest and member.file_size == manifest[name][0]:
                yield member, name
                break


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise FkpError(f"{path}: cannot be read ({error.strerror or error})") from None
