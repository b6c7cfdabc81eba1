"""From boxes to keypoints in image pixels, with predictors whose answers are known."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from fkp_app import detect
from fkp_app.backends.predictor import get_predictor
from fkp_app.faces.detector import Candidate, FaceDetector, square_from_box
from fkp_app.faces.keypoints import distinct_faces, find_keypoints, sights
from fkp_app.faces.search import find_faces
from fkp_app.geometry.framing import Framing, face_square
from tests.free_pictures import group_picture, hopper

FRAMING = Framing("face", 64, 1.3)


class Fake:
    """A predictor that gets the 68 points of each crop from a function, and records its batches."""

    def __init__(self, answer, framing=FRAMING):
        self.card = SimpleNamespace(framing=framing.as_dict())
        self.answer = answer
        self.batches = []

    def keypoints(self, crops):
        self.batches.append(crops)
        return np.stack([self.answer(crop[0]) for crop in crops]).astype(np.float32)


class Boxes:
    """A detector that returns these boxes at one angle and margin only."""

    def __init__(self, *boxes, angle=0.0, margin=0.0, weight=1e9):
        self.boxes, self.angle, self.margin, self.weight = list(boxes), angle, margin, weight
        self.asked = []

    def candidates(self, image, angle=0.0, margin=0.0):
        self.asked.append((angle, margin))
        boxes = self.boxes if angle == self.angle and margin == self.margin else []
        return [Candidate(box, square_from_box(box), angle, self.weight, 1000) for box in boxes]

    def least(self, height, width):
        return 30.0


SHAPE = np.random.default_rng(5).uniform(0, 1, (68, 2))
SHAPE[[0, 1, 36, 45]] = (0, 0), (1, 1), (0.2, 0.3), (0.8, 0.3)  # fills the unit square, with level eyes


def placed(middle, side, angle):
    """SHAPE with this middle and side, turned clockwise by `angle` degrees."""
    turn = np.deg2rad(angle)
    return side * (SHAPE - 0.5) @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + middle


def two_eyes(*faces):
    """A picture (400, 500) with a bright disc for each right eye and a dim one for each left eye of faces (68, 2)."""
    image = np.zeros((400, 500, 3), np.uint8)
    for points in faces:
        radius = np.linalg.norm(points[45] - points[36]) / 8
        for point, level in ((points[36], 255), (points[45], 140)):
            centre = tuple(round(float(number) * 16) for number in point)
            cv2.circle(image, centre, round(radius * 16), (level,) * 3, -1, cv2.LINE_AA, 4)
    return image


def eyes_in(crop):
    """The centres of the bright and of the dim disc."""
    count, labels = cv2.connectedComponents((crop > 0.25).astype(np.uint8))
    assert count == 3
    discs = [labels == 1, labels == 2]
    discs.sort(key=lambda disc: -crop[disc].max())
    return [np.argwhere(disc)[:, ::-1].mean(axis=0) for disc in discs]


def by_the_eyes(crop, inwards=0.0):
    """SHAPE fitted to the eyes in a crop. inwards: all points move by this share towards the crop's middle."""
    right, left = (complex(*eye) for eye in eyes_in(crop))
    shape = SHAPE[:, 0] + 1j * SHAPE[:, 1]
    points = right + (left - right) * (shape - shape[36]) / (shape[45] - shape[36])
    points += inwards * ((len(crop) - 1) / 2 * (1 + 1j) - points)
    return np.column_stack([points.real, points.imag])


def brightest(crop):
    """All 68 points at the crop's brightest spot."""
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
    square = square_from_box((415 - side // 2, 330 - side // 2, side, side))
    (points,) = find_keypoints(image, [square], predictor)
    assert points.dtype == np.float32
    np.testing.assert_allclose(points, np.tile([x, y], (68, 1)), atol=0.01 * side)


@pytest.mark.parametrize(("kind", "scale"), [("face", 1.3), ("frame", 2.04)])
def test_the_middle_of_the_crop_is_the_middle_of_the_face_square(kind, scale):
    cx, cy, side = 110.0, 120.0, 105.0
    predictor = Fake(lambda crop: [[31.5, 31.5]] * 67 + [[-0.5, -0.5]], Framing(kind, 64, scale))
    (points,) = find_keypoints(np.zeros((300, 300, 3), np.uint8), [(cx, cy, side)], predictor, refinements=0)
    np.testing.assert_allclose(points[0], [cx, cy], atol=1e-4)
    np.testing.assert_allclose(points[67], [cx - side * scale / 2, cy - side * scale / 2], atol=1e-3)


@pytest.mark.parametrize("angle", [0, 20, -35])
def test_a_second_look_is_upright_centred_and_as_large_as_in_training(angle):
    truth = placed((240, 190), 120, angle)
    predictor = Fake(by_the_eyes)
    first, second = sights(two_eyes(truth), [(252.0, 178.0, 140.0)], [0.0], predictor, 1)
    np.testing.assert_allclose(first[0], truth, atol=2)
    np.testing.assert_allclose(second[0], truth, atol=2)
    slopes = []
    for batch in predictor.batches:
        right, left = eyes_in(batch[0, 0])
        slopes.append(np.degrees(np.arctan2(*(left - right)[::-1])))
    assert slopes == pytest.approx([angle, 0], abs=2)
    side = 64 / FRAMING.scale
    np.testing.assert_allclose(left, 31.5 + side * (SHAPE[45] - 0.5), atol=0.7)
    np.testing.assert_allclose(right, 31.5 + side * (SHAPE[36] - 0.5), atol=0.7)


def test_an_angle_turns_the_crop_of_the_first_look():
    truth = placed((240, 190), 120, -30)
    predictor = Fake(by_the_eyes)
    (points,) = find_keypoints(two_eyes(truth), [(240.0, 190.0, 120.0)], predictor, 0, angles=[30.0])
    np.testing.assert_allclose(points, truth, atol=2)
    right, left = eyes_in(predictor.batches[0][0, 0])
    assert np.degrees(np.arctan2(*(left - right)[::-1])) == pytest.approx(0, abs=2)


def test_refining_corrects_the_error_of_a_misplaced_box():
    """The network errs towards the middle of its crop, like real ones."""
    truth = placed((240, 190), 120, 0)
    predictor = Fake(lambda crop: by_the_eyes(crop, inwards=0.15))
    square = (258.0, 178.0, 110.0)
    seen = sights(two_eyes(truth), [square], [0.0], predictor, 2)
    middles = [np.linalg.norm(np.array(face_square(points[0])[:2]) - (240, 190)) for points in seen]
    assert middles[0] > 2.5 > 0.8 > middles[1]
    for refinements in (0, 1, 2):
        (points,) = find_keypoints(two_eyes(truth), [square], predictor, refinements)
        np.testing.assert_array_equal(points, seen[refinements][0].astype(np.float32))


@pytest.mark.parametrize("answer", [31.5, np.nan, 1e7])
def test_points_that_make_no_face_are_not_followed(answer):
    predictor = Fake(lambda crop: np.full((68, 2), answer) + 5e6 * (answer > 1e6) * SHAPE)
    image = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    find_keypoints(image, [(40.0, 50.0, 30.0)], predictor, 1)
    first, second = predictor.batches
    np.testing.assert_array_equal(first, second)


def test_all_faces_of_an_image_are_one_batch_per_look():
    truth = [placed((100, 100), 60, 0), placed((350, 250), 150, 10), placed((380, 60), 70, -5)]
    boxes = [(60, 50, 80, 80), (260, 150, 180, 180), (335, 10, 90, 90)]
    predictor = Fake(by_the_eyes)
    faces = find_faces(two_eyes(*truth), Boxes(*boxes), predictor)
    assert [batch.shape for batch in predictor.batches] == [(3, 1, 64, 64)] * 2
    assert predictor.batches[0].dtype == np.float32
    assert [face.box for face in faces] == [boxes[1], boxes[2], boxes[0]]  # the largest first
    for face, points in zip(faces, [truth[1], truth[2], truth[0]], strict=True):
        np.testing.assert_allclose(face.keypoints, points, atol=3)
        assert face.keypoints.dtype == np.float32
        assert 0.5 < face.confidence <= 1


def test_two_boxes_on_one_face_are_one_face():
    truth = placed((240, 190), 120, 0)
    predictor = Fake(by_the_eyes)
    (face,) = find_faces(two_eyes(truth), Boxes((170, 110, 140, 140), (200, 120, 120, 120)), predictor)
    np.testing.assert_allclose(face.keypoints, truth, atol=3)
    side_by_side = np.stack([placed((100, 100), 50, 0), placed((130, 100), 50, 0), placed((140, 100), 50, 0)])
    # The second box shares 0.4 of the first, the third only 0.2.
    assert distinct_faces(side_by_side, np.array([0.9, 0.8, 0.7])) == [0, 2]
    assert distinct_faces(side_by_side, np.array([0.7, 0.8, 0.9])) == [2, 0]


@pytest.mark.parametrize("refinements", [0, 1, 2])
def test_unsure_faces_are_left_out(refinements):
    image, predictor = two_eyes(placed((240, 190), 120, 0)), Fake(by_the_eyes)
    doubtful = Boxes((170, 110, 140, 140), weight=1e-6)
    assert find_faces(image, doubtful, predictor, refinements, min_confidence=0.9999) == []
    (face,) = find_faces(image, doubtful, predictor, refinements, min_confidence=0)
    sure = find_faces(image, Boxes((170, 110, 140, 140)), predictor, refinements)[0]
    assert face.confidence < sure.confidence
    assert len(find_faces(image, doubtful, predictor, refinements, min_confidence=face.confidence)) == 1


@pytest.mark.parametrize("angle", [-45, -30, 30, 45])
def test_the_shipped_network_follows_a_head_far_to_the_side(angle):
    picture = hopper()
    matrix = cv2.getRotationMatrix2D((265, 215), -angle, 1.0)
    turned = cv2.warpAffine(picture, matrix, picture.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    (face,) = find_faces(turned, FaceDetector(), get_predictor())
    eyes = np.stack([face.keypoints[36:42].mean(axis=0), face.keypoints[42:48].mean(axis=0)])
    expected = np.array([(226, 196), (308, 192)]) @ matrix[:, :2].T + matrix[:, 2]
    assert np.abs(eyes - expected).max() < 0.2 * 82


def test_without_a_face_nothing_is_predicted():
    predictor = Fake(brightest)
    assert find_faces(np.zeros((1, 1, 3), np.uint8), Boxes(), predictor) == []
    assert not predictor.batches


@pytest.mark.parametrize("box", [(0, 0, 50, 50), (70, 60, 50, 50), (-20, -20, 60, 60), (0, 0, 120, 110), (0, 0, 1, 1)])
def test_a_face_at_the_edge_sees_the_edge_continued(box):
    image = np.full((110, 120, 3), 51, np.uint8)
    predictor = Fake(lambda crop: np.full((68, 2), 5.0))
    (points,) = find_keypoints(image, [square_from_box(box)], predictor)
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
    from fkp_app.media.images import write_image

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
