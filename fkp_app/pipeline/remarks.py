"""Remarks on the files of a run, each made once: a thousand files of one camera need no thousand lines."""

import re
from collections.abc import Sequence

from fkp_app.wording import count_of


class Remarks:
    """Collects notes on files; those that differ in the file's name and in numbers alone are one."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._others: dict[str, int] = {}

    def add(self, note: str, names: Sequence[str]) -> None:
        """A line about a file that is called by one of these names."""
        remark = next((note.removeprefix(f"{name}: ") for name in names if note.startswith(f"{name}: ")), note)
        kind = re.sub(r"\d+(\.\d+)?", "0", remark)
        if kind in self._first:
            self._others[kind] = self._others.get(kind, 0) + 1
        else:
            self._first[kind] = note

    def lines(self) -> list[str]:
        """Each remark with the first file that it holds for, and how many others there are."""
        others = {kind: f"; likewise {count_of(number, 'other file')}" for kind, number in self._others.items()}
        return [note + others.get(kind, "") for kind, note in self._first.items()]
