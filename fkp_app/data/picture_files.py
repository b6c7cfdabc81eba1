"""The search for the files that a label file names, even if they were moved or another system spells them otherwise."""

import os
import unicodedata
from collections import defaultdict
from functools import cached_property
from pathlib import Path

from fkp_app.media.images import SUFFIXES

MISSING = "a name that no file has"
SEVERAL = "a name that several files have; give the path from the CSV's folder"


class PictureFiles:
    """The pictures in a folder and all its subfolders."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, name: str) -> Path | str:
        """The file that `name` means, or the fault of the name.

        `name` is a path from the root or an absolute one. If there is no such file, it means the one picture whose path
        from the root is the end of `name`, or, if `name` has no folder, the one picture of this name in any subfolder.
        Case, the kind of slash, the encoding of accents and a missing suffix do not matter.
        """
        path = self.root / name
        if name and os.path.isfile(path):  # noqa: PTH113 (Path.is_file raises for names that are too long)
            return path
        parts = [part for part in _key(name).split("/") if part not in ("", ".")]
        keys = ["/".join(parts[start:]) for start in range(len(parts))] + ([f"*/{parts[0]}"] if len(parts) == 1 else [])
        found = next((self._index[key] for key in keys if key in self._index), [])
        return MISSING if not found else found[0] if len(found) == 1 else SEVERAL

    def unlabelled(self, labelled: list[Path]) -> list[Path]:
        """The pictures without a row in the folders of those with one, sorted by path."""
        known = {path.resolve() for path in labelled}
        beside = {path.parent for path in labelled}
        pictures = (path for folder in sorted(beside) for path in sorted(folder.iterdir()) if _is_picture(path.name))
        return [path for path in pictures if path.is_file() and path.resolve() not in known]

    @cached_property
    def _index(self) -> dict[str, list[Path]]:
        """Pictures by their path from the root, and by "*/" and their name; each key with and without the suffix.

        Hidden folders are skipped, and so are those in which a NAS keeps thumbnails and deleted files.
        """
        index: dict[str, list[Path]] = defaultdict(list)
        for folder, deeper, names in os.walk(self.root):
            deeper[:] = sorted(name for name in deeper if not name.startswith((".", "@", "#")))
            for path in (Path(folder, name) for name in sorted(names) if _is_picture(name)):
                inside = path.relative_to(self.root)
                for key in (inside.as_posix(), f"*/{path.name}"):
                    index[_key(key)].append(path)
                    index[_key(key.removesuffix(path.suffix))].append(path)
        return index


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip().replace("\\", "/")).casefold()


def _is_picture(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
