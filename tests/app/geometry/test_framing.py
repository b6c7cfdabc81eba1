"""The geometry that training and detection share, on points and spots at known places."""

import numpy as np
import pytest

from fkp_app.errors import FkpError
from fkp_app.geometry.framing import (
    Framing,
    apply,
    crop_matrix,
    face_square,
    invert,
    to_gray,
    to_input,
    upright,
    warp,
)
from tests.app.faces.test_keypoints import placed

FACE = Framing("face", 100, 1.25)


def spot(shape, x, y, sigma):
    """A dark picture with one soft bright spot."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    gray = 250 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    return np.repeat(np.rint(gray).astype(np.uint8)[:, :, None], 3, axis=2)


def centroid(image):
    """The centroid (x, y) of the light of a picture."""
    light = image[:, :, 0].astype(np.float64)
    rows, columns = np.mgrid[: light.shape[0], : light.shape[1]]
    return np.array([(light * columns).sum(), (light * rows).sum()]) / light.sum()


def test_face_square_is_the_middle_and_longer_side_of_the_points():
    points = np.full((68, 2), [30, 50], np.float32)
    points[3], points[8], points[40] = [10, 40], [50, 45], [20, 100]
    assert face_square(points) == (30.0, 70.0, 60.0)


def test_the_square_fills_its_share_of_the_crop():
    matrix = crop_matrix((200.0, 120.0, 80.0), FACE)
    ends = apply(matrix, np.array([[200.0, 120.0], [160.0, 120.0], [200.0, 160.0]]))
    # 80 image pixels are 100 / 1.25 = 80 crop pixels; the middle of 100 pixels is 49.5.
    np.testing.assert_allclose(ends, [[49.5, 49.5], [9.5, 49.5], [49.5, 89.5]], atol=1e-12)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"angle": 90.0}, [49.5, 89.5]),  # the right side moves to the bottom: clockwise as seen
        ({"angle": 30.0}, [49.5 + 40 * np.sqrt(0.75), 69.5]),
        ({"scale": 2.0}, [69.5, 49.5]),  # a larger scale shows a smaller face
        ({"shift": (0.1, -0.2)}, [99.5, 29.5]),
        ({"flip": True}, [9.5, 49.5]),
        ({"flip": True, "angle": 90.0}, [49.5, 89.5]),  # it turns first, then mirrors
    ],
)
def test_jitter_moves_a_point_as_documented(change, expected):
    matrix = crop_matrix((200.0, 120.0, 80.0), FACE, **change)
    np.testing.assert_allclose(apply(matrix, np.array([240.0, 120.0])), expected, atol=1e-12)


@pytest.mark.parametrize("side", [20.0, 80.0, 130.0, 250.0, 700.0, 1500.0])
@pytest.mark.parametrize("change", [{}, {"angle": 25.0, "shift": (0.05, -0.1)}, {"angle": -12.0, "flip": True}])
def test_pixels_go_where_points_go(side, change):
    square = (900.0, 870.0, side)
    matrix = crop_matrix(square, FACE, **change)
    x, y = 900 + side / 7, 870 - side / 9
    crop = warp(spot((1800, 1800), x, y, sigma=max(1.5, side / 30)), matrix, FACE.size)
    assert crop.shape == (100, 100, 3)
    np.testing.assert_allclose(centroid(crop), apply(matrix, np.array([x, y])), atol=0.1)


@pytest.mark.parametrize("side", [16.0, 90.0])  # enlarged; first shrunk by area
def test_beyond_the_edge_the_last_pixels_go_on(side):
    image = np.zeros((60, 100, 3), np.uint8)
    image[:, :50], image[:, 50:] = (200, 10, 30), (20, 180, 60)
    framing = Framing("face", 20, 4.0)
    crop = warp(image, crop_matrix((50.0, 30.0, side), framing), framing.size)
    assert (crop[:, :8] == (200, 10, 30)).all()
    assert (crop[:, 12:] == (20, 180, 60)).all()


@pytest.mark.parametrize("square", [(-500.0, -400.0, 30.0), (5000.0, 40.0, 900.0)])
def test_a_square_outside_the_image_shows_its_edge(square):
    image = np.full((60, 100, 3), 77, np.uint8)
    assert (warp(image, crop_matrix(square, FACE), 100) == 77).all()


def test_one_pixel_is_an_image():
    image = np.array([[[7, 8, 9]]], np.uint8)
    assert (warp(image, crop_matrix((0.0, 0.0, 1.0), FACE), 100) == (7, 8, 9)).all()
    assert (warp(image, crop_matrix((0.0, 0.0, 900.0), FACE), 100) == (7, 8, 9)).all()


def test_shrinking_averages_instead_of_picking_pixels():
    checkers = (np.indices((800, 800)).sum(axis=0) % 2 * 255).astype(np.uint8)
    image = np.repeat(checkers[:, :, None], 3, axis=2)
    crop = warp(image, crop_matrix((399.5, 399.5, 500.0), FACE, angle=7.0), 100)
    assert np.abs(crop.astype(int) - 127).max() <= 3


def test_invert_undoes_a_map():
    matrix = crop_matrix((30.0, 70.0, 55.0), FACE, angle=33.0, scale=0.8, shift=(0.1, 0.2), flip=True)
    points = np.random.default_rng(0).uniform(-200, 200, (9, 2))
    np.testing.assert_allclose(apply(invert(matrix), apply(matrix, points)), points, atol=1e-9)


def test_upright_undoes_a_turn():
    square, angle = upright(placed((50, 80), 30, 25), before=(50, 80, 30))
    assert angle == pytest.approx(-25)
    assert square == pytest.approx((50, 80, 30))


@pytest.mark.parametrize("zoom", [2.9, 3.1, 1 / 2.9, 1 / 3.1, np.nan])
def test_upright_keeps_the_square_before_if_the_points_make_no_face(zoom):
    points = placed((50, 80), 30 * zoom, 25)
    square, angle = upright(points, before=(40, 70, 30))
    if 1 / 3 < zoom < 3:
        assert square == pytest.approx((50, 80, 30 * zoom))
    else:
        assert (square, angle) == ((40, 70, 30), 0.0)


def test_gray_and_network_input():
    image = np.zeros((1, 4, 3), np.uint8)
    image[0] = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]
    gray = to_gray(image)
    assert gray.dtype == np.float32
    np.testing.assert_allclose(gray, [[0.299, 0.587, 0.114, 1.0]], atol=1 / 255)
    np.testing.assert_array_equal(to_input(image), gray.reshape(1, 1, 4))
    np.testing.assert_array_equal(to_gray(np.array([[0, 51, 255]], np.uint8)), np.float32([[0, 0.2, 1]]))


def test_a_framing_survives_the_weights_card():
    assert FACE.as_dict() == {"kind": "face", "size": 100, "scale": 1.25}
    assert Framing.from_dict({"kind": "frame", "size": 224, "scale": 2}) == Framing("frame", 224, 2.0)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"kind": "face", "size": 96},
        {"kind": "ellipse", "size": 96, "scale": 1.2},
        {"kind": "face", "size": 0, "scale": 1.2},
        {"kind": "face", "size": 96, "scale": float("nan")},
        {"kind": "face", "size": "large", "scale": 1.2},
        {"kind": "face", "size": None, "scale": 1.2},
    ],
)
def test_fields_that_describe_no_framing_are_refused_in_one_line(fields):
    with pytest.raises(FkpError, match=r"^weights: framing [^\n]*(damaged|update it)[^\n]*$"):
        Framing.from_dict(fields)
