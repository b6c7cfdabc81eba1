"""Who is in a frame, and how people are divided into training, validation and report."""

import hashlib
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Literal

Side = Literal["training", "validation", "report"]

Told = Literal["column", "name", "file"]
"""By what people are told apart: a column `person`, the names of the files, or not at all: each file is a person."""

_WORD = r"[^\W\d_](?:[^\W\d_]|['’.-])*"
COURSE_FORM = re.compile(rf"{_WORD}(?:_{_WORD})+_\d\d")
"""The course's form of a name without its suffix: two or more words and two digits, as in Ada_Lovelace_01."""


def person(name: str) -> str:
    """The person in a frame called `Name_VF.jpg`, where V is the video and F the frame."""
    return name.rpartition("_")[0] or PurePosixPath(name).stem


def tell_people(files: Sequence[str], column: Sequence[str] | None) -> tuple[list[str], Told]:
    """The person of each file (its path within the data set), and by what people are told.

    column: what the column `person` says, if there is one. Where it says nothing, a file belongs to the person in its
    name if that has the course's form; any other file is a person of its own. So is every file where all would
    otherwise be one person, who cannot be divided. Upper case, spaces and kinds of accents make no other person of
    somebody in the column.
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
    """Everybody by the spelling that sorts first among those that mean the same."""
    spellings: dict[str, str] = {}
    for name in sorted(set(people), reverse=True):
        spellings[_plain(name)] = name
    return [spellings[_plain(name)] for name in people]


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def has_course_form(file: str) -> bool:
    """Whether a file is called after a person as the published frames are."""
    return COURSE_FORM.fullmatch(unicodedata.normalize("NFC", PurePosixPath(file).stem)) is not None


def split_of(name: str) -> Side:
    """A person's side, by a hash of the name that never changes: one in ten is validation, one in ten report."""
    share = _hash(name) % 10
    return "validation" if share == 0 else "report" if share == 1 else "training"


def divide(people: Collection[str]) -> dict[str, Side]:
    """Everybody's side: that of `split_of` as far as it goes, with somebody on each side where there are three people.

    Validation and report hold a fifth at most, and at least a twentieth and one person (of two people one is
    validation). Who changes sides for that is decided by the hash as well, so that the same people are divided alike.
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
    """A line that says by what people are told and how they are divided.

    people: of each frame, by side. alone: how many files count as a person of their own.
    """
    counts = [f"{len(set(names))} for {side} ({len(names)} frames)" for side, names in people.items()]
    if told == "file":
        why = "neither a column person nor names as in Name_Surname_12.jpg"
        how = f"nothing tells several people apart ({why}), so every file counts as its own person"
    else:
        how = f"people are told apart by {'the column person' if told == 'column' else 'the file names'}"
        why = "without an entry there" if told == "column" else "not named as in Name_Surname_12.jpg"
        how += f" ({alone} files {why} count as their own person)" if alone else ""
    return f"{how}: {', '.join(counts)}"


def _hash(name: str) -> int:
    return int(hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8], 16)
