"""The rows of a CSV file that anybody may have written: one at a time, each within limits."""

import csv
import itertools
import re
from collections.abc import Iterator
from typing import TextIO

MOST_ROWS, MOST_COLUMNS = 1 << 18, 1 << 12
LONGEST_ROW = 1 << 18
"""In characters. A row of 68 points has some two thousand."""
SEPARATOR = re.compile(r"sep=([,;\t])[,;\t]*\r?\n", re.IGNORECASE)
"""The line `sep=;` that spreadsheets write first."""


def rows_of(text: TextIO) -> Iterator[tuple[int, list[str]]]:
    """The line number and the cells of each row that is not empty, without the empty cells at its end.

    text: opened with newline="". The cells are separated by commas, semicolons or tabs. UnicodeError if it holds a null
    character; csv.Error if it is no CSV, has more than MOST_ROWS rows or MOST_COLUMNS columns, or a row is longer than
    LONGEST_ROW.
    """
    lines = _Lines(text)
    first, skipped, ahead = next(lines, ""), 0, list[str]()
    if told := SEPARATOR.match(first):
        separator, skipped = told[1], 1
    else:
        while first and not first.strip():
            first, skipped = next(lines, ""), skipped + 1
            lines.room = LONGEST_ROW
        separator, ahead = max(",;\t", key=first.count), [first]
    reader = csv.reader(itertools.chain(ahead, lines), delimiter=separator, strict=True)
    count = 0
    for row in reader:
        lines.room = LONGEST_ROW
        while row and not row[-1].strip():  # spreadsheets write such cells
            row.pop()
        if not row:
            continue
        count += 1
        if count > MOST_ROWS:
            raise csv.Error(f"has more than {MOST_ROWS} rows")
        if len(row) > MOST_COLUMNS:
            raise csv.Error(f"has a row of {len(row)} cells, more than {MOST_COLUMNS}")
        yield reader.line_num + skipped, row


class _Lines:
    """The lines of a text, one at a time. room: the most characters of the lines until it is set again."""

    def __init__(self, text: TextIO) -> None:
        self._text, self.room = text, LONGEST_ROW

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(self.room + 1)
        if not line:
            raise StopIteration
        if "\0" in line:  # UTF-16 without its mark, UTF-32, or no text at all
            raise UnicodeError
        self.room -= len(line)
        if self.room < 0:
            raise csv.Error(f"has a row of more than {LONGEST_ROW} characters")
        return line
