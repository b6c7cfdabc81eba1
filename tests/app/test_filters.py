"""Sunglasses: on the eyes, at every turn and size, and nowhere else."""

import numpy as np
import pytest
from PIL import Image

from fkp_app.detector import FaceDetector
from fkp_app.filters import ASSETS, STYLES, eye_transform, load_overlay, overlay, wear
from fkp_app.framing import apply
from fkp_app.keypoints import Face, find_faces
from tests.drawn import face_shape
from tests.free_pictures import group_picture

STYLE = STYLES["sunglasses"]
RED = (255, 0, 0)


def face(middle, side, angle=0.0):
    """A drawn face of this side, turned clockwise by `angle` degrees about `middle`; y points down."""
    turn = np.deg2rad(angle)
    points = side * face_shape() @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + middle
    box = (round(middle[0] - side / 2), round(middle[1] - side / 2), round(side), round(side))
    return Face(box, None, points.astype(np.float32))


def eyes(a_face):
    """The middles of the wearer's right and left eye."""
    return a_face.keypoints[36:42].mean(axis=0), a_face.keypoints[42:48].mean(axis=0)


@pytest.mark.parametrize("angle", [0, 15, -40, 90, 180])
@pytest.mark.parametrize("side", [12, 100, 900])
def test_the_overlays_eyes_come_to_the_faces_eyes(side, angle):
    a_face = face((310.0, 240.0), side, angle)
    placed = apply(eye_transform(a_face.keypoints, STYLE), np.array([STYLE.right_eye, STYLE.left_eye]))
    np.testing.assert_allclose(placed, eyes(a_face), atol=1e-3)


def test_the_overlay_is_turned_and_scaled_but_never_sheared_or_mirrored():
    linear = eye_transform(face((50.0, 60.0), 80, 33).keypoints, STYLE)[:, :2]
    zoom = np.hypot(*linear[:, 0])
    np.testing.assert_allclose(linear @ linear.T, zoom**2 * np.eye(2), atol=1e-9)
    assert np.linalg.det(linear) > 0


@pytest.mark.parametrize("angle", [0, 15, -30])
@pytest.mark.parametrize("side", [60, 400])
def test_both_eyes_are_covered_and_the_mouth_is_not(side, angle):
    image = np.full((500, 600, 3), 200, np.uint8)
    a_face = face((300.0, 250.0), side, angle)
    worn = wear(image, [a_face], STYLE)
    assert (image == 200).all()
    for x, y in eyes(a_face):
        assert worn[round(float(y)), round(float(x))].max() < 110  # dark glass over light skin
    for x, y in a_face.keypoints[[8, 30, 33, *range(48, 68)]]:
        assert (worn[round(float(y)), round(float(x))] == 200).all()


def test_colours_are_blended_by_alpha_and_nothing_else_is_touched():
    """An overlay without smooth edges, moved by whole pixels: every pixel is known."""
    rng = np.random.default_rng(1)
    rgba = rng.uniform(0, 1, (7, 9, 4)).astype(np.float32)
    rgba[:, :, 3] = rng.choice([0.0, 0.25, 1.0], (7, 9))
    image = rng.integers(0, 256, (40, 50, 3), np.uint8)
    expected = image.astype(np.float64)
    alpha = rgba[:, :, 3:].astype(np.float64)
    expected[11:18, 21:30] = alpha * 255 * rgba[:, :, :3] + (1 - alpha) * expected[11:18, 21:30]
    premultiplied = np.concatenate([rgba[:, :, :3] * rgba[:, :, 3:], rgba[:, :, 3:]], axis=2)
    before = image.copy()
    overlay(image, premultiplied, np.array([[1.0, 0, 21], [0, 1, 11]]))
    np.testing.assert_allclose(image, expected, atol=0.51)
    clear = np.ones((40, 50), bool)
    clear[11:18, 21:30] = rgba[:, :, 3] == 0
    np.testing.assert_array_equal(image[clear], before[clear])


def test_an_edge_is_never_darker_than_both_sides():
    """With straight alpha, interpolation would draw the black of clear pixels into the edge."""
    picture = np.zeros((20, 20, 4), np.float32)
    picture[5:15, 5:15] = 1  # white
    image = np.full((90, 90, 3), 255, np.uint8)
    overlay(image, picture, np.array([[2.3, 0.7, 10.2], [-0.7, 2.3, 30.9]]))
    assert image.min() >= 254


@pytest.mark.parametrize(
    "middle", [(0.0, 0.0), (-40.0, 60.0), (119.0, 30.0), (60.0, 99.0), (-500.0, -500.0), (1e6, 3.0)]
)
def test_glasses_are_cut_off_at_the_edge(middle):
    """A face beyond the edge gives the same pixels as in a larger picture of which this one is a part."""
    rng = np.random.default_rng(2)
    large = rng.integers(0, 256, (300, 320, 3), np.uint8)
    small = large[100:200, 100:220]
    worn = wear(small, [face(middle, 90, 10)], STYLE)
    whole = wear(large, [face((middle[0] + 100, middle[1] + 100), 90, 10)], STYLE)
    assert worn.shape == small.shape
    assert np.abs(worn.astype(int) - whole[100:200, 100:220]).max() <= 1  # float32 positions of other sizes


def test_a_near_face_covers_a_far_one_whatever_their_order():
    image = np.full((400, 400, 3), 250, np.uint8)
    near, far = face((200.0, 200.0), 200), face((230.0, 190.0), 90)
    one, other = wear(image, [near, far], STYLE), wear(image, [far, near], STYLE)
    np.testing.assert_array_equal(one, other)
    alone = wear(image, [near], STYLE)
    x, y = (round(float(v)) for v in eyes(near)[1])
    assert np.abs(one[y, x].astype(int) - alone[y, x]).max() < 60


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (300, 1)])
def test_pictures_of_any_shape(shape):
    image = np.full((*shape, 3), 128, np.uint8)
    assert wear(image, [face((10.0, 5.0), 40)], STYLE).shape == image.shape


@pytest.mark.parametrize("points", [np.full((68, 2), np.nan), np.full((68, 2), 7.0), np.full((68, 2), 1e30)])
def test_points_that_are_no_face_draw_nothing_wild(points):
    image = np.full((50, 60, 3), 128, np.uint8)
    worn = wear(image, [Face((0, 0, 9, 9), None, points.astype(np.float32))], STYLE)
    changed = (worn != image).any(axis=2)
    assert changed.sum() <= 4


def test_the_projects_picture_has_clear_and_dark_and_smooth_parts():
    with Image.open(ASSETS / STYLE.picture) as picture:
        assert picture.mode == "RGBA"
        width, height = picture.size
    rgba = load_overlay(STYLE.picture)
    assert rgba.shape == (height, width, 4)
    alpha = rgba[:, :, 3]
    assert (alpha == 0).mean() > 0.2
    assert ((alpha > 0.05) & (alpha < 0.95)).any()
    for x, y in (STYLE.right_eye, STYLE.left_eye):
        assert alpha[int(y), int(x)] > 0.7
        assert rgba[int(y), int(x), :3].max() < 0.4
    assert (rgba[:, :, :3] <= alpha[:, :, None] + 1e-6).all()  # premultiplied


def test_everyone_in_the_group_wears_them():
    from fkp_app.backends import get_predictor

    image, known = group_picture()
    worn = wear(image, find_faces(image, FaceDetector(), get_predictor()), STYLE)
    for there in known:
        turn = np.deg2rad(there.turn)
        for side in (-0.5, 0.5):  # the two eyes, a third of their distance to each side of the middle or more
            x = there.eyes[0] + side * there.distance * np.cos(turn)
            y = there.eyes[1] + side * there.distance * np.sin(turn)
            assert worn[round(y), round(x)].max() < 110, there
