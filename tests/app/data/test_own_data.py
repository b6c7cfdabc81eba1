"""A folder of pictures and one CSV of labels is a data set, in each form in which programs write a CSV."""

import csv

import numpy as np
import pytest

from fkp_app.data.dataset import DatasetError, load_data, load_split
from tests.app.data.own_folders import PHOTOS, change, frames, refused, same_frames, table, write_table


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
