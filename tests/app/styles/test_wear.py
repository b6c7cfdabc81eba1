"""Styles on faces: in the right place at each angle and size, blended by the formula, with no change elsewhere."""

import numpy as np
import pytest

from fkp_app.faces.detector import FaceDetector
from fkp_app.faces.keypoints import Face
from fkp_app.faces.search import find_faces
from fkp_app.styles.library import Style, load_style
from fkp_app.styles.overlay import Shadow, blend, make_layers
from fkp_app.styles.placing import Anchor, place, yaw
from fkp_app.styles.wear import visible, wear
from tests.drawn import face_shape
from tests.free_pictures import astronaut, group_picture, hopper

GLASSES = ("sunglasses", "aviator", "round", "hearts", "reading")
DARK = load_style("sunglasses")
NO_SHADOW = Shadow()
PLAIN = (Anchor((36,), (0.0, 0.0)), Anchor((45,), (10.0, 0.0)))
FOUR = (Anchor((0,), (0.0, 0.0)), Anchor((1,), (80.0, 0.0)), Anchor((2,), (80.0, 50.0)), Anchor((3,), (0.0, 50.0)))


def face(middle, side, angle=0.0):
    """A drawn face of this side, turned clockwise by `angle` degrees about `middle`; y points down."""
    turn = np.deg2rad(angle)
    points = side * face_shape() @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + middle
    box = (round(middle[0] - side / 2), round(middle[1] - side / 2), round(side), round(side))
    return Face(box, None, points.astype(np.float32))


def turned(degrees, roll=0.0, nearness=0.0):
    """Keypoints of a drawn solid face, turned to the picture's right. nearness: strength of perspective."""
    flat = face_shape()
    depth = -0.6 * flat[:, 0] ** 2  # the face is 1 (about 150 mm) wide, and round
    depth[27:31] += [0.03, 0.08, 0.15, 0.22]  # the tip of the nose is about 42 mm in front of the eye corners
    depth[31:36] += [0.09, 0.12, 0.13, 0.12, 0.09]
    depth[48:] += 0.04
    a, b = np.deg2rad(degrees), np.deg2rad(roll)
    x, z = np.cos(a) * flat[:, 0] + np.sin(a) * depth, np.cos(a) * depth - np.sin(a) * flat[:, 0]
    seen = 100 * np.column_stack([x, flat[:, 1]]) / (1 - nearness * z)[:, None]
    return seen @ np.array([[np.cos(b), np.sin(b)], [-np.sin(b), np.cos(b)]]) + 300


def eyes(a_face):
    """The centres of the wearer's right and left eye."""
    return a_face.keypoints[36:42].mean(axis=0), a_face.keypoints[42:48].mean(axis=0)


def through(matrix, points):
    """Points (N, 2) mapped by a map (3, 3)."""
    placed = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    return placed[:, :2] / placed[:, 2:]


def keypoints_at(points):
    """Keypoints (68, 2) that begin with these points."""
    return np.concatenate([np.asarray(points, np.float64), np.full((68 - len(points), 2), 7.0)])


def flat_layers(colour, size=(40, 30), alpha=255, tint=None, shadow=NO_SHADOW, eye_distance=10.0):
    """A layer whose picture has one colour."""
    rgba = np.full((size[1], size[0], 4), (*colour, alpha), np.uint8)
    tinted = None if tint is None else np.full((size[1], size[0], 3), tint, np.uint8)
    return make_layers(rgba, tinted, shadow, eye_distance)


def moved(x, y, zoom=1.0):
    return np.array([[zoom, 0, x], [0, zoom, y], [0, 0, 1.0]])


# The place on the face.


@pytest.mark.parametrize("angle", [0, 15, -40, 90, 180])
@pytest.mark.parametrize("side", [12, 100, 900])
def test_two_anchors_meet_their_keypoints_without_shear(side, angle):
    points = face((310.0, 240.0), side, angle).keypoints
    matrix = place(points, PLAIN, False, (10, 10))
    np.testing.assert_allclose(through(matrix, [a.at for a in PLAIN]), points[[36, 45]], atol=1e-3)
    linear = matrix[:2, :2]
    np.testing.assert_allclose(linear @ linear.T, np.linalg.det(linear) * np.eye(2), atol=1e-6 * side)
    assert np.linalg.det(linear) > 0


def test_an_anchor_is_the_mean_of_its_keypoints():
    points = keypoints_at([(10, 20), (30, 24), (90, 22), (110, 30)])
    anchors = (Anchor((0, 1), (1.0, 2.0)), Anchor((2, 3), (5.0, 2.0)))
    np.testing.assert_allclose(through(place(points, anchors, False, (9, 9)), [(1, 2), (5, 2)]), [(20, 22), (100, 26)])


def test_more_anchors_than_needed_are_met_in_the_least_squares_sense():
    rng = np.random.default_rng(0)
    here = rng.uniform(0, 100, (6, 2))
    there = here @ [[0.5, 0.2], [-0.2, 0.5]] + [40, 60] + rng.normal(0, 4, (6, 2))
    anchors = [Anchor((i,), tuple(at)) for i, at in enumerate(here)]
    matrix = place(keypoints_at(there), anchors, False, (100, 100))

    def missed(m):
        return float(((through(m, here) - there) ** 2).sum())

    best = missed(matrix)
    assert best > 1
    a, b, x, y = matrix[0, 0], matrix[1, 0], matrix[0, 2], matrix[1, 2]
    for step in (1e-3, -1e-3):
        for da, db, dx, dy in np.eye(4) * step * [1, 1, 100, 100]:
            other = np.array([[a + da, -b - db, x + dx], [b + db, a + da, y + dy], [0, 0, 1]])
            assert missed(other) > best


def test_a_perspective_is_found_again():
    true = np.array([[1.1, 0.2, 30], [0.1, 0.9, 40], [1e-3, 5e-4, 1]])
    corners = through(true, [a.at for a in FOUR])
    matrix = place(keypoints_at(corners), FOUR, True, (80, 50))
    np.testing.assert_allclose(matrix / matrix[2, 2], true, rtol=1e-5, atol=1e-6)
    straight = place(keypoints_at(corners), FOUR, False, (80, 50))
    np.testing.assert_array_equal(straight[2], [0, 0, 1])
    assert np.abs(through(straight, [(0, 0)]) - corners[0]).max() > 1


@pytest.mark.parametrize(
    "corners",
    [
        [(0, 0), (80, 0), (40, 20), (40, 0)],  # three on a line
        [(0, 0), (80, 50), (80, 0), (0, 50)],  # crossed
        [(0, 50), (80, 50), (80, 0), (0, 0)],  # seen from behind
        [(0, 10), (80, 10), (80, 0), (0, 0)],  # the same, about as large as the similarity
        [(3, 12), (82, 9), (79, -2), (1, 2)],  # the same, askew
        [(0, 0), (80, 0), (50, 40), (42, 20)],  # not convex
        [(0, 0), (0, 0), (80, 50), (80, 50)],  # two pairs in one place
        [(0, 0), (80, 0), (80, 1), (0, 1)],  # seen from its edge
    ],
)
def test_where_points_allow_no_perspective_the_similarity_stands_in(corners):
    points = keypoints_at(corners)
    expected = place(points, FOUR, False, (80, 50))
    np.testing.assert_array_equal(place(points, FOUR, True, (80, 50)), expected)
    if expected is not None:
        np.testing.assert_array_equal(expected[2], [0, 0, 1])


# Yaw, the angle to the side.


@pytest.mark.parametrize("nearness", [0.0, 0.15])
@pytest.mark.parametrize("roll", [0, 30, -75, 170])
@pytest.mark.parametrize("degrees", [-70, -45, -20, 0, 20, 45, 70])
def test_yaw_is_right_to_some_degrees_at_every_roll(degrees, roll, nearness):
    assert abs(yaw(turned(degrees, roll, nearness)) - degrees) < 8


def test_faces_that_look_at_the_camera_are_hardly_turned(portraits):
    for _, found in portraits.values():
        assert abs(yaw(found.keypoints)) < 15


def test_a_style_fades_as_the_face_turns_away():
    begins, gone = DARK.fades
    shown = [visible(turned(degrees), DARK) for degrees in range(0, 90, 5)]
    assert [visible(turned(-degrees), DARK) for degrees in range(0, 90, 5)] == pytest.approx(shown, abs=1e-6)
    assert shown[0] == 1
    assert shown[-1] == 0
    assert shown == sorted(shown, reverse=True)
    half = [degrees for degrees in np.arange(0, 90, 0.5) if 0.4 < visible(turned(degrees), DARK) < 0.6]
    assert half
    assert begins - 8 < min(half) <= max(half) < gone + 8
    image = np.full((600, 600, 3), 200, np.uint8)
    profile = Face((0, 0, 9, 9), None, turned(80).astype(np.float32))
    np.testing.assert_array_equal(wear(image, [profile], DARK), image)


def test_fading_that_begins_where_it_ends_is_a_step():
    sudden = Style("a", "a", PLAIN, False, (30.0, 30.0), (5, 5), flat_layers((0, 0, 0)))
    assert visible(turned(10), sudden) == 1
    assert visible(turned(50), sudden) == 0


# Blending.


def test_colours_are_blended_by_alpha_and_nothing_else_is_touched():
    """A picture with sharp edges is moved by whole pixels, so each pixel of the result is known."""
    rng = np.random.default_rng(1)
    rgba = rng.integers(0, 256, (7, 9, 4), np.uint8)
    rgba[:, :, 3] = rng.choice([0, 64, 255], (7, 9))
    image = rng.integers(0, 256, (40, 50, 3), np.uint8)
    expected = image.astype(np.float64)
    alpha = rgba[:, :, 3:] / 255
    expected[11:18, 21:30] = alpha * rgba[:, :, :3] + (1 - alpha) * expected[11:18, 21:30]
    before = image.copy()
    blend(image, make_layers(rgba, None, NO_SHADOW, 1.0), moved(21, 11))
    np.testing.assert_allclose(image, expected, atol=0.51)
    clear = np.ones((40, 50), bool)
    clear[11:18, 21:30] = rgba[:, :, 3] == 0
    np.testing.assert_array_equal(image[clear], before[clear])


@pytest.mark.parametrize("strength", [1.0, 0.5, 0.0])
def test_a_tint_multiplies_what_lies_below(strength):
    image = np.full((60, 60, 3), (200, 100, 40), np.uint8)
    blend(image, flat_layers((10, 20, 30), alpha=51, tint=(255, 128, 0)), moved(5, 5), strength)
    whole = [0.2 * 10 + 0.8 * 200, 0.2 * 20 + 0.8 * 100 * 128 / 255, 0.2 * 30]
    expected = strength * np.array(whole) + (1 - strength) * np.array([200, 100, 40])
    np.testing.assert_allclose(image[20, 20], expected, atol=0.51)
    assert (image[50, 50] == (200, 100, 40)).all()


def test_a_shadow_falls_beside_the_picture_and_not_on_it():
    """Half as bright, 0.5 x 20 pixels to the right and 0.25 x 20 down, with a sharp edge."""
    image = np.full((100, 100, 3), 200, np.uint8)
    shadow = Shadow((0.5, 0.25), 0.0, 0.5)
    blend(image, flat_layers((250, 0, 0), shadow=shadow, eye_distance=20.0), moved(20, 30))
    assert (image[30:60, 20:60] == (250, 0, 0)).all()
    assert (image[36:65, 60:70] == 100).all()
    assert (image[60:65, 30:70] == 100).all()
    beside = image.copy()
    beside[29:66, 19:71] = 200
    assert (beside == 200).all()


def test_a_blurred_shadow_is_darkest_in_its_middle_and_ends_softly():
    image = np.full((140, 140, 3), 200, np.uint8)
    blend(image, flat_layers((0, 0, 0), (40, 4), 0, (128, 128, 128), Shadow((0, 0.5), 0.2, 1.0), 40.0), moved(50, 50))
    column = image[56:120, 70, 0].astype(int)
    darkest = np.flatnonzero(column == column.min()).mean() + 56
    assert abs(darkest - (50 + 1.5 + 0.5 * 40)) <= 1
    assert column.min() < 185
    assert np.abs(np.diff(column)).max() < 6
    assert column[-1] == 200


def test_an_edge_is_never_darker_than_both_sides():
    """Without premultiplied colours, interpolation would mix the black of transparent pixels into the edge."""
    rgba = np.zeros((20, 20, 4), np.uint8)
    rgba[5:15, 5:15] = 255
    image = np.full((90, 90, 3), 255, np.uint8)
    tilted = np.array([[2.3, 0.7, 10.2], [-0.7, 2.3, 30.9], [0, 0, 1]])
    away = np.array([[0, 0, 0], [0, 0, 0], [0.01, 0, 0]])
    for matrix in (tilted, 0.1 * tilted + np.diag([0, 0, 0.9]), tilted + away):
        blend(image, make_layers(rgba, None, NO_SHADOW, 1.0), matrix)
        assert image.min() >= 254


@pytest.mark.parametrize("zoom", [0.9, 0.4, 0.2, 0.11, 0.03])
def test_thin_lines_shrink_to_their_mean(zoom):
    """Black and white lines, one pixel wide: picking single pixels would give a pattern."""
    rgba = np.full((333, 417, 4), 255, np.uint8)
    rgba[:, ::2, :3] = 0
    image = np.full((400, 500, 3), 90, np.uint8)
    blend(image, make_layers(rgba, None, NO_SHADOW, 1.0), moved(10.3, 10.7, zoom))
    inner = image[13 : 8 + int(333 * zoom), 13 : 8 + int(417 * zoom)].astype(float)
    assert inner.size
    assert abs(inner.mean() - 127) < 6
    if zoom < 0.5:
        assert inner.std() < 8


@pytest.mark.parametrize("zoom", [1.0, 0.5, 0.21, 0.1])
def test_a_shrunk_picture_stays_where_it_was(zoom):
    rgba = np.zeros((101, 151, 4), np.uint8)
    rgba[30:71, 50:101] = (255, 255, 255, 255)  # centred at (75, 50)
    image = np.zeros((200, 200, 3), np.uint8)
    blend(image, make_layers(rgba, None, NO_SHADOW, 1.0), moved(20, 30, zoom))
    weight = image[:, :, 0] / 255
    y, x = np.mgrid[:200, :200]
    middle = np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()
    np.testing.assert_allclose(middle, [20 + 75 * zoom, 30 + 50 * zoom], atol=0.06)
    assert abs(weight.sum() / (41 * 51 * zoom**2) - 1) < 0.05


def test_a_large_face_is_blended_in_strips_without_seams(monkeypatch):
    image = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    a_face = face((150.0, 150.0), 260, 20)
    whole = wear(image, [a_face], DARK)
    monkeypatch.setattr("fkp_app.styles.overlay.STRIP", 2000)
    assert np.abs(wear(image, [a_face], DARK).astype(int) - whole).max() <= 1


# The image's edge.


@pytest.mark.parametrize(
    "middle", [(0.0, 0.0), (-40.0, 60.0), (119.0, 30.0), (60.0, 99.0), (-500.0, -500.0), (1e5, 3.0)]
)
def test_glasses_are_cut_off_at_the_edge(middle):
    """A face beyond the edge gives the same pixels as in a larger picture of which this one is a part."""
    rng = np.random.default_rng(2)
    large = rng.integers(0, 256, (300, 320, 3), np.uint8)
    small = large[100:200, 100:220]
    worn = wear(small, [face(middle, 90, 10)], DARK)
    whole = wear(large, [face((middle[0] + 100, middle[1] + 100), 90, 10)], DARK)
    assert worn.shape == small.shape
    assert np.abs(worn.astype(int) - whole[100:200, 100:220]).max() <= 1
    if abs(middle[0]) > 400:
        np.testing.assert_array_equal(worn, small)


@pytest.mark.parametrize("name", ["sunglasses", "party-hat"])
def test_a_face_much_larger_than_the_image(name):
    image = np.full((50, 70, 3), 200, np.uint8)
    for side in (3000, 60000):
        a_face = face((35.0, 25.0 + 0.11 * side), side)
        assert wear(image, [a_face], load_style(name)).shape == image.shape
    assert (wear(image, [face((35.0 + 0.22 * 3000, 25.0 + 0.11 * 3000), 3000)], DARK) < 110).all()  # in a lens


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (300, 1), (40000, 3), (3, 40000)])
def test_pictures_of_any_shape(shape):
    image = np.full((*shape, 3), 128, np.uint8)
    size = max(shape)
    assert wear(image, [face((10.0, 5.0), 40), face((shape[1] / 2, shape[0] / 2), size)], DARK).shape == image.shape


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("which", [slice(None), 54])
@pytest.mark.parametrize("name", ["sunglasses", "party-hat"])
def test_faces_with_wild_points_are_left_out_and_the_others_not(value, which, name):
    image = np.full((400, 400, 3), 128, np.uint8)
    good = face((200.0, 250.0), 150)
    points = good.keypoints.copy()
    points[which] = value
    bad = Face((0, 0, 9, 9), None, points)
    np.testing.assert_array_equal(wear(image, [bad], load_style(name)), image)
    np.testing.assert_array_equal(wear(image, [bad, good], load_style(name)), wear(image, [good], load_style(name)))


def test_points_in_one_place_draw_nothing():
    image = np.full((50, 60, 3), 128, np.uint8)
    for name in ("sunglasses", "moustache", "party-hat"):
        worn = wear(image, [Face((0, 0, 9, 9), None, np.full((68, 2), 7, np.float32))], load_style(name))
        np.testing.assert_array_equal(worn, image)


def test_a_near_face_covers_a_far_one_whatever_their_order():
    image = np.full((400, 400, 3), 250, np.uint8)
    near, far = face((200.0, 200.0), 200), face((230.0, 190.0), 90)
    dot = (Anchor(tuple(range(36, 42)), (0.0, 5.0)), Anchor(tuple(range(42, 48)), (19.0, 5.0)))
    opaque = Style("a", "a", dot, False, (45.0, 60.0), (20, 10), flat_layers((0, 0, 90), (20, 10)))
    one, other = wear(image, [near, far], DARK), wear(image, [far, near], DARK)
    np.testing.assert_array_equal(one, other)
    assert (one != wear(image, [near], DARK)).any()
    far_box = Face((0, 0, 400, 400), None, far.keypoints)  # with its larger box it would be the nearer one
    assert (wear(image, [near, far_box], DARK) != one).any()
    assert (wear(image, [near, far], opaque) == wear(wear(image, [far], opaque), [near], opaque)).all()


# On real faces.


@pytest.mark.parametrize("angle", [0, 15, -30])
@pytest.mark.parametrize("side", [60, 400])
@pytest.mark.parametrize("name", GLASSES)
def test_glasses_are_on_both_eyes_and_not_on_the_mouth(name, side, angle):
    image = np.full((500, 600, 3), 200, np.uint8)
    a_face = face((300.0, 250.0), side, angle)
    worn = wear(image, [a_face], load_style(name))
    assert (image == 200).all()
    distance = np.hypot(*(eyes(a_face)[0] - eyes(a_face)[1]))
    darkened = (worn != 200).any(axis=2)
    for x, y in eyes(a_face):
        assert darkened[round(float(y)), round(float(x))]
    if angle == 0:
        assert 1.9 < np.ptp(np.nonzero(darkened)[1]) / distance < 2.7  # about as wide as the face
    for x, y in a_face.keypoints[[8, *range(48, 68)]]:
        assert (worn[round(float(y)), round(float(x))] == 200).all()


def test_one_sees_through_clear_lenses_and_hardly_through_dark_ones():
    image = np.full((500, 600, 3), 200, np.uint8)
    a_face = face((300.0, 250.0), 400)
    x, y = (round(float(v)) for v in eyes(a_face)[0] + [0, 12])
    assert wear(image, [a_face], load_style("reading"))[y, x].min() > 150
    assert wear(image, [a_face], load_style("sunglasses"))[y, x].max() < 110
    red, green, blue = (int(value) for value in wear(image, [a_face], load_style("hearts"))[y, x])
    assert red > 1.5 * green
    assert red > blue


@pytest.mark.parametrize("person", ["hopper", "astronaut"])
def test_a_moustache_is_between_nose_and_lips(person, portraits):
    image, found = portraits[person]
    worn = wear(image, [found], load_style("moustache"))
    points = found.keypoints
    across, down = points[54] - points[48], points[8] - points[27]
    ys, xs = np.nonzero(np.abs(worn.astype(int) - image).max(axis=2) > 40)
    middle = np.array([xs.mean(), ys.mean()])
    lip, nose = points[51], points[33]
    assert abs((middle - (lip + nose) / 2) @ across / (across @ across)) < 0.1
    height = (middle - nose) @ down / ((lip - nose) @ down)  # 0 at the nose, 1 at the lip
    assert 0.2 < height < 1.4
    assert 0.8 < np.ptp(xs) / np.hypot(*across) < 1.7


def test_a_nose_is_on_the_nose_and_a_hat_on_the_head():
    image = np.full((700, 600, 3), 200, np.uint8)
    a_face = face((300.0, 450.0), 300)
    nose = wear(image, [a_face], load_style("clown-nose"))
    x, y = (round(float(v)) for v in a_face.keypoints[30])
    assert nose[y, x, 0] > 2 * nose[y, x, 1].astype(int)
    ys, xs = np.nonzero((wear(image, [a_face], load_style("party-hat")) != 200).any(axis=2))
    assert ys.max() < a_face.keypoints[17:27, 1].min()
    assert abs(xs.mean() - 300) < 5


def test_everyone_in_the_group_wears_them(predictor):
    image, known = group_picture()
    worn = wear(image, find_faces(image, FaceDetector(), predictor), DARK)
    for there in known:
        turn = np.deg2rad(there.turn)
        for side in (-0.5, 0.5):  # the two eyes
            x = there.eyes[0] + side * there.distance * np.cos(turn)
            y = there.eyes[1] + side * there.distance * np.sin(turn)
            assert worn[round(y), round(x)].max() < 110, there


@pytest.fixture(scope="module")
def predictor():
    from fkp_app.backends.predictor import get_predictor

    return get_predictor()


@pytest.fixture(scope="module")
def portraits(predictor):
    """Each photo with the face that is found in it."""
    found = {}
    for name, image in (("hopper", hopper()), ("astronaut", astronaut())):
        (one,) = find_faces(image, FaceDetector(), predictor)
        found[name] = image, one
    return found
