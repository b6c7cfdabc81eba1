"""The data set: frames with the right labels, splits by person, and one error line for each fault of a CSV."""

import csv
import re
import warnings
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from fkp_app.data.dataset import DatasetError, FacialKeypointsDataset, Split, load_data, load_split, person, split_of
from fkp_app.media.images import read_image
from tests.drawn import (
    REPORT_PEOPLE,
    TRAINING_PEOPLE,
    VALIDATION_PEOPLE,
    draw_face,
    write_dataset,
    write_frame,
    write_labels,
)


def people(dataset):
    return {person(name) for name in dataset.names}


@pytest.fixture
def small(tmp_path):
    """Three labelled frames and one without a label: the CSV, the folder, the pictures, and the points."""
    rng = np.random.default_rng(7)
    pictures, labels, files = [], [], ["Ada_Circle_00.jpg", "Zoë_Ümlaut_12.jpg", "Bo_31.jpg"]
    for file in [*files, "Bo_32.jpg"]:
        image, points = draw_face(rng, size=(60, 50))
        write_frame(tmp_path / file, image, png=True)
        pictures.append(image)
        labels.append(points)
    write_labels(tmp_path / "labels.csv", files, labels[:3])
    return tmp_path / "labels.csv", tmp_path, pictures, labels


def test_samples_are_what_was_drawn(small):
    csv_file, folder, pictures, labels = small
    dataset = FacialKeypointsDataset(csv_file, folder)
    assert len(dataset) == 3
    assert dataset.names == ["Ada_Circle_00.jpg", "Zoë_Ümlaut_12.jpg", "Bo_31.jpg"]
    assert dataset.keypoints.shape == (3, 68, 2)
    for i in range(3):
        sample = dataset[i]
        np.testing.assert_array_equal(sample["image"], pictures[i])
        np.testing.assert_allclose(sample["keypoints"], labels[i], atol=1e-4)
        assert sample["keypoints"].dtype == np.float32
    with pytest.raises(IndexError):
        dataset[3]


def test_a_changed_sample_does_not_change_the_dataset(small):
    csv_file, folder, _, labels = small
    dataset = FacialKeypointsDataset(str(csv_file), str(folder))
    dataset[0]["keypoints"] += 1000
    np.testing.assert_allclose(dataset[0]["keypoints"], labels[0], atol=1e-4)


def test_copies_leave_the_original_alone(small):
    csv_file, folder, _, labels = small
    dataset = FacialKeypointsDataset(csv_file, folder)
    moved = dataset.with_transform(lambda sample: {**sample, "keypoints": sample["keypoints"] + 5})
    part = moved.subset([2, 0])
    np.testing.assert_allclose(part[0]["keypoints"], labels[2] + 5, atol=1e-4)
    assert part.names == ["Bo_31.jpg", "Ada_Circle_00.jpg"]
    np.testing.assert_allclose(dataset[2]["keypoints"], labels[2], atol=1e-4)
    both = dataset + part
    assert (len(both), len(dataset), len(part)) == (5, 3, 2)
    np.testing.assert_allclose(both[3]["keypoints"], labels[2], atol=1e-4)
    assert len(dataset.subset([])) == 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Ada_Circle_00.jpg", "Ada_Circle"), ("Abdel_Aziz_Al-Hakim_51.jpg", "Abdel_Aziz_Al-Hakim"), ("x.jpg", "x")],
)
def test_person(name, expected):
    assert person(name) == expected


def test_the_hash_of_a_name_decides_its_split():
    # `printf %s NAME | sha256sum` begins with c44187ea, 17e409b5 and e2313bb8: 3292628970, 400820661 and 3794877368.
    assert [split_of(name) for name in ("Gus_Cube", "Jan_Sphere", "Ada_Circle")] == ["validation", "report", "training"]
    assert set(map(split_of, TRAINING_PEOPLE)) == {"training"}
    assert set(map(split_of, VALIDATION_PEOPLE)) == {"validation"}
    assert set(map(split_of, REPORT_PEOPLE)) == {"report"}
    sides = [split_of(f"Person_{i}") for i in range(1000)]
    assert 80 < sides.count("validation") < 120
    assert 80 < sides.count("report") < 120


def test_splits_divide_people(drawn_data):
    splits = {split: load_split(drawn_data, split) for split in get_args(Split)}
    training, validation, report, test = splits.values()
    assert list(splits) == ["training", "validation", "report", "test"]
    assert people(training) == set(TRAINING_PEOPLE[:3])
    assert people(validation) == {VALIDATION_PEOPLE[0]}
    assert people(report) == {REPORT_PEOPLE[0]}
    assert people(test) == people(training) | people(validation) | people(report)
    assert [len(split) for split in splits.values()] == [3 * 2 * 3, 2 * 3 + 2 * 2, 2 * 3 + 2 * 2, 5 * 2 * 2]
    for seen_by_nobody in (validation, report):
        folders = [path.parent.name for path in seen_by_nobody.paths]
        assert (folders.count("training"), folders.count("test")) == (6, 4)
    assert not any("_99" in name for dataset in splits.values() for name in dataset.names)


def test_frames_of_one_name_in_two_folders_stay_apart(drawn_data):
    validation = load_split(drawn_data, "validation")
    one, two = (i for i, name in enumerate(validation.names) if name == "Gus_Cube_00.jpg")
    assert validation[one]["image"].shape != validation[two]["image"].shape or not np.array_equal(
        validation[one]["image"], validation[two]["image"]
    )
    for i in (one, two):
        with (drawn_data / f"{validation.paths[i].parent.name}_frames_keypoints.csv").open(encoding="utf-8") as file:
            row = next(row for row in csv.reader(file) if row[0] == "Gus_Cube_00.jpg")
        np.testing.assert_allclose(validation[i]["keypoints"].ravel(), np.array(row[1:], np.float32), rtol=1e-6)


def test_frames_are_read_whatever_their_names(drawn_data):
    test = load_split(drawn_data, "test", lambda sample: {**sample, "seen": True})
    kinds = set()
    for i in range(len(test)):
        with Image.open(test.paths[i]) as picture:
            kinds.add((picture.format, picture.mode))
        assert test[i]["image"].shape[2] == 3
        assert test[i]["seen"]
    assert kinds == {("JPEG", "RGB"), ("PNG", "RGBA")}


def test_the_same_seed_draws_the_same_data(tmp_path):
    one, two = (write_dataset(tmp_path / name, people=2, videos=1, frames=1, test_frames=1) for name in "ab")
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert len(files) == 2 + 3 + 3
    assert all((one / file).read_bytes() == (two / file).read_bytes() for file in files)


def refused(words, csv_file, folder=None):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DatasetError, match=words) as error:
            FacialKeypointsDataset(csv_file, folder or csv_file.parent)
    assert str(csv_file) in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 1


def rewrite(csv_file, change):
    with csv_file.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    change(rows)
    with csv_file.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return csv_file


def drop_column(rows):
    for row in rows:
        del row[40]


def add_column(rows):
    for row in rows:
        row.append("1")


def drop_names(rows):
    for row in rows:
        del row[0]


CHANGES = {
    "a column is missing": (drop_column, "must have 137 columns .* has 136"),
    "the names are missing": (drop_names, "must have 137 columns .* has 136"),
    "a column too many": (add_column, "must have 137 columns .* has 138"),
    "an empty label": (lambda rows: rows[2].__setitem__(9, ""), r"row 3 \(Zoë_Ümlaut_12\.jpg\) has a label that"),
    "a NaN": (lambda rows: rows[1].__setitem__(136, "NaN"), r"row 2 \(Ada_Circle_00\.jpg\) has a label that"),
    "an infinite label": (lambda rows: rows[3].__setitem__(1, "inf"), r"row 4 \(Bo_31\.jpg\) has a label that"),
    "a word": (lambda rows: rows[3].__setitem__(1, "left"), r"row 4 \(Bo_31\.jpg\) has a label that"),
    "a short row": (lambda rows: rows[2].__delitem__(slice(100, None)), "row 3"),
    "a long row": (lambda rows: rows[2].append("1"), "cannot be read as CSV"),
    "a label for a missing file": (lambda rows: rows[2].__setitem__(0, "gone_11.jpg"), "labels gone_11.jpg, which is"),
    "no rows": (lambda rows: rows.__delitem__(slice(1, None)), "has no rows"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_faulty_csv_is_refused(case, small):
    change, words = CHANGES[case]
    refused(words, rewrite(small[0], change))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cannot be read as CSV"),
        (b"<!DOCTYPE html>\n<html><body>404</body></html>", "columns|cannot be read as CSV"),
        (bytes(range(256)) * 20, "cannot be read as CSV"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "columns|cannot be read as CSV"),
    ],
)
def test_a_file_that_is_no_csv(content, words, tmp_path):
    (tmp_path / "labels.csv").write_bytes(content)
    refused(words, tmp_path / "labels.csv")


def test_a_csv_that_is_not_there_or_a_directory(tmp_path):
    refused("no such file", tmp_path / "none.csv")
    refused("cannot be read as CSV", tmp_path)


def test_one_word_in_a_large_csv_is_an_error_and_no_warning(tmp_path):
    rows = [["", *range(136)], *([f"a_{i}.jpg", *(["12.5"] * 136)] for i in range(3000))]
    rows[2500][70] = "?"
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    refused(re.escape("row 2501 (a_2499.jpg)"), tmp_path / "labels.csv")


def test_directories_that_are_no_data_set(tmp_path):
    with pytest.raises(DatasetError, match="none: no such directory"):
        load_split(tmp_path / "none", "training")
    with pytest.raises(DatasetError, match=r"test_frames_keypoints\.csv: no such file"):
        load_split(tmp_path, "training")


def test_an_unknown_split(drawn_data):
    with pytest.raises(ValueError, match="split must be one of training, validation, report, test, got 'val'"):
        load_split(drawn_data, "val")


def test_real_splits(real_data):
    splits = {split: load_split(real_data, split) for split in get_args(Split)}
    training, validation, report, test = splits.values()
    frames = FacialKeypointsDataset(real_data / "training_frames_keypoints.csv", real_data / "training")
    assert (len(frames), len(test)) == (3114, 693)
    assert [len(split) for split in splits.values()] == [
        2445,
        417,
        400,
        693,
    ]  # the people of the shipped weights
    data = load_data(real_data)
    assert data.remarks == []
    assert data.people == (
        "people are told apart by the file names: 244 for training (2445 frames), 35 for validation (417 frames), "
        "33 for report (400 frames)"
    )
    for split in splits.values():
        assert split.people == [person(name) for name in split.names]
    sides = [people(training), people(validation), people(report)]
    assert sum(map(len, sides)) == len(set.union(*sides)) == len(people(frames))
    assert set.union(*sides) == people(frames)
    assert sides[1] | sides[2] <= people(test)
    from_test = sum(path.parent.name == "test" for split in (validation, report) for path in split.paths)
    assert len(training) + len(validation) + len(report) - from_test == len(frames)
    assert all(0.05 < len(side) / len(people(frames)) < 0.15 for side in sides[1:])
    sizes = np.array([Image.open(path).size for path in frames.paths])[:, None]
    beyond = np.maximum(-frames.keypoints, frames.keypoints - (sizes - 1)).max(axis=(1, 2))
    assert (beyond > 0).sum() == 6  # none is refused, since points a little outside may be right
    assert 20 < beyond.max() < 25
    for i in range(0, len(training), 400):
        sample = training[i]
        height, width = sample["image"].shape[:2]
        inside = (sample["keypoints"] > -20) & (sample["keypoints"] < np.array([width, height]) + 20)
        assert inside.all()
        assert min(height, width) <= 250


def test_published_frames_and_labels(real_data):
    """raw/: RGBA PNGs named .jpg, some without a label."""
    raw = real_data / "raw"
    if not raw.is_dir():
        pytest.skip(f"{real_data} has no raw/")
    unlabelled = 0
    for folder in ("training", "test"):
        dataset = FacialKeypointsDataset(raw / f"{folder}_frames_keypoints.csv", raw / folder)
        assert dataset.notes == []
        unlabelled += len(list((raw / folder).glob("*.jpg"))) - len(dataset)
        for i in range(0, len(dataset), 5):
            np.testing.assert_array_equal(dataset[i]["image"], read_image(raw / folder / dataset.names[i]))
            assert dataset[i]["image"].shape[2] == 3
    assert unlabelled > 0
