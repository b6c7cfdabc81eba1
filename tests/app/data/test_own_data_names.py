"""The names in a CSV of own labels lead to files, also in another spelling, form or folder."""

import shutil

import pytest

from fkp_app.data.dataset import load_data
from tests.app.data.own_folders import PHOTOS, change, frames, same_frames, table


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
