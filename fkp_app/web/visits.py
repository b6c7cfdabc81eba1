"""Visitors' files: their names, their owners, their sizes, and when they are deleted."""

import secrets
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fkp_app.errors import FkpError
from fkp_app.web.limits import SHARES, is_this_machine

MAX_KEPT = 2 << 30
"""Bytes of all visitors' files together."""
MAX_JOBS = 4
"""Photos of one address that are worked on or wait at once; there is no limit for this machine itself."""
UNUSED_SECONDS = 60.0
"""Seconds after which an unclaimed upload is deleted: its visitor has left."""
ABSENT_SECONDS = 300.0
"""Seconds after which files are deleted if their visitor, such as a script, has no open page."""
KEPT_SECONDS = 3600.0
"""Seconds after which files are deleted if their visitor's page is open."""


class FullError(FkpError):
    """There is no room for more files."""


@dataclass
class _Folder:
    """A folder. visitor: None until somebody claims it; size: in bytes; made: time of the monotonic clock."""

    address: str
    visitor: str | None
    size: int
    made: float


def photo_name(name: object) -> str:
    """The visitor's name for a photo, made safe as a file name, as text on the page, and as part of a longer name."""
    last = str(name).replace("\\", "/").rpartition("/")[2] if name else ""
    last = "".join(letter for letter in last if letter.isprintable() and letter not in '<>:"|?*').strip(" .")
    stem, suffix = Path(last).stem[:50], Path(last).suffix[:8]  # at most 232 bytes
    return f"{stem}{suffix}" or "photo"


class Visits:
    """Who owns which folder. A visitor keeps the photo and its last results; older folders are deleted at once.

    most: bytes of all files together.
    """

    def __init__(self, folder: Path, most: int = MAX_KEPT) -> None:
        self.folder = folder
        self._most = most
        self._lock = threading.RLock()
        self._folders: dict[Path, _Folder] = {}
        self._present: Counter[str] = Counter()
        self._left: dict[str, float] = {}
        self._jobs: Counter[str] = Counter()

    def new_folder(self, address: str, size: int = 0, visitor: str | None = None) -> Path:
        """Make a folder for `size` bytes; nobody can guess its name. FullError if there is no room."""
        with self._lock:
            self._check_room(address, size)
            path = self.folder / secrets.token_urlsafe(16)
            path.mkdir(mode=0o700)
            self._folders[path] = _Folder(address, visitor, size, time.monotonic())
        return path

    def grown(self, path: Path) -> None:
        """Update the size of a folder from its files. If that is too much, delete it and raise FullError."""
        size = sum(file.stat().st_size for file in path.iterdir())
        with self._lock:
            folder = self._folders[path]
            try:
                self._check_room(folder.address, size - folder.size)
            except FullError:
                self.remove(path)
                raise
            folder.size = size

    def claim(self, path: Path, visitor: str) -> bool:
        """Whether a folder belongs to this visitor. A folder without an owner is given to the visitor."""
        with self._lock:
            folder = self._folders.get(path)
            if folder is None or folder.visitor not in (None, visitor):
                return False
            folder.visitor = visitor
            return True

    def keep(self, visitor: str, *folders: Path) -> None:
        """Delete all folders of this visitor but these; these, too, if the visitor has left meanwhile."""
        with self._lock:
            kept = () if visitor in self._left else folders
            gone = [path for path, folder in self._folders.items() if folder.visitor == visitor and path not in kept]
        for path in gone:
            self.remove(path)

    def remove(self, path: Path) -> None:
        """Delete a folder."""
        with self._lock:
            self._folders.pop(path, None)
        shutil.rmtree(path, ignore_errors=True)

    def arrive(self, visitor: str) -> None:
        """A visitor's page was opened."""
        with self._lock:
            self._present[visitor] += 1
            self._left.pop(visitor, None)

    def leave(self, visitor: str) -> None:
        """A visitor's page was closed. If it was the last one, delete the visitor's files."""
        with self._lock:
            self._present[visitor] -= 1
            if self._present[visitor] > 0:
                return
            del self._present[visitor]
            self._left[visitor] = time.monotonic()
        self.keep(visitor)

    @contextmanager
    def job(self, visitor: str, address: str) -> Iterator[None]:
        """Count one photo of the visitor as at work while the body runs. FkpError if too many are at work already."""
        names = [f"visitor {visitor}"] + ([] if is_this_machine(address) else [f"address {address}"])
        with self._lock:
            if self._jobs[names[0]] or self._jobs[names[-1]] >= MAX_JOBS:
                raise FkpError("your last photo is still worked on; wait for it, then choose again")
            self._jobs.update(names)
        try:
            yield
        finally:
            with self._lock:
                self._jobs.subtract(names)
                self._jobs += Counter()  # removes names with a count of 0

    def sweep(self) -> None:
        """Delete folders that are too old for the presence of their visitor."""
        now = time.monotonic()
        with self._lock:
            old = [path for path, folder in self._folders.items() if now - folder.made > self._lifetime(folder)]
            self._left = {visitor: at for visitor, at in self._left.items() if now - at < KEPT_SECONDS}
        for path in old:
            self.remove(path)

    def _lifetime(self, folder: _Folder) -> float:
        if folder.visitor is None:
            return UNUSED_SECONDS
        return KEPT_SECONDS if folder.visitor in self._present else ABSENT_SECONDS

    def _check_room(self, address: str, more: int) -> None:
        held = sum(folder.size for folder in self._folders.values())
        own = sum(folder.size for folder in self._folders.values() if folder.address == address)
        share = self._most if is_this_machine(address) else self._most // SHARES
        if held + more > self._most or own + more > share:
            raise FullError("the page holds as many photos as it can; try again in some minutes")
