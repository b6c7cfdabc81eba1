"""What the fuzzer knows of a reader: valid files to begin with, how to change them, how to read them, the limits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.changes import damaged

Case = dict[str, bytes]
"""Files of one folder: the content by name."""


@dataclass(frozen=True)
class Reader:
    """A reader of files that anybody may have written.

    seeds: makes valid cases. target: the file that is read; the others lie beside it. vary: the files that are changed
    byte by byte, the target alone by default. structure: a strategy that changes what a case means, not only its bytes.
    read: reads the target. errors: what it may raise, each in one line.

    memory: the most MiB that reading a small file may take. seconds: the longest that it may last. few: how many
    changed files the tests try; `make fuzz` tries as many as there is time for.
    """

    name: str
    seeds: Callable[[], list[Case]]
    target: str
    read: Callable[[Path], Any]
    errors: tuple[type[Exception], ...]
    vary: Sequence[str] = ()
    structure: Callable[[Case], st.SearchStrategy[Case]] | None = None
    memory: int = 200
    seconds: float = 20.0
    few: int = 20
    made: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def cases(self) -> list[Case]:
        """The valid cases; they are made once."""
        if "seeds" not in self.made:
            self.made["seeds"] = self.seeds()
        return self.made["seeds"]

    def changed(self) -> st.SearchStrategy[Case]:
        """Cases of which one file, or its meaning, was changed."""
        if "changed" not in self.made:
            ways = [way for case in self.cases() for way in self._changed(case)]
            self.made["changed"] = st.one_of(ways)
        return self.made["changed"]

    def _changed(self, case: Case) -> list[st.SearchStrategy[Case]]:
        donors = [other[self.target] for other in self.cases()]
        ways = [self._damaged(case, name, donors) for name in self.vary or [self.target]]
        return ways if self.structure is None else [*ways, *2 * [self.structure(case)]]

    def _damaged(self, case: Case, name: str, donors: list[bytes]) -> st.SearchStrategy[Case]:
        own = donors if name == self.target else [case[name]]
        return damaged(case[name], own).map(lambda data: case | {name: data})
