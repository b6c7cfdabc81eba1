"""Visitors' files: what they are called, whose they are, and when they go."""

import secrets
import shutil
import threading
import time
from pathlib import Path


def photo_name(name: object) -> str:
    """What a visitor calls a photo, fit to be a file's name, to be shown, and to be part of a longer name."""
    last = str(name).replace("\\", "/").rpartition("/")[2] if name else ""
    last = "".join(letter for letter in last if letter.isprintable() and letter not in '<>:"|?*').strip(" .")
    stem, suffix = Path(last).stem[:50], Path(last).suffix[:8]  # at most 232 bytes
    return f"{stem}{suffix}" or "photo"


class Visits:
    """Which folders belong to which visitor: the photo's and the last results'. The rest is deleted at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._kept: dict[str, set[Path]] = {}

    def new_folder(self) -> Path:
        """A path in the folder that nobody can guess; not made yet."""
        return self.folder / secrets.token_urlsafe(16)

    def keep(self, visitor: str, *folders: Path) -> None:
        """Delete what this visitor had, but for these."""
        with self._lock:
            gone = self._kept.pop(visitor, set()) - set(folders)
            if folders:
                self._kept[visitor] = set(folders)
        for folder in gone:
            shutil.rmtree(folder, ignore_errors=True)

    def sweep(self, age: float) -> None:
        """Delete every folder that was made so many seconds ago, whosever it is."""
        oldest = time.time() - age
        for folder in self.folder.iterdir():
            if folder.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)
