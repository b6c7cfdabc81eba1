"""The Haar cascades on photos with known faces, and the network's squares for their boxes."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from benchmarks.calibration.haar_calibration import SURE, cascade_faces, is_near
from fkp_app.backends.predictor import get_predictor
from fkp_app.errors import FkpError
from fkp_app.faces.detector import CASCADE, PASS_MARK, SECOND_CASCADE, FaceDetector, box_from_square, square_from_box
from fkp_app.faces.search import find_faces
from fkp_app.faces.windows import coarse_windows
from fkp_app.geometry.boxes import iou
from fkp_app.geometry.framing import face_square
from tests.free_pictures import group_picture, hopper

SEARCHED_AT_ONCE = (145, 99, 239, 239)
"""The face's box in the photo `hopper` if all of it is searched finely."""


@pytest.fixture(scope="module")
def detector():
    return FaceDetector()


@pytest.fixture(scope="module")
def group():
    return group_picture()


def around(face, box):
    """Whether a box frames the eyes of this face: both in the box's upper half, about 0.4 of its width apart."""
    x, y, w, h = box
    across, down = (face.eyes[0] - x) / w, (face.eyes[1] - y) / h
    return 0.3 < across < 0.7 and 0.2 < down < 0.55 and 0.25 < face.distance / w < 0.55


def test_the_group_picture_is_what_it_should_be(group):
    image, faces = group
    assert image.dtype == np.uint8
    assert len({round(face.distance / 10) for face in faces}) >= 3
    assert max(face.turn for face in faces) - min(face.turn for face in faces) > 15
    photo_turn = np.degrees(np.arctan2(192 - 196, 308 - 226))
    assert any(abs(face.turn - photo_turn - 15) < 0.01 for face in faces)


def test_exactly_the_faces_of_the_group_are_found(detector, group):
    image, faces = group
    before = image.copy()
    boxes = cascade_faces(detector, image)
    np.testing.assert_array_equal(image, before)
    assert len(boxes) == len(faces)
    for face in faces:
        assert sum(around(face, box) for box in boxes) == 1, face
    assert all(type(number) is int for box in boxes for number in box)
    areas = [w * h for _, _, w, h in boxes]
    assert areas == sorted(areas, reverse=True)


@pytest.mark.parametrize("zoom", [0.5, 2.0])
def test_faces_of_other_sizes_are_found_too(detector, group, zoom):
    image, faces = group
    scaled = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
    boxes = [tuple(number / zoom for number in box) for box in cascade_faces(detector, scaled)]
    assert len(boxes) == len(faces)
    assert all(any(around(face, box) for box in boxes) for face in faces)


def test_a_very_large_image_is_searched_at_a_bounded_size_and_boxes_come_back_in_its_pixels(detector, monkeypatch):
    image = cv2.resize(hopper(), None, fx=8, fy=8)
    searched = []

    def search(cascade, gray, *arguments):
        searched.append(gray.shape)
        return coarse_windows(cascade, gray, *arguments)

    spy = FaceDetector()
    monkeypatch.setattr("fkp_app.faces.detector.coarse_windows", search)
    (box,) = cascade_faces(spy, image)
    assert [max(shape) for shape in searched] == [1280]
    # Which windows pass depends on where the search begins, and a box is the mean of two dozen: its sides move by up to
    # 6 % of the face, the points that the network places by 0.6 % (the next test).
    for found in (cascade_faces(detector, hopper())[0], np.array(box) / 8):
        assert iou(np.array(found), np.array(SEARCHED_AT_ONCE)) > 0.88
    x, y, w, h = box
    assert x + w <= image.shape[1]
    assert y + h <= image.shape[0]


def test_points_are_the_same_at_every_size_at_which_a_face_is_searched(detector, monkeypatch):
    """Within a hundredth of the face's size: as it is, three times as large, and searched finely all over."""
    predictor = get_predictor("numpy")
    found = [find_faces(cv2.resize(hopper(), None, fx=zoom, fy=zoom), detector, predictor) for zoom in (1, 3)]
    monkeypatch.setattr("fkp_app.faces.detector.AT_ONCE", hopper().size)
    (expected,) = find_faces(hopper(), detector, predictor)
    for (face,), zoom in zip(found, (1, 3), strict=True):
        points = (face.keypoints + 0.5) / zoom - 0.5  # the centre of pixel x is x + 0.5 from the edge
        strayed = np.linalg.norm(points - expected.keypoints, axis=1)
        assert strayed.mean() < 0.01 * face_square(expected.keypoints)[2]


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (5, 5), (23, 24), (3000, 2), (300, 200)])
def test_an_image_without_a_face_has_none(detector, shape):
    assert cascade_faces(detector, np.full((*shape, 3), 128, np.uint8)) == []


def test_a_face_that_touches_the_edge_is_found(detector):
    for part in (hopper()[105:327, 155:377], hopper()[:, 165:], hopper()[:318]):
        ((x, y, w, h),) = cascade_faces(detector, part)
        assert 0 <= x < x + w <= part.shape[1]
        assert 0 <= y < y + h <= part.shape[0]


@pytest.mark.parametrize("zoom", [1, 4])
def test_with_a_margin_a_cut_face_is_found_where_it_is(detector, zoom):
    (whole,) = (one for one in detector.candidates(hopper()) if one.weight >= SURE)
    cut = hopper()[:, 200:]
    cut = cv2.resize(cut, None, fx=zoom, fy=zoom)  # at zoom 4 it is searched at a reduced size
    assert cascade_faces(detector, cut) == []
    best = max(detector.candidates(cut, margin=0.3), key=lambda one: one.weight)
    assert best.weight >= SURE
    expected = np.array(whole.square) - [200, 0, 0]
    np.testing.assert_allclose(np.array(best.square) / zoom, expected, atol=0.12 * whole.square[2])
    x, y, w, h = best.box
    assert x == 0 <= y
    assert y + h <= cut.shape[0]
    assert 0.5 < w / h < 1  # the box is cut off, too


def turned(image, angle):
    """The picture turned clockwise about its middle, at the same size, and the map (2, 3) from old to new pixels."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -angle, 1.0)
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), matrix


@pytest.mark.parametrize("zoom", [1, 5])
@pytest.mark.parametrize("angle", [-35, 35])
def test_a_face_found_in_the_image_turned_lies_where_it_is_in_the_image(detector, angle, zoom):
    (straight,) = (one for one in detector.candidates(hopper()) if one.weight >= SURE)
    image, matrix = turned(hopper(), -angle)
    image = cv2.resize(image, None, fx=zoom, fy=zoom)  # at zoom 5 it is searched at a reduced size
    best = max(detector.candidates(image, angle), key=lambda one: one.weight)
    assert best.weight >= SURE
    assert best.angle == angle
    cx, cy, side = best.square
    expected = matrix[:, :2] @ straight.square[:2] + matrix[:, 2]
    np.testing.assert_allclose(np.array([cx, cy]) / zoom, expected, atol=0.08 * straight.square[2])
    assert side / zoom == pytest.approx(straight.square[2], rel=0.12)
    x, y, w, h = best.box
    middle = matrix[:, :2] @ (np.array(straight.box[:2]) + straight.box[2] / 2) + matrix[:, 2]
    np.testing.assert_allclose(np.array([x + w / 2, y + h / 2]) / zoom, middle, atol=0.08 * straight.box[2])


def test_candidates_know_more_than_boxes_and_faces_outweigh_the_rest(detector, group):
    image, faces = group
    candidates = detector.candidates(image)
    assert [one.weight for one in candidates] == sorted((one.weight for one in candidates), reverse=True)
    boxes = sorted((one.box for one in candidates if one.weight >= SURE), key=lambda box: -box[2] * box[3])
    assert boxes == cascade_faces(detector, image)
    assert len(boxes) == len(faces)
    assert all(one.seconded >= 3 for one in candidates if one.weight >= SURE)  # the second cascade agrees
    for one in candidates[: len(faces)]:
        assert one.square == pytest.approx(square_from_box(one.box), abs=1.5)
    assert candidates == FaceDetector().candidates(image)  # every call gives the same candidates


@pytest.mark.parametrize("shrink", [2, 3, 4])
def test_a_square_of_a_shrunk_image_lies_where_its_pixels_were(shrink, monkeypatch):
    """A fake cascade gives a known answer, so that an error of half a pixel shows."""
    monkeypatch.setattr("fkp_app.faces.detector.LONGEST_SIDE", 400)
    monkeypatch.setattr("fkp_app.faces.detector.AT_ONCE", 400 * 300)
    window, spy = [120, 90, 100, 100], FaceDetector()
    passed = np.full(5, PASS_MARK + 1.0)
    found = (np.array([window] * 5), np.zeros(5), passed)
    monkeypatch.setattr(spy, "_first", SimpleNamespace(detectMultiScale3=lambda *args, **options: found))
    monkeypatch.setattr("fkp_app.faces.detector._seconded", lambda *args: 3)
    (small,) = spy.candidates(np.zeros((300, 400, 3), np.uint8))
    (large,) = spy.candidates(np.zeros((300 * shrink, 400 * shrink, 3), np.uint8))
    assert small.square == pytest.approx(square_from_box(window))
    # Pixel centres are whole numbers, and edges lie half a pixel beside them: the edges are scaled by the factor.
    edges = [number + 0.5 for number in small.square[:2]]
    assert [number + 0.5 for number in large.square[:2]] == pytest.approx([shrink * number for number in edges])
    assert large.square[2] == pytest.approx(shrink * small.square[2])
    assert large.box == tuple(shrink * number for number in window)


def test_noise_has_no_face(detector):
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    assert cascade_faces(detector, cv2.GaussianBlur(noise, (0, 0), 3)) == []


def test_an_opencv_without_the_cascade_is_named(monkeypatch, tmp_path):
    real = Path(cv2.data.haarcascades)
    monkeypatch.setattr(cv2.data, "haarcascades", str(tmp_path))
    with pytest.raises(FkpError, match=rf"{CASCADE}: cannot be loaded.*install opencv-python again"):
        FaceDetector()
    (tmp_path / CASCADE).write_text((real / CASCADE).read_text())
    with pytest.raises(FkpError, match=rf"{SECOND_CASCADE}: cannot be loaded"):
        FaceDetector()
    monkeypatch.delattr(cv2, "CascadeClassifier")
    with pytest.raises(FkpError, match="no Haar cascades: pip install"):
        FaceDetector()


def test_squares_grow_and_move_with_their_boxes():
    cx, cy, side = square_from_box((10, 20, 100, 100))
    assert 0.8 < side / 100 < 0.95
    assert abs(cx - 59.5) < 3
    assert 69.5 + 12 < cy < 69.5 + 20  # a Haar box begins at the forehead, keypoints begin at the brows
    # The middle of box (x, w) is x + (w - 1) / 2: pixel centres are whole numbers, at every size.
    x2, y2, side2 = square_from_box((10 + 7, 20 - 3, 200, 200))
    assert side2 == pytest.approx(2 * side)
    assert x2 - (17 + 199 / 2) == pytest.approx(2 * (cx - 59.5))
    assert y2 - (17 + 199 / 2) == pytest.approx(2 * (cy - 69.5))


def test_a_box_of_a_square_is_the_detectors_own_and_stays_in_the_frame():
    assert box_from_square(square_from_box((60, 50, 80, 80)), 0.0, 320, 240) == (60, 50, 80, 80)
    x, y, width, height = box_from_square((4.0, 4.0, 40.0), 30.0, 320, 240)
    assert x >= 0
    assert y >= 0
    assert width > 0
    assert height > 0


def test_the_square_lies_on_the_face(detector, group):
    image, faces = group
    squares = [square_from_box(box) for box in cascade_faces(detector, image)]
    for face in faces:
        cx, cy, side = min(squares, key=lambda square: np.hypot(square[0] - face.eyes[0], square[1] - face.eyes[1]))
        turn = np.deg2rad(face.turn)
        across, down = np.array([face.eyes[0] - cx, face.eyes[1] - cy]) / side
        along = across * np.cos(turn) + down * np.sin(turn)
        assert abs(along) < 0.15, face
        assert -0.4 < down * np.cos(turn) - across * np.sin(turn) < -0.1, face  # the eyes lie above the middle


def test_the_calibration_fits_people_it_was_not_measured_on(detector, real_data):
    from fkp_app.data.dataset import load_split

    frames = load_split(real_data, "validation")
    errors = []
    for i in range(0, len(frames), max(1, len(frames) // 60)):
        sample = frames[i]
        cx, cy, side = face_square(sample["keypoints"])
        for box in cascade_faces(detector, sample["image"])[:1]:
            x, y, guess = square_from_box(box)
            errors.append([(x - cx) / side, (y - cy) / side, guess / side - 1])
    assert len(errors) > 40
    middle = np.abs(np.median(errors, axis=0))
    assert (middle < [0.05, 0.03, 0.05]).all(), middle


def test_the_right_face_is_found_in_people_nothing_was_fitted_to(detector, real_data):
    from fkp_app.data.dataset import load_split

    frames = load_split(real_data, "validation")
    found = false = 0
    tried = range(0, len(frames), max(1, len(frames) // 60))
    for i in tried:
        labelled = face_square(frames[i]["keypoints"])
        boxes = cascade_faces(detector, frames[i]["image"])
        right = [is_near(square_from_box(box), labelled) for box in boxes]
        found += any(right)
        false += not all(right)
    assert found >= 0.97 * len(tried)
    assert false <= 0.03 * len(tried)
