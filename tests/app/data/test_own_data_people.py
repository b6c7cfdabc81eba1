"""People of own data are told apart by a column or by file names, and each is on one side of the split."""

import pytest

from fkp_app.data.dataset import load_data
from fkp_app.data.people import divide, has_course_form, split_of, tell_people
from tests.app.data.own_folders import PHOTOS, called, labelled_people


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
