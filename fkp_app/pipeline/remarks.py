"""Notes on the files of a run, each printed once: a thousand files of one camera would repeat it a thousand times."""

import re
from collections.abc import Sequence

from fkp_app.wording import count_of


class Remarks:
    """Collects notes on files. Notes that differ only in the file's name and in numbers count as one."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._others: dict[str, int] = {}

    def add(self, note: str, names: Sequence[str]) -> None:
        """Add a note on a file. names: the names under which the note may mention the file."""
        remark = next((note.removeprefix(f"{name}: ") for name in names if note.startswith(f"{name}: ")), note)
        kind = re.sub(r"\d+(\.\d+)?", "0", remark)
        if kind in self._first:
            self._others[kind] = self._others.get(kind, 0) + 1
        else:
            self._first[kind] = note

    def lines(self) -> list[str]:
        """Each note with the first file it was made for, and the number of other files."""
        others = {kind: f"; likewise {count_of(number, 'other file')}" for kind, number in self._others.items()}
        return [note + others.get(kind, "") for kind, note in self._first.items()]
