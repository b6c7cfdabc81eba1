"""The published layout with a user's own files: how people are told apart there, and wrong labels are an error."""

import csv

import pytest

from fkp_app.data.dataset import load_data
from tests.app.data.own_folders import ROWS, every, moved
from tests.drawn import write_dataset


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
