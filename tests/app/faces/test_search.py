"""Where a photo is searched: in which order, what ends the search, and how what it finds is judged."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage.data import checkerboard

from fkp_app.backends.predictor import get_predictor
from fkp_app.faces.context import in_context
from fkp_app.faces.detector import Candidate, FaceDetector
from fkp_app.faces.keypoints import Face
from fkp_app.faces.search import EDGES, FAR_TILTED, SIDES, TILTED, UPRIGHT, Way, find_faces, proposed
from fkp_app.faces.views import TILE_SIDE, View
from fkp_app.geometry.keypoint_layout import eye_angle
from tests.app.faces.test_keypoints import Fake, by_the_eyes, placed, two_eyes
from tests.free_pictures import EYES, astronaut, group_picture, hopper

SQUARE = (240.0, 190.0, 120.0)
BLANK = np.random.default_rng(0).integers(0, 256, (400, 500, 3), dtype=np.uint8)


class Told:
    """A detector that proposes one face square, if a picture as wide as `width` is searched at one of these angles."""

    def __init__(self, *angles, square=SQUARE, weight=1e9, width=500):
        self.angles, self.square, self.weight, self.width = angles, square, weight, width
        self.asked = []

    def candidates(self, image, angle=0.0, margin=0.0):
        self.asked.append((angle, margin, image.shape[1]))
        if angle not in self.angles or margin or image.shape[1] != self.width:
            return []
        x, y, side = self.square
        box = (round(x - side / 2), round(y - side / 2), round(side), round(side))
        return [Candidate(box, self.square, angle, self.weight, 1000)]

    def least(self, height, width):
        return 30 * max(1, width / 1000)


def ways(*stages):
    return [(way.angle, way.margin) for stage in stages for way in stage]


def asked(detector, whole=True):
    return [(angle, margin) for angle, margin, width in detector.asked if (width == detector.width) == whole]


def test_each_stage_is_searched_only_if_no_face_is_sure():
    for angle, stages in ((0, [UPRIGHT]), (30, [UPRIGHT, EDGES, TILTED])):
        detector = Told(angle)
        (face,) = find_faces(two_eyes(placed(SQUARE[:2], 120, -angle)), detector, Fake(by_the_eyes))
        np.testing.assert_allclose(face.keypoints, placed(SQUARE[:2], 120, -angle), atol=3)
        assert asked(detector) == ways(*stages)
    nothing = Told()
    assert find_faces(BLANK, nothing, Fake(by_the_eyes)) == []
    assert asked(nothing) == ways(UPRIGHT, EDGES, TILTED, FAR_TILTED, SIDES)


def test_an_unsure_face_does_not_end_the_search():
    detector = Told(0, weight=1e-6)
    find_faces(two_eyes(placed(SQUARE[:2], 120, 0)), detector, Fake(by_the_eyes))
    assert asked(detector)[-1] == ways(SIDES)[-1]


def test_beside_a_sure_face_a_small_copy_without_it_is_searched():
    class Watching(Told):
        def candidates(self, image, angle=0.0, margin=0.0):
            if image.shape[1] != self.width:
                assert image.max() < 255  # the discs of the eyes are painted over
            return super().candidates(image, angle, margin)

    detector = Watching(0)
    find_faces(two_eyes(placed(SQUARE[:2], 120, 0)), detector, Fake(by_the_eyes))
    beside = asked(detector, whole=False)
    assert beside == ways(EDGES, TILTED)
    assert all(width < 250 for _, _, width in detector.asked[1:])


def test_beside_a_face_that_lies_on_its_side_the_copy_is_searched_turned():
    class Lying(Told):
        def candidates(self, image, angle=0.0, margin=0.0):
            return [replace(one, angle=90.0) for one in super().candidates(image, angle, margin)]

    detector = Lying(0)
    (face,) = find_faces(two_eyes(placed(SQUARE[:2], 120, -90)), detector, Fake(by_the_eyes))
    assert abs(float(eye_angle(face.keypoints))) == pytest.approx(90, abs=3)
    turned = [(angle + 90, margin) for angle, margin in ways(UPRIGHT, EDGES, TILTED)]
    assert asked(detector) == ways(UPRIGHT)
    assert asked(detector, whole=False) == turned


def test_what_a_doubtful_way_proposes_must_be_surer():
    image = two_eyes(placed(SQUARE[:2], 120, 0))
    odds = []
    for doubt in (0, 1.3):
        detector = Told(0, weight=1e-7)
        (face,) = proposed(image, [View(image)], [Way(doubt=doubt)], detector, Fake(by_the_eyes))
        odds.append(np.log(face.confidence / (1 - face.confidence)))
    assert odds[0] - odds[1] == pytest.approx(1.3, abs=1e-3)


def test_known_faces_are_not_proposed_again():
    image, predictor = two_eyes(placed(SQUARE[:2], 120, 0)), Fake(by_the_eyes)
    for known, count in (((250.0, 190.0, 110.0), 0), ((340.0, 190.0, 110.0), 1)):
        assert len(proposed(image, [View(image)], UPRIGHT, Told(0), predictor, known=[known])) == count


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_photos_on_their_side_get_their_points_the_right_way_up(angle):
    picture = np.ascontiguousarray(np.rot90(hopper(), -angle // 90))
    (face,) = find_faces(picture, FaceDetector(), get_predictor())
    assert abs((float(eye_angle(face.keypoints)) - angle + 180) % 360 - 180) < 10


@pytest.mark.parametrize("gain", [0.15, 0.3])
def test_dark_pictures_give_the_same_faces(gain):
    image, predictor = group_picture()[0], get_predictor()
    bright = find_faces(image, FaceDetector(), predictor)
    dark = find_faces((image * gain).astype(np.uint8), FaceDetector(), predictor)
    assert len(dark) == len(bright) == 6
    for one, other in zip(sorted(dark, key=where), sorted(bright, key=where), strict=True):
        assert np.abs(one.keypoints - other.keypoints).mean() < 0.03 * other.box[2]


def where(face):
    return face.keypoints.mean(axis=0).tolist()


@pytest.mark.parametrize("turn", [-35, 40])
def test_a_tilted_head_is_found_beside_an_upright_one_and_a_pattern(turn):
    canvas = np.full((960, 1280, 3), (90, 100, 110), np.uint8)
    canvas[40:240, 40:240] = checkerboard()[..., None]
    canvas[500:900, 960:1240] = (cv2.resize(hopper(), (280, 400)) * 0.35).astype(np.uint8)
    eyes = np.array(EYES["astronaut"])
    matrix = cv2.getRotationMatrix2D(tuple(eyes.mean(axis=0)), -turn, 2.5)
    matrix[:, 2] += np.array([560, 460]) - eyes.mean(axis=0)
    canvas[160:860, 260:860] = cv2.warpAffine(astronaut(), matrix, (1280, 960), borderMode=cv2.BORDER_REPLICATE)[
        160:860, 260:860
    ]
    faces = find_faces(canvas, FaceDetector(), get_predictor())
    assert len(faces) == 2
    main = max(faces, key=lambda face: np.ptp(face.keypoints[:, 0]))
    assert abs(float(eye_angle(main.keypoints)) - turn) < 12
    assert np.linalg.norm(main.keypoints[36:48].mean(axis=0) - (560, 460)) < 30


@pytest.mark.parametrize(("size", "face", "columns"), [((3000, 4000), 110, 6), ((900, 5400), 90, 9)])
def test_small_faces_in_large_pictures_are_found(size, face, columns):
    height, width = size
    rows = 3 if height > 1000 else 1
    canvas = np.full((height, width, 3), (200, 205, 210), np.uint8)
    photo = cv2.resize(astronaut()[30:230, 120:320], None, fx=face / 90, fy=face / 90, interpolation=cv2.INTER_AREA)
    for i in range(rows * columns):
        x, y = int((i % columns + 0.5) * width / columns), int((i // columns + 0.5) * height / rows)
        h, w = photo.shape[:2]
        canvas[y - h // 2 : y - h // 2 + h, x - w // 2 : x - w // 2 + w] = photo
    assert len(find_faces(canvas, FaceDetector(), get_predictor())) == rows * columns


def test_tiles_are_searched_if_the_detector_finds_smaller_faces_in_them():
    class Steady(Told):
        def least(self, height, width):
            return 30.0

    image = cv2.resize(BLANK, (2000, 1600))
    for detector, tiled in ((Told(), True), (Steady(), False)):
        assert find_faces(image, detector, Fake(by_the_eyes)) == []
        assert ((0.0, 0.0, TILE_SIDE) in detector.asked) == tiled


def face(confidence, side=100.0, roll=0.0, at=(300, 300)):
    return Face((0, 0, round(side), round(side)), confidence, placed(at, side, roll).astype(np.float32))


def test_sure_faces_make_small_and_upside_down_ones_less_likely():
    sure = face(0.99, 200)
    small, large, turned, tilted = face(0.8, 40), face(0.8, 90), face(0.8, 150, 180), face(0.8, 150, 40)
    answers = in_context([small, sure, large, turned, tilted])
    assert answers[1:3] == [sure, large]
    assert answers[4] == tilted
    assert answers[0].confidence < 0.5
    assert answers[3].confidence < 0.2
    assert in_context([small, turned]) == [small, turned]
    assert in_context([sure, face(0.98, 20, 180)])[1].confidence == 0.98
