"""The person in each frame, and the division of people into training, validation and report."""

import hashlib
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Literal

from fkp_app.wording import count_of

Side = Literal["training", "validation", "report"]

Told = Literal["column", "name", "file"]
"""How people are told apart: by a column `person`, by the files' names, or not at all: each file is a person."""

_WORD = r"[^\W\d_](?:[^\W\d_]|['’.-])*"
COURSE_FORM = re.compile(rf"{_WORD}(?:_{_WORD})+_\d\d")
"""The course's form of a file name without its suffix: two or more words and two digits, as in Ada_Lovelace_01."""


def person(name: str) -> str:
    """The person in a frame named `Name_VF.jpg`; V is the video and F the frame."""
    return name.rpartition("_")[0] or PurePosixPath(name).stem


def tell_people(files: Sequence[str], column: Sequence[str] | None) -> tuple[list[str], Told]:
    """The person of each file, and how people are told apart. A file is its path within the data set.

    column: the cells of the column `person`, None without one. If a file's cell is empty, its person is the one in its
    name if that has the course's form; any other file counts as its own person. If all files had the same person, who
    cannot be divided, every file counts as its own person. Names in the column that differ only in case, spaces or the
    encoding of accents are the same person.
    """
    people = [person(PurePosixPath(file).name) if has_course_form(file) else file for file in files]
    told: Told = "name"
    if column is not None and any(said.strip() for said in column):
        people = _one_spelling([said.strip() or other for said, other in zip(column, people, strict=True)])
        told = "column"
    if len(set(people)) == 1 or people == list(files):
        return list(files), "file"
    return people, told


def _one_spelling(people: Sequence[str]) -> list[str]:
    """Each person by one spelling: the one that sorts first among equal names."""
    spellings: dict[str, str] = {}
    for name in sorted(set(people), reverse=True):
        spellings[_plain(name)] = name
    return [spellings[_plain(name)] for name in people]


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def has_course_form(file: str) -> bool:
    """Whether a file is named after a person, as the published frames are."""
    return COURSE_FORM.fullmatch(unicodedata.normalize("NFC", PurePosixPath(file).stem)) is not None


def split_of(name: str) -> Side:
    """A person's side, by a fixed hash of the name: one in ten is in validation, one in ten in report."""
    share = _hash(name) % 10
    return "validation" if share == 0 else "report" if share == 1 else "training"


def divide(people: Collection[str]) -> dict[str, Side]:
    """The side of each person: that of `split_of`, except for the people needed to fill or relieve a side.

    Validation and report each hold at most a fifth of the people, and at least a twentieth and one person, so three
    people are enough for three sides (of two people, one is in validation). The hash also decides who changes sides,
    so that the same people are always divided the same way.
    """
    order = sorted(set(people), key=lambda name: (_hash(name) % 10, _hash(name)))
    least, most = max(1, len(order) // 20), max(1, len(order) // 5)
    sides: dict[str, Side] = dict.fromkeys(order, "training")
    rooms: dict[Side, int] = {"validation": len(order) - 1, "report": len(order) - 2}
    for side, room in rooms.items():
        count = min(max(least, sum(split_of(name) == side for name in order)), most, max(0, room))
        first = [name for name in order if split_of(name) == side]
        others = [name for name in order if split_of(name) == "training"] + order
        free = [name for name in dict.fromkeys(first + others) if sides[name] == "training"]
        sides.update(dict.fromkeys(free[:count], side))
    return sides


def describe(people: Mapping[Side, Sequence[str]], told: Told, alone: int) -> str:
    """A line that says how people are told apart, and how many people and frames each side has.

    people: the person of each frame, for each side. alone: the number of files that count as their own person.
    """
    counts = [f"{len(set(names))} for {side} ({count_of(len(names), 'frame')})" for side, names in people.items()]
    if told == "file":
        why = "neither a column person nor names as in Name_Surname_12.jpg"
        how = f"nothing tells several people apart ({why}), so every file counts as its own person"
    else:
        how = f"people are told apart by {'the column person' if told == 'column' else 'the file names'}"
        why = "without an entry there" if told == "column" else "not named as in Name_Surname_12.jpg"
        counts_as = "counts as its" if alone == 1 else "count as their"
        how += f" ({count_of(alone, 'file')} {why} {counts_as} own person)" if alone else ""
    return f"{how}: {', '.join(counts)}"


def _hash(name: str) -> int:
    return int(hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8], 16)
