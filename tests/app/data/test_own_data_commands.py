"""`fkp train`, `fkp evaluate` and `fkp data` on own data: what they print and write."""

import os

import pytest
from PIL import Image

from fkp_app.data.dataset import load_data
from fkp_app.media.images import ImageError, read_image
from tests.app.commands.test_train_command import RECIPE
from tests.app.data.own_folders import PHOTOS, called, cells, change, frames, labelled_people
from tests.drawn import write_dataset


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
