"""Label files: CSV files with one row per face: a file's name, x and y of 68 points, and perhaps the person."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fkp_app.errors import FkpError
from numpynet.typing import Array

POINTS = 68
FILE_COLUMNS = ("file", "filename", "file_name", "image", "image_name", "path", "image_path", "name", "frame")
"""Names of the column of file names, the surest first. Without any of them, it is the first column."""
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
SEPARATOR = re.compile(r"sep=([,;\t])[,;\t]*\r?\n", re.IGNORECASE)
"""The line `sep=;` that spreadsheets write first."""
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
    rows = _read_rows(csv_file)
    if not rows:
        raise DatasetError(f"{csv_file}: cannot be read as CSV (is empty)")
    header = [_plain(cell) for cell in rows[0][1]]
    named, in_turn = _named(header), _in_turn(header)
    if named is None and in_turn is None:
        raise DatasetError(f"{csv_file}: {_wrong_count(header)}")
    file, points = named or in_turn or (0, [])
    if named is None and all(NUMBER.fullmatch(header[i]) for i in points):
        notes.append(f"{csv_file}: has no line of column names; its first line counts as data")
    else:
        del rows[0]
    if not rows:
        raise DatasetError(f"{csv_file}: has no rows; it needs one row per face")
    person = header.index("person") if "person" in header else None
    unused = [header[i] or "(no name)" for i in range(len(header)) if i not in {file, person, *points}]
    if unused:
        notes.append(f"{csv_file}: left out {len(unused)} other columns: {_few(unused)}")
    for line, row in rows:
        if len(row) > len(header):
            raise DatasetError(
                f"{csv_file}: cannot be read as CSV (row {line} has {len(row)} cells, the first line {len(header)}; "
                "numbers need decimal points, not commas)"
            )
        row += [""] * (len(header) - len(row))
    return Labels(
        names=[row[file].strip() for _, row in rows],
        lines=[line for line, _ in rows],
        people=None if person is None else [row[person] for _, row in rows],
        keypoints=_numbers(csv_file, rows, points),
    )


def _read_rows(csv_file: Path) -> list[tuple[int, list[str]]]:
    """The line number and the cells of each row that is not empty."""
    if csv_file.exists() and not csv_file.is_file():  # reading a pipe would wait for its writer
        raise DatasetError(f"{csv_file}: cannot be read as CSV (is no regular file)")
    try:
        content = csv_file.read_bytes()
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
        if "\0" in text:  # UTF-16 without its mark, UTF-32, or no text at all
            raise UnicodeError
        lines = io.StringIO(text, newline="")
        told = SEPARATOR.match(text)
        first = next((line for line in text.splitlines() if line.strip()), "")
        separator = told[1] if told else max(",;\t", key=first.count)
        skipped = len(lines.readline()[:1]) if told else 0
        reader = csv.reader(lines, delimiter=separator, strict=True)
        return [(reader.line_num + skipped, _ended(row)) for row in reader if any(cell.strip() for cell in row)]
    except FileNotFoundError:
        raise DatasetError(f"{csv_file}: no such file; `fkp data download` fetches the data set") from None
    except UnicodeError:
        raise DatasetError(f"{csv_file}: cannot be read as CSV (is no text in UTF-8; export it as that)") from None
    except (OSError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise DatasetError(f"{csv_file}: cannot be read as CSV ({reason})") from None


def _ended(row: list[str]) -> list[str]:
    """The row, in place, without the empty cells that spreadsheets write at its end."""
    while row and not row[-1].strip():
        row.pop()
    return row


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


def _numbers(csv_file: Path, rows: Sequence[tuple[int, list[str]]], points: Sequence[int]) -> Array:
    """The cells of the columns `points` as (n, 68, 2) float32."""
    numbers = np.full((len(rows), len(points)), np.nan)
    for i, (line, row) in enumerate(rows):
        cells = [row[column] for column in points]
        try:
            numbers[i] = [float(cell) for cell in cells]
        except ValueError:
            numbers[i] = [_number(csv_file, line, cell) for cell in cells]
    with np.errstate(over="ignore"):
        found = numbers.astype(np.float32).reshape(-1, POINTS, 2)  # (n, 136) -> (n, 68, 2)
    return np.where(np.isfinite(found), found, np.float32(np.nan))


def _number(csv_file: Path, line: int, cell: str) -> float:
    """A cell's number, NaN if it holds none. DatasetError if it has a decimal comma."""
    if re.fullmatch(r"\s*-?\d*,\d+\s*", cell):
        raise DatasetError(f"{csv_file}: row {line} has {cell.strip()}, a decimal comma; write decimal points")
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _few(names: Sequence[str]) -> str:
    """The first four names, as text."""
    return ", ".join(names[:4]) + (" ..." if len(names) > 4 else "")
