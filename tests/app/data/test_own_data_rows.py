"""Rows of own labels that cannot be right are left out with a note; unusual but possible ones are kept."""

import shutil

import numpy as np
import pytest
from PIL import Image

from fkp_app.data.dataset import load_data
from fkp_app.wording import named
from tests.app.data.own_folders import PHOTOS, ROWS, cells, change, frames, moved, table, write_table
from tests.drawn import draw_face


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
