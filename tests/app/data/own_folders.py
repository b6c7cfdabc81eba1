"""Changes the labels of a user's own folder, and checks what is loaded from it."""

import csv

import numpy as np
import pytest

from fkp_app.data.dataset import DatasetError, load_data

PHOTOS = 12


def table(folder):
    with (folder / "keypoints.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def write_table(folder, rows, name="keypoints.csv", separator=",", end="\r\n", encoding="utf-8"):
    with (folder / name).open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=separator, lineterminator=end).writerows(rows)


def change(folder, edit):
    """Change the rows of keypoints.csv with `edit`."""
    rows = table(folder)
    edit(rows)
    write_table(folder, rows)


def every(convert):
    """Convert all numbers with `convert`, to text."""

    def edit(rows):
        for row in rows[1:]:
            row[1:] = [convert(float(cell)) for cell in row[1:]]

    return edit


def cells(row, start, *values):
    return lambda rows: rows[row].__setitem__(slice(start, start + len(values)), [str(value) for value in values])


def moved(row, x, y):
    def edit(rows):
        rows[row][1::2] = [str(float(cell) + x) for cell in rows[row][1::2]]
        rows[row][2::2] = [str(float(cell) + y) for cell in rows[row][2::2]]

    return edit


ROWS = {
    "an empty cell": (cells(2, 9, ""), "a label that is no number"),
    "a NaN": (cells(2, 9, "nan"), "a label that is no number"),
    "infinite": (cells(2, 9, "inf"), "a label that is no number"),
    "beyond float32": (cells(2, 9, "1e60"), "a label that is no number"),
    "a word": (cells(2, 9, "left"), "a label that is no number"),
    "a short row": (lambda rows: rows[2].__delitem__(slice(100, None)), "a label that is no number"),
    "a hidden point at -1": (cells(2, 21, -1, -1), "points at -1, -1 or 0, 0, which mark hidden points"),
    "a hidden point at 0": (cells(2, 21, "0.0", "0.0"), "points at -1, -1 or 0, 0"),
    "all zeros": (lambda rows: cells(2, 1, *([0] * 136))(rows), "points at -1, -1 or 0, 0"),
    "all the same": (
        lambda rows: cells(2, 1, *([40] * 136))(rows),
        "outer eye corners (points 36 and 45) that are not",
    ),
    "one eye twice": (lambda rows: rows[2].__setitem__(slice(91, 93), rows[2][73:75]), "outer eye corners"),
    "normalised, this one": (
        lambda rows: rows[2].__setitem__(slice(1, None), [f"{float(c) / 96}" for c in rows[2][1:]]),
        "outer eye",
    ),
    "far to the right": (moved(2, 90, 0), "points far outside the picture"),
    "far above": (moved(2, 0, -70), "points far outside the picture"),
    "one point far away": (cells(2, 21, 5000, 40), "points far outside the picture"),
    "mirrored": (
        lambda rows: rows[2].__setitem__(slice(1, None, 2), [str(95 - float(c)) for c in rows[2][1::2]]),
        "a mirrored face",
    ),
    "no such picture": (cells(2, 0, "IMG_9999.JPG"), "a name that no file has"),
    "no name": (cells(2, 0, ""), "a name that no file has"),
    "a name of 5,000 letters": (cells(2, 0, "x" * 5000), "a name that no file has"),
    "the same row again": (lambda rows: rows.__setitem__(2, list(rows[3])), None),
}


def labelled_people(folder, people):
    rows = table(folder)
    write_table(folder, [[row[0], who, *row[1:]] for row, who in zip(rows, ["Person", *people], strict=True)])


def called(folder, names):
    for i, name in enumerate(names, 1):
        (folder / f"IMG_{i:04d}.JPG").rename(folder / name)
    change(folder, lambda rows: [row.__setitem__(0, name) for row, name in zip(rows[1:], names, strict=True)])


def frames(data):
    """All frames by name: file, points and split."""
    return {
        name: (path.name, points, side)
        for side, part in data.splits.items()
        for name, path, points in zip(part.names, part.paths, part.keypoints, strict=True)
    }


def same_frames(folder, drawn_photos, notes=0):
    """The folder holds the drawn frames, whatever names its CSV gives them."""
    data = load_data(folder)
    expected = {file: points for file, points, _ in frames(load_data(drawn_photos)).values()}
    found = {file.lower(): points for file, points, _ in frames(data).values()}
    assert found.keys() == {file.lower() for file in expected}
    for file, points in expected.items():
        np.testing.assert_array_equal(found[file.lower()], points)
    assert len(data.notes) == notes, data.notes
    assert all("\n" not in note for note in data.notes)
    return data


def refused(folder, *words, code=1):
    """Loading fails with a one-line error that contains these words."""
    with pytest.raises(DatasetError) as error:
        load_data(folder)
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(str(folder))
    for word in words:
        assert word in message, message
