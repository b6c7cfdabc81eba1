"""The coarse search and the fine one find what one fine search of the whole picture finds."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from skimage.data import coffee

from fkp_app.backends.predictor import get_predictor
from fkp_app.faces.detector import CASCADE, FaceDetector, load_cascade
from fkp_app.faces.search import find_faces
from fkp_app.faces.windows import LEFT_OUT, MOST, WINDOW, coarse_windows, fine_windows
from fkp_app.geometry.boxes import iou, turn_image
from fkp_app.geometry.framing import face_square
from tests.free_pictures import astronaut, group_picture, hopper


@pytest.fixture(scope="module")
def easier():
    return load_cascade(CASCADE, LEFT_OUT)


@pytest.fixture(scope="module")
def cascade():
    return load_cascade(CASCADE)


def gray_of(image):
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def turned(image, angle):
    """The picture turned clockwise, at the size that holds it all."""
    return np.stack([turn_image(np.ascontiguousarray(image[..., i]), angle)[0] for i in range(3)], axis=2)


PICTURES = {
    "a group": lambda: group_picture()[0],
    "a group, twice as large": lambda: cv2.resize(group_picture()[0], None, fx=2, fy=2),
    "one face": lambda: cv2.resize(astronaut(), (1280, 960)),
    "a face that is cut off": lambda: np.ascontiguousarray(hopper()[:, 200:]),
    "a turned face": lambda: turned(hopper(), 35),
    "no face": lambda: cv2.resize(coffee(), (916, 900)),
}


@pytest.mark.parametrize("picture", PICTURES)
def test_two_searches_find_the_faces_of_one(picture, monkeypatch):
    image, predictor = PICTURES[picture](), get_predictor("numpy")
    found = find_faces(image, FaceDetector(), predictor)
    monkeypatch.setattr("fkp_app.faces.detector.AT_ONCE", image.size)
    expected = find_faces(image, FaceDetector(), predictor)
    assert len(found) == len(expected)
    assert bool(found) == (picture != "no face")
    for face in expected:
        points = min((one.keypoints for one in found), key=lambda points: np.abs(points - face.keypoints).sum())
        strayed = np.linalg.norm(points - face.keypoints, axis=1).mean()
        assert strayed < 0.02 * face_square(face.keypoints)[2]


def test_the_coarse_search_passes_all_that_the_whole_cascade_passes(cascade, easier):
    gray = gray_of(group_picture()[0])
    few, many = ({tuple(box) for box in each.detectMultiScale(gray, 1.2, 0)} for each in (cascade, easier))
    assert few
    assert few < many


@pytest.mark.parametrize(("angle", "margin"), [(0, 0), (0, 150), (-35, 0), (20, 60)])
def test_coarse_windows_lie_where_the_turned_and_extended_picture_shows_the_face(cascade, easier, angle, margin):
    upright = hopper()
    gray, _ = turn_image(gray_of(upright), -angle)
    whole, _ = turn_image(gray, angle, margin)
    near = coarse_windows(easier, gray, 30, angle, margin)
    assert near[:, 2].min() >= 30
    # The face's box in the upright photo, whose middle stays the middle.
    box = np.array([145.0, 99, 239, 239])
    box[:2] += (np.array(whole.shape[::-1]) - upright.shape[1::-1]) / 2
    best = max(fine_windows(cascade, whole, 30, near), key=lambda part: len(part[0]))
    assert len(best[0]) >= 10
    assert iou(best[0].mean(axis=0), box) > 0.75
    assert sum(iou(window, box) > 0.6 for window in near) >= 2


def test_no_window_is_smaller_than_asked_and_copies_shrink_until_the_window_covers_them():
    asked = []

    def search(gray, factor, neighbours, maxSize):
        asked.append((*gray.shape, maxSize))
        return ()

    spy = SimpleNamespace(detectMultiScale=search)
    assert coarse_windows(spy, np.zeros((480, 640), np.uint8), 40).shape == (0, 4)
    assert asked == [(240, 320, (MOST, MOST)), (120, 160, (MOST, MOST)), (60, 80, (MOST, MOST)), (30, 40, (MOST, MOST))]
    assert all(min(height, width) >= WINDOW for height, width, _ in asked)


def test_the_fine_search_looks_only_around_the_coarse_windows():
    seen = []

    def search(gray, factor, neighbours, minSize, maxSize, outputRejectLevels):
        seen.append((gray.shape, minSize, maxSize))
        return np.array([[3, 4, 50, 50]]), np.zeros(1), np.ones(1)

    spy, gray = SimpleNamespace(detectMultiScale3=search), np.zeros((600, 800), np.uint8)
    assert list(fine_windows(spy, gray, 30, np.empty((0, 4)))) == []
    ((windows, passed),) = fine_windows(spy, gray, 30, np.array([[200.0, 300, 60, 60], [204.0, 300, 60, 60]]))
    ((height, width), (least, _), (most, _)) = seen[0]
    assert 60 < height < 180
    assert 64 < width < 180
    assert 30 <= least < 60 < most < 120
    x, y, w, h = windows[0]
    assert (w, h) == (50, 50)
    assert 100 < x - 3 < 200 < y - 4 < 300
    assert passed.tolist() == [1.0]
    (whole,) = fine_windows(spy, gray, 30, None)
    assert whole[0].tolist() == [[3, 4, 50, 50]]
    assert seen[-1][0] == gray.shape


def test_a_picture_without_anything_is_not_searched_finely(monkeypatch):
    detector = FaceDetector()
    monkeypatch.setattr(detector, "_first", None)  # any use of it would fail
    assert detector.candidates(np.full((900, 900, 3), 128, np.uint8)) == []
