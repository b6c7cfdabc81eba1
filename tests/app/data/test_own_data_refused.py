"""A CSV of own labels is refused whole if its numbers mean something else, it is no text, or it is a bomb."""

import tracemalloc

import pytest
from PIL import Image

from fkp_app.data import csv_rows
from fkp_app.data.dataset import DatasetError, load_data
from fkp_app.data.labels import LARGEST, read_labels
from tests.app.data.own_folders import PHOTOS, change, every, frames, refused


def resized(points):
    def edit(rows):
        for i, row in enumerate(rows):
            row[1:] = [f"{axis}{n}" for n in range(points) for axis in "xy"] if i == 0 else ["5"] * 2 * points

    return edit


WHOLE = {
    "5 points": (
        resized(5),
        "must have 137 columns (name, then x and y of 68 points), has 11: 5 points, and only the 68",
    ),
    "98 points": (resized(98), "has 197: 98 points, and only the 68 of the 300-W layout can be learned"),
    "67 points": (resized(67), "has 135: 67 points"),
    "a row a point": (lambda rows: [row.__setitem__(slice(3, None), []) for row in rows], "has 3"),
    "a row a point, as tools write it": (
        lambda rows: [
            rows[0].__setitem__(slice(1, None), ["label", "x", "y"]),
            *(row.__delitem__(slice(4, None)) for row in rows[1:]),
        ],
        "has 4; all points of a face must be in one row, not each in its own",
    ),
    "0 .. 1": (every(lambda v: f"{v / 96:.5f}"), f"{PHOTOS} of {PHOTOS} rows look normalised (no number above 2); mul"),
    "-1 .. 1": (every(lambda v: f"{v / 48 - 1:.5f}"), "rows look normalised"),
    "decimal commas": (every(lambda v: f"{v:.1f}".replace(".", ",")), "row 2 has ", ", a decimal comma; write decimal"),
    "the same everywhere": (
        lambda rows: [row.__setitem__(slice(1, None), rows[1][1:]) for row in rows[1:]],
        "all 12 r",
    ),
    "x and y swapped": (
        lambda rows: [_swap(row) for row in rows[1:]],
        "12 of 12 rows cannot be used; correct the file: row 2 (IMG_0001.JPG), row 3",
        "and 9 more have a mirrored face: x and y swapped",
    ),
    "y from below": (
        lambda rows: [_from_below(row) for row in rows[1:]],
        "have a mirrored face",
        "y counted from below",
    ),
    "all x before all y": (
        lambda rows: [_apart(row) for row in rows],
        "12 of 12 rows cannot be used",
        "have points that lie along one line: x and y of each point belong next to each other",
    ),
    "all y before all x": (lambda rows: [_apart(row, 1) for row in rows], "have points that lie along one line"),
    "from the last point to the first": (
        lambda rows: [_reorder(row, range(67, -1, -1)) for row in rows],
        "another order",
    ),
    "the jaw last": (
        lambda rows: [_reorder(row, [*range(17, 68), *range(17)]) for row in rows],
        "points in another order",
    ),
    "the mouth before the eyes": (
        lambda rows: [_reorder(row, [*range(36), *range(48, 68), *range(36, 48)]) for row in rows],
        "12 of 12 rows cannot be used",
    ),
    "UTF-16 without its mark": (
        lambda rows: [row.__setitem__(0, f"{row[0]}\0") for row in rows],
        "is no text in UTF-8",
    ),
    "in a larger picture": (every(lambda v: str(4 * v)), "have points far outside the picture", "docs/own-data.md"),
    "all hidden": (every(lambda v: "-1"), "all 12 rows have the same points"),
    "all empty": (every(lambda v: ""), "12 of 12 rows cannot be used", "a label that is no number"),
    "other files": (
        lambda rows: [row.__setitem__(0, f"x{row[0]}") for row in rows[1:]],
        "have a name that no file has",
    ),
    "no rows": (lambda rows: rows.__delitem__(slice(1, None)), "has no rows"),
}


def _swap(row):
    row[1::2], row[2::2] = row[2::2], row[1::2]


def _apart(row, first=0):
    """Moves all values of one axis before those of the other, under names that do not say so."""
    row[1:] = row[1 + first :: 2] + row[2 - first :: 2] if row[0] != "file" else [f"column {i}" for i in range(136)]


def _reorder(row, order):
    row[1:] = row[1:] if row[0] == "file" else [row[1 + 2 * i + axis] for i in order for axis in (0, 1)]


def _from_below(row):
    row[2::2] = [f"{95 - float(cell)}" for cell in row[2::2]]


@pytest.mark.parametrize("case", WHOLE)
def test_a_csv_with_another_meaning_is_refused_whole(case, photos):
    edit, *words = WHOLE[case]
    change(photos, edit)
    refused(photos, *words)


def test_decimal_commas_between_commas(photos):
    """Then 12,5 becomes two cells, and rows are longer than the line of names."""
    text = (photos / "keypoints.csv").read_text("utf-8").replace(".JPG", "#").replace(".", ",").replace("#", ".JPG")
    (photos / "keypoints.csv").write_text(text, "utf-8")
    refused(photos, "cannot be read as CSV (row 2 has ", "numbers need decimal points, not commas")


BOMBS = {
    "a wide first line and many rows": ("," * 100_000 + "1\n" + "a\n" * 100_000, "has a row of 100137 cells"),
    "many rows": ("\n" + "a\n" * 10_001, "has more than 10000 rows"),
    "a row without end": ("\n" + "1," * csv_rows.LONGEST_ROW, "has a row of more than"),
    "a row of many lines": ("\n" + '"\n",' * csv_rows.LONGEST_ROW, "has a row of more than"),
}
"""What follows the names of the columns; words of the error."""


@pytest.mark.parametrize("kind", BOMBS)
def test_a_small_csv_takes_little_memory(kind, tmp_path, monkeypatch):
    """Rows are filled up to the length of the first line: two lines of a file could stand for terabytes."""
    monkeypatch.setattr(csv_rows, "MOST_ROWS", 10_000)
    content, words = BOMBS[kind]
    path = tmp_path / "a.csv"
    path.write_text(",".join(["file", *(f"{axis}{i}" for i in range(68) for axis in "xy")]) + content)
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError) as caught:
            read_labels(path, [])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert words in str(caught.value)
    assert peak < 50e6


def test_a_number_of_many_digits_in_the_first_line(tmp_path):
    """It is compared with the form of a number, digit by digit and not again for each digit."""
    (tmp_path / "a.csv").write_text(",".join(["a.jpg", "1" * 130_000 + "x", *["1"] * 135]) + "\n")
    with pytest.raises(DatasetError, match="has no rows"):
        read_labels(tmp_path / "a.csv", [])


def test_a_csv_of_many_megabytes_is_not_opened(tmp_path):
    with (tmp_path / "a.csv").open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(DatasetError, match="has more than 256 MiB"):
        read_labels(tmp_path / "a.csv", [])


def test_a_table_in_latin_letters_or_a_spreadsheet(photos):
    change(photos, lambda rows: rows[1].__setitem__(0, "Zoë.jpg"))
    text = (photos / "keypoints.csv").read_text("utf-8")
    (photos / "keypoints.csv").write_text(text, "latin-1")
    refused(photos, "cannot be read as CSV (is no text in UTF-8; export it as that)")
    (photos / "keypoints.csv").write_bytes(b"PK\x03\x04\x14\0\x06\0\x08\0\xff\xfe")
    refused(photos, "cannot be read as CSV (is no text in UTF-8; export it as that)")


def test_percent_of_large_pictures_are_refused(photos, drawn_photos):
    for path in photos.glob("*.JPG"):
        Image.open(path).resize((500, 400)).save(path)
    change(photos, every(lambda v: str(v)))  # no coordinate above 96, in pictures of 500 x 400
    refused(photos, "12 of 12 rows look like percent (no number above 100 in large pictures); multiply x by the")
    change(photos, every(lambda v: str(5 * v - 5)))
    assert len(frames(load_data(photos))) == PHOTOS
