"""The public archive of the data set: its file list, a check of a directory against it, and the download."""

import contextlib
import csv
import gzip
import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fkp_app.data.fetching import fetch
from fkp_app.data.unpacking import ArchiveError, unpack
from fkp_app.errors import FkpError
from fkp_app.locks import LOCK, locked
from fkp_app.wording import count_of

URL = "https://s3.amazonaws.com/video.udacity-data.com/topher/2018/May/5aea1b91_train-test-data/train-test-data.zip"
BYTES = 338_613_624
MANIFEST = Path(__file__).parents[1] / "assets" / "ytf68_manifest.csv.gz"

Manifest = dict[str, tuple[int, str]]
"""File -> its size in bytes, and the first 16 hexadecimal digits of its SHA-256: 64 bits are enough to find damage."""


@dataclass
class Report:
    """The result of `verify`: the names of files. `extra` files are no fault."""

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
    """Compare the files of a directory with the published list: first their sizes, then their hashes.

    FkpError if there is no such directory, or a file in it cannot be read.
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
    """Fetch the archive, unpack the files that the manifest names, and move them into `directory`.

    All files are checked before the first is moved, so `directory` gets all of them or none. Until then they are in its
    folder .download. If a call is stopped after the download, the whole archive stays there and is not fetched again.
    If a call leaves nothing, it removes the folder that it made. bar: shows progress, an object like tqdm's. FkpError
    if anything goes wrong.
    """
    work = directory / ".download"
    try:
        with contextlib.ExitStack() as after:
            after.callback(_remove_if_empty, work)
            after.enter_context(locked(work, "fkp data download"))
            _sweep(work)
            archive = work / "archive.zip"
            if not (archive.is_file() and archive.stat().st_size == size):
                archive.unlink(missing_ok=True)
                fetch(url, size, archive, bar)
            temporary = Path(after.enter_context(tempfile.TemporaryDirectory(dir=work)))
            try:
                unpack(archive, temporary, {name: size for name, (size, _) in manifest.items()})
                _must_be_published(temporary, manifest)
            except ArchiveError as error:
                archive.unlink()
                raise ArchiveError(
                    f"{url}: {error}; what was fetched is removed: try again, or another --url"
                ) from None
            for name in manifest:
                if (directory / name).is_dir():
                    raise FkpError(f"{directory / name}: is a directory where a file must lie; move it away")
            for name in manifest:
                target = directory / name
                target.parent.mkdir(parents=True, exist_ok=True)
                (temporary / name).replace(target)
            archive.unlink()
    except OSError as error:
        raise FkpError(f"{directory}: cannot be written ({error.strerror or error}); choose another place") from None


def _sweep(work: Path) -> None:
    """Remove the files that a killed process left behind, but not a whole archive."""
    for path in work.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name not in ("archive.zip", LOCK):
            path.unlink()


def _remove_if_empty(directory: Path) -> None:
    with contextlib.suppress(OSError):
        directory.rmdir()


def _must_be_published(directory: Path, manifest: Manifest) -> None:
    report = verify(directory, manifest)
    wrong = report.missing + report.changed
    if wrong:
        are = "is" if len(wrong) == 1 else "are"
        raise ArchiveError(f"{count_of(len(wrong), 'file')} {are} missing or not as published, the first {wrong[0]}")


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise FkpError(f"{path}: cannot be read ({error.strerror or error})") from None
