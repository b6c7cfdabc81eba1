"""A user's own folders: pictures are found, rows checked and people split, with one line per assumption."""

import csv
import os
import shutil
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from fkp_app.data import csv_rows
from fkp_app.data.dataset import DatasetError, load_data, load_split
from fkp_app.data.labels import LARGEST, read_labels
from fkp_app.data.people import divide, has_course_form, split_of, tell_people
from fkp_app.media.images import ImageError, read_image
from fkp_app.wording import named
from tests.app.commands.test_train_command import RECIPE
from tests.drawn import draw_face, write_dataset, write_own_photos

PHOTOS = 12


@pytest.fixture(scope="module")
def drawn_photos(tmp_path_factory):
    return write_own_photos(tmp_path_factory.mktemp("own") / "photos", PHOTOS, side=96)


@pytest.fixture
def photos(drawn_photos, tmp_path):
    """A folder of IMG_0001.JPG .. IMG_0012.JPG and keypoints.csv, which a test may change."""
    return shutil.copytree(drawn_photos, tmp_path / "photos")


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


def test_a_folder_of_pictures_and_one_csv_is_a_data_set(photos):
    data = load_data(photos)
    assert list(data.splits) == ["training", "validation", "report"]
    assert sum(map(len, data.splits.values())) == PHOTOS
    assert all(len(part) for part in data.splits.values())
    rows = {row[0]: np.array(row[1:], np.float32).reshape(68, 2) for row in table(photos)[1:]}
    for name, (file, points, _) in frames(data).items():
        assert name == file
        np.testing.assert_array_equal(points, rows[name])
    sample = data.splits["training"][0]
    assert sample["image"].shape == (96, 96, 3)
    assert data.notes == []
    assert data.people.startswith("nothing tells several people apart (neither a column person nor names as in Name_")
    sizes = {side: len(part) for side, part in data.splits.items()}
    counts = [f"{size} for {side} ({size} frame{'s' * (size > 1)})" for side, size in sizes.items()]
    assert data.people.endswith(", so every file counts as its own person: " + ", ".join(counts))
    np.testing.assert_array_equal(load_split(photos, "report").keypoints, data.splits["report"].keypoints)


def test_own_data_has_no_test_split(photos, fkp):
    with pytest.raises(DatasetError, match="data of your own have no test split; choose training, validation, report"):
        load_split(photos, "test")
    ended = fkp("evaluate", "--data", photos, "--split", "test")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert f"{photos} has no test split; choose training, validation, report" in ended.err


# -- Forms of the CSV


@pytest.mark.parametrize(
    "how",
    [
        {"separator": ";", "end": "\n"},
        {"separator": "\t"},
        {"encoding": "utf-8-sig"},
        {"encoding": "utf-16", "separator": "\t"},
        {"end": "\n"},
        {"name": "my labels.CSV"},
    ],
)
def test_spreadsheets_write_csv_in_many_ways(how, photos, drawn_photos):
    rows = table(photos)
    (photos / "keypoints.csv").unlink()
    write_table(photos, rows, **how)
    same_frames(photos, drawn_photos)


def renamed(*names):
    return lambda rows: rows[0].__setitem__(slice(1, None), list(names))


HEADERS = {
    "numbers, as the published files": renamed(*range(136)),
    "numbers from 1": renamed(*range(1, 137)),
    "from 1": renamed(*(f"{axis}{i}" for i in range(1, 69) for axis in "xy")),
    "the axis behind": renamed(*(f"{i}_{axis}" for i in range(68) for axis in "XY")),
    "a word before": renamed(*(f"landmark_{i}_{axis}" for i in range(68) for axis in "xy")),
    "a word and a dot": renamed(*(f"Point{i}.{axis}" for i in range(1, 69) for axis in "xy")),
    "any words": renamed(*(f"column {i}" for i in range(136))),
    "spaces and capitals": renamed(*(f" {axis}_{i} " for i in range(68) for axis in "XY")),
    "no name of the first": lambda rows: rows[0].__setitem__(0, ""),
    "empty rows and cells behind": lambda rows: [rows.insert(3, [""] * 140), *(row.extend(["", " "]) for row in rows)],
}


@pytest.mark.parametrize("case", HEADERS)
def test_columns_by_many_names(case, photos, drawn_photos):
    change(photos, HEADERS[case])
    same_frames(photos, drawn_photos)


def test_columns_are_taken_by_their_names_in_any_order(photos, drawn_photos):
    """All x before all y, among other columns, with the file's name last."""

    def reorder(rows):
        for i, row in enumerate(rows):
            row[:] = [f"{i}", *row[1::2], "success" if i == 0 else "1", *row[2::2], row[0]]
        rows[0][0] = "index"

    change(photos, reorder)
    data = same_frames(photos, drawn_photos, notes=1)
    assert data.notes[0].endswith("keypoints.csv: left out 2 other columns: index, success")


@pytest.mark.parametrize("word", ["", "p", "landmark ", "face.x"])
def test_all_x_before_all_y_by_their_names(word, photos, drawn_photos):
    def reorder(rows):
        for row in rows:
            row[1:] = row[1::2] + row[2::2]
        rows[0][1:] = [f"{word}{axis}{i}" for axis in "xy" for i in range(68)]

    change(photos, reorder)
    same_frames(photos, drawn_photos)


def test_the_first_of_two_sets_of_points_is_used(photos, drawn_photos):
    def double(rows):
        for row in rows[1:]:
            row += ["7"] * 136
        rows[0][1:] = [f"{word}_{i}_{axis}" for word in ("label", "guess") for i in range(68) for axis in "xy"]

    change(photos, double)
    data = same_frames(photos, drawn_photos, notes=1)
    assert "left out 136 other columns: guess_0_x, " in data.notes[0]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_the_line_of_the_separator_that_spreadsheets_write(separator, end, photos, drawn_photos):
    def fault(rows):
        rows[2][21] = "?"

    write_table(photos, table(photos), separator=separator, end=end)
    whole = (photos / "keypoints.csv").read_bytes()
    (photos / "keypoints.csv").write_bytes(f"sep={separator}{end}".encode() + whole)
    same_frames(photos, drawn_photos)
    rows = list(csv.reader(whole.decode().splitlines(), delimiter=separator))
    fault(rows)
    write_table(photos, [[f"sep={separator}"], *rows], separator="|", end=end)
    text = (photos / "keypoints.csv").read_text().replace("|", separator)
    (photos / "keypoints.csv").write_text(text.replace(f'"sep={separator}"', f"sep={separator}"), newline="")
    assert "left out 1 of 12 rows: row 4 (IMG_0002.JPG)" in load_data(photos).notes[0]


def test_a_csv_without_a_line_of_names_loses_no_row(photos, drawn_photos):
    change(photos, lambda rows: rows.pop(0))
    data = same_frames(photos, drawn_photos, notes=1)
    assert "has no line of column names; its first line counts as data" in data.notes[0]


def refused(folder, *words, code=1):
    """Loading fails with a one-line error that contains these words."""
    with pytest.raises(DatasetError) as error:
        load_data(folder)
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(str(folder))
    for word in words:
        assert word in message, message


def resized(points):
    def edit(rows):
        for i, row in enumerate(rows):
            row[1:] = [f"{axis}{n}" for n in range(points) for axis in "xy"] if i == 0 else ["5"] * 2 * points

    return edit


def every(convert):
    """Convert all numbers with `convert`, to text."""

    def edit(rows):
        for row in rows[1:]:
            row[1:] = [convert(float(cell)) for cell in row[1:]]

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


def test_the_choice_among_several_csv_files(photos, tmp_path, drawn_photos):
    (photos / "metadata.csv").write_text("camera,iso\nA,100\n")
    (photos / "._keypoints.csv").write_bytes(b"\0")
    data = same_frames(photos, drawn_photos, notes=1)  # keypoints.csv comes before other CSV files
    assert data.notes == [f"{photos}: left out 1 other CSV files, such as metadata.csv"]
    (photos / "folder.csv").mkdir()
    (photos / "keypoints.csv").rename(photos / "labels.csv")
    refused(photos, "holds 2 CSV files (labels.csv, metadata.csv); name one in place of the folder")
    same_frames(photos / "labels.csv", drawn_photos)
    for name in ("labels.csv", "metadata.csv"):
        (photos / name).unlink()
    refused(photos, "no such file, nor any other CSV of labels in this folder", "docs/own-data.md says how")


# -- From names to files


def rename(old, new):
    """Replaces `old` by `new` in the names of the CSV."""
    return lambda rows: [row.__setitem__(0, row[0].replace(old, new)) for row in rows[1:]]


NAMES = {
    "in small letters": rename("IMG", "img"),
    "without suffix": rename(".JPG", ""),
    "a whole path": lambda rows: None,
    "a path of another machine": rename("IMG", "C:\\Users\\me\\photos\\IMG"),
    "a path from above": rename("IMG", "./photos/IMG"),
    "spaces": rename("IMG", "  IMG"),
}


@pytest.mark.parametrize("case", NAMES)
def test_names_with_another_spelling_are_found_with_a_note(case, photos, drawn_photos):
    change(photos, NAMES[case] if case != "a whole path" else rename("IMG", f"{photos}/IMG"))
    data = same_frames(photos, drawn_photos, notes=case not in ("a whole path", "spaces"))
    if data.notes:
        name = table(photos)[1][0]
        assert f"found 12 files in other folders or spellings, such as {name} for IMG_0001.JPG" in data.notes[0]


@pytest.mark.parametrize("named", [True, False])
def test_pictures_in_folders_in_the_folder(named, photos, drawn_photos):
    (photos / "summer 2024").mkdir()
    for path in list(photos.glob("*.JPG")):
        path.rename(photos / "summer 2024" / path.name)
    if named:
        change(photos, rename("IMG", "summer 2024/IMG"))
    data = same_frames(photos, drawn_photos, notes=not named)
    assert all(file.startswith("summer 2024/") for part in data.splits.values() for file in part.files)


def test_a_name_that_several_files_have_is_not_guessed(photos):
    for folder in ("a", "b"):
        (photos / folder).mkdir()
        shutil.copy(photos / "IMG_0003.JPG", photos / folder)
    (photos / "IMG_0003.JPG").unlink()
    data = load_data(photos)
    assert len(frames(data)) == PHOTOS - 1
    assert "row 4 (IMG_0003.JPG) has a name that several files have; give the path" in data.notes[0]


def test_accents_of_another_system(photos):
    (photos / "IMG_0001.JPG").rename(photos / "Zoe\u0308.jpg")  # as macOS writes it
    change(photos, rename("IMG_0001.JPG", "Zo\u00eb.jpg"))
    assert len(frames(load_data(photos))) == PHOTOS


# -- Rows left out


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


@pytest.mark.parametrize("case", ROWS)
def test_an_implausible_row_is_left_out_with_a_note(case, photos):
    edit, words = ROWS[case]
    line = 3
    if words is None:
        line, words = 4, "the same points as an earlier row of the same picture"
    change(photos, edit)
    name = table(photos)[line - 1][0]
    data = load_data(photos)
    assert len(frames(data)) == PHOTOS - 1
    assert f"left out 1 of 12 rows: row {line} ({named(name)}) has {words}" in data.notes[0]
    assert all(np.isfinite(points).all() for _, points, _ in frames(data).values())


def test_unusual_but_possible_rows_are_kept(photos):
    """A point a little outside, one coordinate of -1, a face at the picture's edge, a face rolled by 80 degrees."""

    def edit(rows):
        cells(1, 21, -1, 40)(rows)
        moved(2, -min(float(cell) for cell in rows[2][1::2]) - 8, 0)(rows)
        points = np.array(rows[3][1:], float).reshape(68, 2) - 47.5
        turn = np.deg2rad(80)
        points = points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + 47.5
        rows[3][1:] = [str(v) for v in points.ravel()]

    change(photos, edit)
    assert len(frames(load_data(photos))) == PHOTOS
    assert load_data(photos).notes == []


def test_many_rows_are_counted_by_kind_and_three_of_each_named(photos):
    def edit(rows):
        for i in (1, 2, 3, 4):
            cells(i, 21, -1, -1)(rows)
        cells(8, 30, "?")(rows)

    change(photos, edit)
    note = load_data(photos).notes[0]
    assert "keypoints.csv: left out 5 of 12 rows: row 2 (IMG_0001.JPG), row 3 (IMG_0002.JPG), row 4 " in note
    assert "and 1 more have points at -1" in note
    assert "; row 9 (IMG_0008.JPG) has a label that is no number" in note


def test_pictures_that_cannot_be_opened_are_left_out(photos):
    (photos / "IMG_0002.JPG").write_bytes(b"not a picture")
    (photos / "IMG_0003.JPG").write_bytes(b"")
    note = load_data(photos).notes[0]
    assert "left out 2 of 12 rows: row 3 (IMG_0002.JPG), row 4 (IMG_0003.JPG) have a picture that cannot be rea" in note


def test_pictures_without_a_row_are_counted(photos):
    (photos / "run").mkdir()
    for name in ("IMG_0777.JPG", "IMG_0778.png", "run/loss.png", ".hidden.jpg", "notes.txt"):
        shutil.copy(photos / "IMG_0001.JPG", photos / name)
    assert load_data(photos).notes == [f"{photos}: left out 2 pictures without a row, such as IMG_0777.JPG"]


def test_two_faces_of_one_picture_are_two_frames_on_one_side(photos):
    def edit(rows):
        rows.append(list(rows[1]))
        moved(len(rows) - 1, 3, 0)(rows)

    change(photos, edit)
    data = load_data(photos)
    sides = [side for side, part in data.splits.items() for name in part.names if name == "IMG_0001.JPG"]
    assert len(sides) == 2
    assert len(set(sides)) == 1
    assert data.notes[0].endswith("has 1 further row for pictures with a row; each row is one face")


def test_labels_of_a_phones_picture_as_it_is_stored(photos):
    """If EXIF turns the picture, labels must fit the upright picture; labels of the stored one are refused."""
    image, points = draw_face(np.random.default_rng(5), size=(90, 120))
    exif = Image.Exif()
    exif[0x0112] = 6  # viewers turn it clockwise by 90 degrees
    stored = Image.fromarray(np.rot90(image).copy())
    stored.save(photos / "IMG_0001.JPG", quality=95, exif=exif)
    rows = table(photos)
    rows[1][1:] = [str(v) for v in points.ravel()]
    write_table(photos, rows)
    data = load_data(photos)
    assert data.notes == []
    sample = next(
        part[part.names.index("IMG_0001.JPG")] for part in data.splits.values() if "IMG_0001.JPG" in part.names
    )
    assert sample["image"].shape == (120, 90, 3)
    np.testing.assert_allclose(sample["keypoints"], points, atol=1e-3)
    rows[1][1:] = [str(v) for x, y in points for v in (y, 89 - x)]  # the points in the stored picture
    write_table(photos, rows)
    assert "has points of the picture as it is stored, but its EXIF orientation turns it" in load_data(photos).notes[0]


# -- People


def labelled_people(folder, people):
    rows = table(folder)
    write_table(folder, [[row[0], who, *row[1:]] for row, who in zip(rows, ["Person", *people], strict=True)])


def test_a_column_person_takes_precedence_over_file_names(photos):
    labelled_people(photos, ["ann", "bea", "cy", "dan"] * 3)
    data = load_data(photos)
    assert {who for part in data.splits.values() for who in part.people} == {"ann", "bea", "cy", "dan"}
    sides = [set(part.people) for part in data.splits.values()]
    assert [len(side) for side in sides] == [2, 1, 1]
    assert data.people == (
        "people are told apart by the column person: 2 for training (6 frames), 1 for validation (3 frames), "
        "1 for report (3 frames)"
    )


def test_one_person_by_several_spellings_is_one(photos):
    spellings = [
        "Zoé Prism",
        " zoé  PRISM",
        "Zoe\u0301 Prism\u00a0",
        "Bea",
        "BEA",
        "bea ",
        "Cy",
        "cy",
        "Cy",
        "dan",
        "Dan",
        "DAN",
    ]
    labelled_people(photos, spellings)
    people = {who for part in load_data(photos).splits.values() for who in part.people}
    assert len(people) == 4
    assert people <= {name.strip() for name in spellings}


def test_an_empty_cell_of_the_column_is_somebody_by_himself(photos):
    labelled_people(photos, ["ann", "bea", "cy", " "] * 3)
    data = load_data(photos)
    assert len({who for part in data.splits.values() for who in part.people}) == 6
    assert "the column person (3 files without an entry there count as their own person)" in data.people


def test_one_person_alone_is_divided_by_file(photos):
    labelled_people(photos, ["me"] * PHOTOS)
    data = load_data(photos)
    assert all(len(part) for part in data.splits.values())
    assert data.people.startswith("nothing tells several people apart")


def called(folder, names):
    for i, name in enumerate(names, 1):
        (folder / f"IMG_{i:04d}.JPG").rename(folder / name)
    change(folder, lambda rows: [row.__setitem__(0, name) for row, name in zip(rows[1:], names, strict=True)])


def test_names_of_the_courses_form_tell_people(photos):
    called(
        photos,
        [f"{who}_{i}{k}.jpg" for who in ("Ada_Lovelace", "Zoé_de_Mer", "Al_O'Hara-Li") for i in "01" for k in "01"],
    )
    data = load_data(photos)
    assert [set(part.people) for part in data.splits.values()] == [
        {who} for who in sorted(("Ada_Lovelace", "Zoé_de_Mer", "Al_O'Hara-Li"), key=lambda who: frames_side(data, who))
    ]
    assert data.people.startswith(
        "people are told apart by the file names: 1 for training (4 frames), 1 for validation"
    )


def frames_side(data, who):
    return next(i for i, part in enumerate(data.splits.values()) if who in part.people)


@pytest.mark.parametrize(
    "stem",
    [
        "IMG_0001",
        "IMG_01",
        "image_0001",
        "frame_12",
        "DSC_1234",
        "photo (1)",
        "PXL_20240501_123456",
        "WhatsApp Image 01",
        "2024_05",
        "a",
        "Ada_Lovelace",
        "Ada_Lovelace_1",
        "Ada_Lovelace_0012",
        "IMG_20240501_12",
        "00_11",
        "Ada__12",
        "face-12",
    ],
)
def test_names_of_cameras_are_no_people(stem):
    assert not has_course_form(f"some/{stem}.JPG")
    files = [f"{stem}{i}.jpg" for i in range(3)]
    assert tell_people(files, None) == (files, "file")


def test_one_name_of_the_courses_form_for_all_tells_nobody_apart():
    files = [f"Trip_Rome_{i:02d}.jpg" for i in range(20)]
    assert tell_people(files, None) == (files, "file")
    mixed = [*files, "IMG_0001.JPG"]
    assert tell_people(mixed, None) == (["Trip_Rome"] * 20 + ["IMG_0001.JPG"], "name")


@pytest.mark.parametrize("count", [3, 4, 5, 9, 10, 19, 20, 30, 100, 500])
def test_each_split_has_a_person_however_few_there_are(count):
    for seed in range(30):
        people = [f"{seed} {i}" for i in range(count)]
        sides = divide(people)
        numbers = {side: sum(each == side for each in sides.values()) for side in ("training", "validation", "report")}
        assert sum(numbers.values()) == count
        assert all(max(1, count // 20) <= numbers[side] <= max(1, count // 5) for side in ("validation", "report"))
        assert numbers["training"] >= count - 2 * max(1, count // 5) >= 1
        assert divide(people[::-1]) == sides


def test_a_good_split_by_hash_stays():
    people = [f"Person_{i}" for i in range(1000)]
    assert divide(people) == {who: split_of(who) for who in people}


def test_of_two_people_one_is_validation_and_of_one_none():
    assert sorted(divide(["a", "b"]).values()) == ["training", "validation"]
    assert divide(["a"]) == {"a": "training"}


# -- The published layout with the user's own files


def published(folder, rename_to, edit=lambda rows: None):
    """A drawn data set in the published layout, with renamed frames."""
    write_dataset(folder, people=3, videos=2, frames=3, test_frames=2)
    for part in ("training", "test"):
        path = folder / f"{part}_frames_keypoints.csv"
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        for i, row in enumerate(rows[1:], 1):
            new = rename_to(i, row[0])
            (folder / part / row[0]).rename(folder / part / new)
            row[0] = new
        edit(rows)
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
    return folder


@pytest.mark.parametrize("form", ["image_{:04d}.png", "IMG_{:04d}.jpg", "frame_{}.jpg"])
def test_the_published_layout_with_names_that_tell_nobody(form, tmp_path):
    data = load_data(published(tmp_path / "data", lambda i, name: form.format(i)))
    assert list(data.splits) == ["training", "validation", "report", "test"]
    assert all(len(part) for part in data.splits.values())
    assert len(data.splits["test"]) == 12
    people = [set(data.splits[side].people) for side in ("training", "validation", "report")]
    assert not people[0] & people[1]
    assert not people[0] & people[2]
    assert data.people.startswith("nothing tells several people apart")
    assert data.remarks == [data.people]


def test_names_of_the_form_stay_divided_as_ever_beside_others(tmp_path):
    data = load_data(published(tmp_path / "data", lambda i, name: f"IMG_{i:04d}.jpg" if i < 3 else name))
    for side in ("training", "validation", "report"):
        part = data.splits[side]
        for who in part.people:
            if "IMG" not in who:
                assert who in ("Ada_Circle", "Bruno_Square", "Gus_Cube")
    assert "by the file names (4 files not named as in Name_Surname_12.jpg count as their own person)" in data.people


def test_the_unchanged_published_layout_gives_no_note(drawn_data):
    assert load_data(drawn_data).remarks == []
    assert load_data(drawn_data).people.startswith(
        "people are told apart by the file names: 3 for training (18 frames)"
    )


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (ROWS["a hidden point at -1"][0], "row 3 (Ada_Circle_01.jpg) has points at -1, -1 or 0, 0, which mark"),
        (ROWS["all zeros"][0], "row 3 (Ada_Circle_01.jpg) has points at -1, -1 or 0, 0"),
        (ROWS["all the same"][0], "row 3 (Ada_Circle_01.jpg) has outer eye corners (points 36 and 45) that are not ap"),
        (moved(2, 400, 0), "row 3 (Ada_Circle_01.jpg) has points far outside the picture; correct or drop it"),
        (lambda rows: [moved(2, 400, 0)(rows), moved(3, 0, 400)(rows)], "2 of 12 rows are wrong: row 3 (Ada_Circle_"),
        (every(lambda v: f"{v / 200:.5f}"), "look normalised (no number above 2)"),
    ],
)
@pytest.mark.parametrize("command", ["train", "evaluate", "data show", "data check"])
def test_wrong_labels_of_the_published_layout_are_an_error(command, edit, words, tmp_path, fkp):
    data = published(tmp_path / "data", lambda i, name: name, edit)
    arguments = {
        "train": ["--data", data, "--out", tmp_path / "run"],
        "evaluate": ["--data", data, "--split", "report"],
        "data show": [data, "--out", tmp_path / "a.png"],
        "data check": [data],
    }[command]
    ended = fkp(*command.split(), *arguments)
    assert (ended.code, ended.err.count("\n"), ended.out) == (1, 1, "")
    assert f"{data / 'test_frames_keypoints.csv'}: " in ended.err
    assert words in ended.err
    assert not (tmp_path / "run").exists()


# -- The commands


@pytest.fixture
def small(tmp_path):
    """The file of a recipe that trains quickly."""
    (tmp_path / "small.toml").write_text(RECIPE)
    return tmp_path / "small.toml"


def test_train_says_once_what_it_left_out_and_by_what_people_are_told(photos, small, tmp_path, fkp):
    change(photos, cells(2, 21, -1, -1))
    options = ("train", "--data", photos, "--recipe", small, "--batch-size", 4, "--threads", 1)
    ended = fkp(*options, "--out", tmp_path / "run")
    assert ended.code == 0, ended.err
    assert ended.err.count("left out 1 of 12 rows: row 3 (IMG_0002.JPG) has points at -1, -1") == 1
    assert ended.err.count("so every file counts as its own person: ") == 1
    assert f"weights of epoch 3: {tmp_path / 'run' / 'weights.safetensors'}" in ended.err
    assert (tmp_path / "run" / "weights.safetensors").is_file()
    ended = fkp(*options, "--out", tmp_path / "quiet", "--quiet")
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert (tmp_path / "quiet" / "weights.safetensors").is_file()


def test_train_says_nothing_of_people_who_are_told_apart_as_ever(drawn_data, small, tmp_path, fkp):
    ended = fkp("train", "--data", drawn_data, "--recipe", small, "--threads", 1, "--out", tmp_path / "run")
    assert ended.code == 0, ended.err
    assert "told apart" not in ended.err


def test_too_few_pictures_to_train_on_are_told_with_the_division(photos, small, tmp_path, fkp):
    change(photos, lambda rows: rows.__delitem__(slice(4, None)))
    ended = fkp("train", "--data", photos, "--recipe", small, "--out", tmp_path / "run")
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert "has 1 training frames; batch norm needs two at least (nothing tells several people apart" in ended.err
    assert "1 for validation (1 frame), 1 for report (1 frame))" in ended.err
    assert not (tmp_path / "run").exists()


def test_nobody_for_validation_is_said(tmp_path, small, monkeypatch, fkp):
    monkeypatch.setattr("tests.drawn.VALIDATION_PEOPLE", ("Eva_Arc",))
    data = write_dataset(tmp_path / "data", people=2, videos=1, frames=3)
    ended = fkp("train", "--data", data, "--recipe", small, "--out", tmp_path / "run")
    assert ended.code == 0
    assert f"fkp: {data} has nobody for validation; the latest epoch's weights are kept\n" in ended.err


def test_evaluate_and_show_work_on_own_data(photos, tmp_path, fkp):
    change(photos, cells(2, 21, -1, -1))
    ended = fkp("evaluate", "--data", photos, "--split", "report", "--threads", 1)
    assert ended.code == 0
    assert ended.out.startswith("report: 1 face of 1 person, backend numpy")
    assert ended.err.count("\n") == 2
    assert "left out 1 of 12 rows" in ended.err
    assert "\nPerhaps a leak: nothing says who is in a file, so these people may be in " in ended.out
    labelled_people(photos, [f"p{i}" for i in range(PHOTOS)])
    ended = fkp("evaluate", "--data", photos, "--split", "report", "--threads", 1, "--quiet")
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    ended = fkp("evaluate", "--data", photos, "--split", "validation", "--threads", 1)
    assert "\nNo leak: none of these 2 people is in the training split" in ended.out
    ended = fkp("data", "show", photos, "--out", tmp_path / "a.png", "--count", 2, "--quiet")
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert (tmp_path / "a.png").is_file()


def test_check_reads_every_picture(photos, fkp, monkeypatch):
    ended = fkp("data", "check", photos)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[-1] == f"{photos}: 12 pictures and all their labels can be used"
    assert "so every file counts as its own person: " in ended.out
    head = (photos / "IMG_0004.JPG").read_bytes()
    (photos / "IMG_0004.JPG").write_bytes(head[: len(head) // 3])
    ended = fkp("data", "check", photos)
    words = "left out 1 of 12 rows: row 5 (IMG_0004.JPG) has a picture that cannot be read"
    assert (ended.code, ended.err) == (0, f"fkp: {photos / 'keypoints.csv'}: {words}\n")
    assert ended.out.splitlines()[-1] == f"{photos}: 11 pictures and all their labels can be used"

    def damaged(path):
        """Like a decoder that finds damage only when it reaches it."""
        if path.name == "IMG_0007.JPG":
            raise ImageError(f"{path}: is truncated or damaged")
        return read_image(path)

    monkeypatch.setattr("fkp_app.media.images.read_image", damaged)
    ended = fkp("data", "check", photos)
    assert ended.code == 1
    assert ended.err.splitlines()[1:] == [
        f"fkp: {photos / 'IMG_0007.JPG'}: is truncated or damaged",
        f"fkp: {photos}: 1 of 11 pictures cannot be read; replace them or drop their rows",
    ]


def test_everything_written_into_the_folder_itself_does_not_matter_later(photos, small, fkp):
    """A run's directory contains CSV files and pictures, too."""
    options = ("train", "--data", photos, "--recipe", small, "--batch-size", 4, "--threads", 1)
    assert fkp(*options, "--out", photos / "run", "--epochs", 1).code == 0
    assert load_data(photos).notes == []
    assert fkp("evaluate", "--data", photos, "--split", "validation", "--threads", 1).code == 0
    assert os.listdir(photos / "run")  # noqa: PTH208


def test_percent_of_large_pictures_are_refused(photos, drawn_photos):
    for path in photos.glob("*.JPG"):
        Image.open(path).resize((500, 400)).save(path)
    change(photos, every(lambda v: str(v)))  # no coordinate above 96, in pictures of 500 x 400
    refused(photos, "12 of 12 rows look like percent (no number above 100 in large pictures); multiply x by the")
    change(photos, every(lambda v: str(5 * v - 5)))
    assert len(frames(load_data(photos))) == PHOTOS


def test_names_that_mean_something_to_a_drawing_library(photos, tmp_path, fkp):
    """Dollars mark formulas in titles, brackets are markup in lines, and the font may lack letters."""
    called(photos, ["a$b^{$.jpg", "[red]x[b].jpg", "顔.jpg", *(f"$\\frac{i}.jpg" for i in range(PHOTOS - 3))])
    assert len(frames(load_data(photos))) == PHOTOS
    ended = fkp("data", "show", photos, "--out", tmp_path / "a.png", "--quiet")
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    for split in ("training", "validation", "report"):
        out = tmp_path / f"out {split}"
        ended = fkp("evaluate", "--data", photos, "--split", split, "--out", out, "--threads", 1, "--quiet")
        assert (ended.code, ended.err) == (0, "")
        assert (out / "sheet.png").is_file()


@pytest.mark.parametrize(("count", "words"), [(1, "1 picture was"), (3, "3 pictures were")])
def test_training_counts_the_pictures_whose_colours_are_a_guess(count, words, small, photos, fkp, tmp_path):
    training = load_data(photos).splits["training"]
    for path in training.paths[:count]:
        Image.open(path).convert("CMYK").save(path, "JPEG")
    ended = fkp(
        "train", "--data", photos, "--recipe", small, "--epochs", 2, "--batch-size", 4, "--out", tmp_path / "run"
    )
    assert ended.code == 0
    notes = [line for line in ended.err.splitlines() if "guess" in line]
    first = min(training.paths[:count])
    said = f"{words} converted or guessed when read, such as {first}: is CMYK without a colour profile; its colours"
    assert notes == [f"fkp: {photos}: {said} are a guess"]
