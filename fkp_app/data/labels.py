"""Label files: CSV files with one row per face: a file's name, x and y of 68 points, and perhaps the person."""

import csv
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fkp_app.data.csv_rows import rows_of
from fkp_app.errors import FkpError
from fkp_app.wording import named
from numpynet.typing import Array

POINTS = 68
LARGEST = 1 << 28
"""Largest label file, in bytes."""
FILE_COLUMNS = ("file", "filename", "file_name", "image", "image_name", "path", "image_path", "name", "frame")
"""Names of the column of file names, the surest first. Without any of them, it is the first column."""
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
COLUMN = re.compile(r"(.*?)[ _.-]?(?:([xy])[ _.-]?(\d{1,3})|(\d{1,3})[ _.-]?([xy]))|(\d{1,3})", re.ASCII)
"""The name of a column of numbers: perhaps a word, the same in all columns, then axis and number; or a number alone."""


class DatasetError(FkpError):
    """A data set that cannot be used."""


@dataclass(frozen=True)
class Labels:
    """The rows of a label file.

    lines: the line of the file on which each row ends, as a spreadsheet numbers it. people: the cells of the column
    `person`, None without one. keypoints: (n, 68, 2) float32, NaN for each cell that holds no finite number.
    """

    names: list[str]
    lines: list[int]
    people: list[str] | None
    keypoints: Array


def read_labels(csv_file: Path, notes: list[str]) -> Labels:
    """Read a label file, separated by commas, semicolons or tabs. DatasetError if it has not the documented form.

    notes: receives one line for each thing that is ignored or assumed.
    """
    rows = _rows(csv_file)
    first = next(rows, None)
    if first is None:
        raise DatasetError(f"{csv_file}: cannot be read as CSV (is empty)")
    header = [_plain(cell) for cell in first[1]]
    named, in_turn = _named(header), _in_turn(header)
    if named is None and in_turn is None:
        raise DatasetError(f"{csv_file}: {_wrong_count(header)}")
    file, points = named or in_turn or (0, [])
    if named is None and all(NUMBER.fullmatch(header[i]) for i in points):
        notes.append(f"{csv_file}: has no line of column names; its first line counts as data")
        rows = itertools.chain([first], rows)
    person = header.index("person") if "person" in header else None
    unused = [header[i] or "(no name)" for i in range(len(header)) if i not in {file, person, *points}]
    if unused:
        notes.append(f"{csv_file}: left out {len(unused)} other columns: {_few(unused)}")
    names, lines, people, numbers = list[str](), list[int](), list[str](), list[Array]()
    for line, row in rows:
        if len(row) > len(header):
            raise DatasetError(
                f"{csv_file}: cannot be read as CSV (row {line} has {len(row)} cells, the first line {len(header)}; "
                "numbers need decimal points, not commas)"
            )
        row += [""] * (len(header) - len(row))
        lines.append(line)
        names.append(row[file].strip())
        if person is not None:
            people.append(row[person])
        numbers.append(_numbers(csv_file, line, [row[column] for column in points]))
    if not names:
        raise DatasetError(f"{csv_file}: has no rows; it needs one row per face")
    keypoints = np.stack(numbers).reshape(-1, POINTS, 2)  # (n, 136) -> (n, 68, 2)
    return Labels(names, lines, None if person is None else people, keypoints)


def _rows(csv_file: Path) -> Iterator[tuple[int, list[str]]]:
    """The line number and the cells of each row that is not empty, one row at a time."""
    if csv_file.exists() and not csv_file.is_file():  # reading a pipe would wait for its writer
        raise DatasetError(f"{csv_file}: cannot be read as CSV (is no regular file)")
    try:
        if csv_file.stat().st_size > LARGEST:
            raise csv.Error(f"has more than {LARGEST >> 20} MiB")
        with csv_file.open("rb") as file:
            encoding = "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        with csv_file.open(encoding=encoding, newline="") as text:
            yield from rows_of(text)
    except FileNotFoundError:
        raise DatasetError(f"{csv_file}: no such file; `fkp data download` fetches the data set") from None
    except UnicodeError:
        raise DatasetError(f"{csv_file}: cannot be read as CSV (is no text in UTF-8; export it as that)") from None
    except (OSError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise DatasetError(f"{csv_file}: cannot be read as CSV ({reason})") from None


def _plain(cell: str) -> str:
    return cell.strip().casefold()


Columns = tuple[int, list[int]]
"""The column of the file's name, and the columns of the 136 numbers in their order."""


def _named(header: Sequence[str]) -> Columns | None:
    """The columns, found by their names: 0 .. 135, or x0, y0 .. x67, y67 (also x_0, 0_x, point0.x).

    They may be in any order and may count from 1. If there are several such sets, the first is taken.
    """
    sets: dict[tuple[str, bool], dict[tuple[str, int], list[int]]] = {}
    for i, cell in enumerate(header):
        if (key := _key(cell)) is not None:
            word, axis, number = key
            sets.setdefault((word, bool(axis)), {}).setdefault((axis, number), []).append(i)
    for (_, paired), places in sets.items():
        for first in (0, 1):
            wanted = [(axis, i + first) for i in range(POINTS) for axis in "xy"]
            wanted = wanted if paired else [("", i + first) for i in range(2 * POINTS)]
            if places.keys() == set(wanted) and all(len(found) == 1 for found in places.values()):  # no further ones
                points = [places[key][0] for key in wanted]
                file = _file_column(header, points)
                return None if file is None else (file, points)
    return None


def _in_turn(header: Sequence[str]) -> Columns | None:
    """The columns, found by their order, if there are exactly as many as needed."""
    file = _file_column(header, [])
    points = [i for i in range(len(header)) if i != file and header[i] != "person"]
    return (file, points) if file is not None and len(points) == 2 * POINTS else None


def _file_column(header: Sequence[str], points: Sequence[int]) -> int | None:
    others = {header[i]: i for i in reversed(range(len(header))) if i not in points and header[i] != "person"}
    called = [others[name] for name in FILE_COLUMNS if name in others]
    return min(called[:1] or others.values(), default=None)


def _key(cell: str) -> tuple[str, str, int] | None:
    """The word, the axis and the number in a column's name; None if it has another form."""
    match = COLUMN.fullmatch(cell)
    if match is None:
        return None
    return match[1] or "", match[2] or match[5] or "", int(match[3] or match[4] or match[6])


def _wrong_count(header: Sequence[str]) -> str:
    """The fault of a line of column names, in words."""
    line = f"must have 137 columns (name, then x and y of {POINTS} points), has {len(header)}"
    numbers = len(header) - 1 - ("person" in header)
    if {"x", "y"} <= set(header) or "region_shape_attributes" in header:
        line += "; all points of a face must be in one row, not each in its own"
    elif numbers % 2 == 0 and 4 <= numbers <= 2000 and numbers != 2 * POINTS:
        line += f": {numbers // 2} points, and only the {POINTS} of the 300-W layout can be learned"
    return line


def _numbers(csv_file: Path, line: int, cells: Sequence[str]) -> Array:
    """The numbers of 136 cells, float32; NaN for each that holds no finite one."""
    try:
        numbers = np.array([float(cell) for cell in cells])
    except ValueError:
        numbers = np.array([_number(csv_file, line, cell) for cell in cells])
    with np.errstate(over="ignore"):
        found = numbers.astype(np.float32)
    found[~np.isfinite(found)] = np.nan
    return found


def _number(csv_file: Path, line: int, cell: str) -> float:
    """A cell's number, NaN if it holds none. DatasetError if it has a decimal comma."""
    if not cell:
        return float("nan")
    if re.fullmatch(r"\s*-?\d*,\d+\s*", cell):
        raise DatasetError(f"{csv_file}: row {line} has {named(cell.strip())}, a decimal comma; write decimal points")
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _few(names: Sequence[str]) -> str:
    """The first four names, as text."""
    return ", ".join(map(named, names[:4])) + (" ..." if len(names) > 4 else "")
