"""From boxes to keypoints in pixels of the image, with predictors whose answers are known."""

from types import SimpleNamespace

import numpy as np
import pytest

from fkp_app import detect
from fkp_app.backends import get_predictor
from fkp_app.detector import FaceDetector, square_from_box
from fkp_app.framing import Framing
from fkp_app.keypoints import find_faces, find_keypoints
from tests.free_pictures import group_picture, hopper

FRAMING = Framing("face", 64, 1.3)


class Fake:
    """A predictor that asks a function for the 68 points of every crop, and remembers the batches it was given."""

    def __init__(self, answer, framing=FRAMING):
        self.card = SimpleNamespace(framing=framing.as_dict())
        self.answer = answer
        self.batches = []

    def keypoints(self, crops):
        self.batches.append(crops)
        return np.stack([self.answer(crop[0]) for crop in crops]).astype(np.float32)


class Boxes:
    """A detector that knows."""

    def __init__(self, *boxes):
        self.boxes = list(boxes)

    def detect(self, image):
        return self.boxes


def brightest(crop):
    """All points on the crop's brightest spot."""
    weight = np.where(crop > 0.5 * crop.max(), crop, 0)
    rows, columns = np.mgrid[: crop.shape[0], : crop.shape[1]]
    return np.tile([(weight * columns).sum() / weight.sum(), (weight * rows).sum() / weight.sum()], (68, 1))


@pytest.mark.parametrize("side", [30, 64, 200, 500])
@pytest.mark.parametrize("size", [32, 112])
def test_a_point_seen_in_the_crop_lands_where_it_is_in_the_image(side, size):
    rows, columns = np.mgrid[:700, :900]
    x, y = 415.0 + side / 6, 330.0 + side / 5
    light = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * (side / 15) ** 2))
    image = np.repeat(light.astype(np.uint8)[:, :, None], 3, axis=2)
    predictor = Fake(brightest, Framing("face", size, 1.3))
    (points,) = find_keypoints(image, [(415 - side // 2, 330 - side // 2, side, side)], predictor)
    assert points.dtype == np.float32
    np.testing.assert_allclose(points, np.tile([x, y], (68, 1)), atol=0.01 * side)


@pytest.mark.parametrize(("kind", "scale"), [("face", 1.3), ("frame", 2.04)])
def test_the_middle_of_the_crop_is_the_middle_of_the_face_square(kind, scale):
    box = (50, 40, 120, 120)
    predictor = Fake(lambda crop: [[31.5, 31.5]] * 67 + [[-0.5, -0.5]], Framing(kind, 64, scale))
    (points,) = find_keypoints(np.zeros((300, 300, 3), np.uint8), [box], predictor)
    cx, cy, side = square_from_box(box)
    np.testing.assert_allclose(points[0], [cx, cy], atol=1e-4)
    np.testing.assert_allclose(points[67], [cx - side * scale / 2, cy - side * scale / 2], atol=1e-3)


def test_all_faces_of_an_image_are_one_batch_in_the_detectors_order():
    boxes = [(100, 100, 90, 90), (10, 10, 40, 40), (250, 30, 30, 30)]
    predictor = Fake(lambda crop: np.full((68, 2), 31.5))
    faces = find_faces(np.zeros((300, 300, 3), np.uint8), Boxes(*boxes), predictor)
    assert [face.box for face in faces] == boxes
    assert [face.confidence for face in faces] == [None] * 3
    (batch,) = predictor.batches
    assert batch.shape == (3, 1, 64, 64)
    assert batch.dtype == np.float32
    for face in faces:
        assert face.keypoints.shape == (68, 2)
        np.testing.assert_allclose(face.keypoints[0], square_from_box(face.box)[:2], atol=1e-3)


def test_without_a_face_nothing_is_predicted():
    predictor = Fake(brightest)
    assert find_faces(np.zeros((1, 1, 3), np.uint8), Boxes(), predictor) == []
    assert not predictor.batches


@pytest.mark.parametrize("box", [(0, 0, 50, 50), (70, 60, 50, 50), (-20, -20, 60, 60), (0, 0, 120, 110), (0, 0, 1, 1)])
def test_a_face_at_the_edge_sees_the_edge_continued(box):
    image = np.full((110, 120, 3), 51, np.uint8)
    predictor = Fake(lambda crop: np.full((68, 2), 5.0))
    (points,) = find_keypoints(image, [box], predictor)
    np.testing.assert_allclose(predictor.batches[0], np.float32(0.2), atol=1e-6)
    assert np.isfinite(points).all()


def test_the_shipped_network_puts_the_eyes_on_the_eyes():
    image, known = group_picture()
    faces = find_faces(image, FaceDetector(), get_predictor())
    assert len(faces) == len(known)
    for there in known:
        distances = [np.hypot(*(face.keypoints[36:48].mean(axis=0) - there.eyes)) for face in faces]
        face = faces[int(np.argmin(distances))]
        assert min(distances) < 0.2 * there.distance, there
        slope = face.keypoints[42:48].mean(axis=0) - face.keypoints[36:42].mean(axis=0)
        assert abs(np.degrees(np.arctan2(slope[1], slope[0])) - there.turn) < 10, there


@pytest.mark.torch
def test_both_backends_see_the_same():
    image, _ = group_picture()
    detector = FaceDetector()
    one = find_faces(image, detector, get_predictor("numpy"))
    other = find_faces(image, detector, get_predictor("torch"))
    assert [face.box for face in one] == [face.box for face in other]
    assert len(one) == 6
    for a, b in zip(one, other, strict=True):
        assert np.abs(a.keypoints - b.keypoints).max() < 0.05


def test_the_one_line_api_takes_a_file_or_an_array(tmp_path):
    from fkp_app.images import write_image

    write_image(tmp_path / "photo.png", hopper())
    (from_file,), (from_array,) = detect(str(tmp_path / "photo.png")), detect(hopper())
    assert from_file.box == from_array.box
    assert abs(from_file.box[0] - 155) < 15
    np.testing.assert_array_equal(from_file.keypoints, from_array.keypoints)


@pytest.mark.parametrize(
    "image", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 4), np.uint8), np.zeros((9, 9, 3)), np.zeros((0, 9, 3), "u1")]
)
def test_the_one_line_api_refuses_what_is_no_rgb_image(image):
    with pytest.raises(ValueError, match=r"image: must be uint8 RGB \(H, W, 3\), got "):
        detect(image)
