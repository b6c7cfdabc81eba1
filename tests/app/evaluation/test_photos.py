"""Labelled photos: reading their labels, matching them with what is found, and the figures of it."""

import json

import numpy as np
import pytest
from PIL import Image

from fkp_app.data.labelled_photos import LabelledFace, LabelledPhoto, read_labelled_photos
from fkp_app.errors import FkpError
from fkp_app.evaluation.photos import compared, photo_figures, photo_table
from fkp_app.faces.detector import box_from_square
from fkp_app.faces.keypoints import Face
from fkp_app.geometry.framing import face_square

SHAPE = np.random.default_rng(3).uniform(0, 1, (68, 2))
SHAPE[[0, 1, 36, 45]] = (0, 0), (1, 1), (0.2, 0.3), (0.8, 0.3)


def points(x, y, side=100.0):
    return SHAPE * side + (x - side / 2, y - side / 2)


def seen(x, y, side=100.0):
    found = points(x, y, side)
    return Face(box_from_square(face_square(found), 0.0, 4000, 4000), 0.9, found.astype(np.float32))


def labelled(x, y, side=100.0, ignore=False, by="box"):
    if by == "points":
        return LabelledFace(None, points(x, y, side), ignore)
    return LabelledFace(np.array(box_from_square((x, y, side), 0.0, 4000, 4000), float), None, ignore)


def photo(*faces, name="a.jpg"):
    return LabelledPhoto(name, name, list(faces))


def test_each_face_is_counted_once_and_ignored_ones_not_at_all():
    faces = [labelled(200, 200), labelled(600, 200), labelled(1000, 200, ignore=True), labelled(1400, 200, 20.0)]
    found = [seen(205, 200), seen(210, 205), seen(1000, 210), seen(2000, 2000)]
    result = compared(photo(*faces), found)
    assert [at is found[0] if at else None for at in result.found] == [True, None, None]
    assert result.false == [found[1], found[3]]
    figures = photo_figures([result, compared(photo(name="b.jpg"), [])])
    assert [figures[key] for key in ("photos", "faces", "found", "false", "photos_with_false")] == [2, 3, 1, 2, 1]
    assert figures["recall"] == pytest.approx(100 / 3)
    assert figures["sizes"] == {"<30 px": [1, 0], "30-60 px": [0, 0], "60-120 px": [2, 1], ">120 px": [0, 0]}
    assert list(figures["missed"]) == list(figures["false_boxes"]) == ["a.jpg"]
    assert figures["missed"]["a.jpg"] == [faces[1].box.tolist(), faces[3].box.tolist()]
    assert figures["nme"] is None
    assert "NME" not in photo_table({"net": figures})


def test_points_give_an_error_in_percent_of_the_eye_distance():
    result = compared(photo(labelled(200, 200, by="points"), labelled(900, 900, by="points")), [seen(206, 200)])
    figures = photo_figures([result])
    assert (figures["points"], figures["found"], figures["faces"]) == (1, 1, 2)
    assert figures["nme"] == pytest.approx(100 * 6 / 60, rel=1e-4)
    assert "10.000 %" in photo_table({"net": figures})
    nothing = photo_figures([compared(photo(), [])])
    assert (nothing["recall"], nothing["faces"]) == (None, 0)
    assert "| net " in photo_table({"net": nothing})


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos").mkdir()
    for name in ("a.jpg", "b.png"):
        Image.new("RGB", (64, 48)).save(tmp_path / "photos" / name)
    return tmp_path / "photos"


def read(folder, content):
    path = folder.parent / "faces.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_labelled_photos(folder, path)


def test_both_forms_say_the_same(folder):
    face = {"box": [-5, 2, 30, 31.5], "confidence": None, "ignore": True}
    as_detect = [{"image": "somewhere/a.jpg", "width": 64, "height": 48, "faces": [face]}, {"image": "b", "faces": []}]
    for content in (as_detect, {"a.jpg": [face], "b.png": []}):
        one, other = read(folder, content)
        assert (one.path, other.path) == (folder / "a.jpg", folder / "b.png")
        assert other.faces == []
        assert one.faces[0].box.tolist() == [-5, 2, 30, 31.5]
        assert one.faces[0].ignore
        assert one.faces[0].keypoints is None
    ((found,),) = (one.faces for one in read(folder, {"a.jpg": [{"keypoints": points(20, 20).tolist()}]}))
    np.testing.assert_allclose(found.keypoints, points(20, 20))


BOX = {"box": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "faces.json: cannot be read as JSON ("),
        (3, "faces.json: must be a list of images or a table of names, got 3"),
        ({}, "faces.json: names no photo"),
        ([{"video": "a.mp4"}], "faces.json: entry 1 must be a table with image and faces, got {'video'"),
        ({"c.jpg": []}, "faces.json: c.jpg: a name that no file has, in "),
        ([{"image": "a.jpg", "faces": []}] * 2, "faces.json: a.jpg: occurs more than once"),
        ({"a.jpg": BOX}, "faces.json: a.jpg: its faces must be a list, got {'box'"),
        ({"a.jpg": [BOX, [1, 2, 3, 4]]}, "faces.json: a.jpg, face 2: must be a table with a box or keypoints, got [1,"),
        ({"a.jpg": [{}]}, "face 1: has neither a box nor keypoints"),
        ({"a.jpg": [{"box": [1, 2, 0, 4]}]}, "face 1: box must be x, y, width and height in pixels, got [1, 2, 0, 4]"),
        ({"a.jpg": [{"box": "abcd"}]}, "face 1: box must be"),
        ({"a.jpg": [{"box": [1, 2, 3, True]}]}, "face 1: box must be"),
        ({"a.jpg": [{"keypoints": [[1, 2]] * 67}]}, "face 1: keypoints must be 68 pairs of x and y in pixels, got [["),
        ({"a.jpg": [{"keypoints": [[1, 2]] * 68}]}, "face 1: the outer eye corners (points 36 and 45) coincide"),
        ({"a.jpg": [BOX | {"ignore": 1}]}, "face 1: ignore must be true or false, got 1"),
    ],
    ids=str,
)
def test_labels_that_cannot_be_used_are_one_line(folder, content, words):
    with pytest.raises(FkpError) as error:
        read(folder, content)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_the_folder_and_the_file_must_exist(tmp_path, folder):
    with pytest.raises(FkpError, match=r"nowhere: is no folder; name the one that holds the photos"):
        read_labelled_photos(tmp_path / "nowhere", tmp_path / "faces.json")
    with pytest.raises(FkpError, match=r"faces.json: .*; write it with fkp detect --json"):
        read_labelled_photos(folder, tmp_path / "faces.json")
