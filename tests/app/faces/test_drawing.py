"""Boxes, points and numbers on pictures."""

import numpy as np
import pytest

from fkp_app.faces.drawing import BOX_COLOUR, POINT_COLOUR, draw_faces, draw_numbers, draw_points
from fkp_app.faces.keypoints import Face


def face(size, at=(20, 30)):
    """A face whose points lie on a grid, in a box of this size."""
    x, y = at
    grid = np.stack(np.meshgrid(np.linspace(0.1, 0.9, 17), np.linspace(0.2, 0.8, 4)), axis=-1).reshape(68, 2)
    return Face((x, y, size, size), None, (grid * size + [x, y]).astype(np.float32))


def like(image, colour):
    """Pixels of about this colour."""
    return (np.abs(image.astype(int) - colour) < 60).all(axis=2)


@pytest.mark.parametrize("size", [40, 220, 800])
def test_points_and_box_are_where_they_belong(size):
    image = np.full((900, 900, 3), 120, np.uint8)
    drawn = draw_faces(image, [face(size)])
    assert (image == 120).all()
    for x, y in face(size).keypoints:
        middle = drawn[round(float(y)), round(float(x))].astype(int)
        assert middle[1] > middle[0] + 40, (x, y)  # greener
    for x, y in ((20, 30), (20 + size - 1, 30 + size // 2), (20 + size // 2, 30 + size - 1)):
        assert like(drawn, BOX_COLOUR)[y, x]
    changed = np.argwhere((drawn != image).any(axis=2))
    margin = 2 + size // 60
    assert changed.min(axis=0) == pytest.approx([30, 20], abs=margin)
    assert changed.max(axis=0) == pytest.approx([30 + size - 1, 20 + size - 1], abs=margin)


def test_marks_grow_with_the_face():
    image = np.zeros((1300, 1300, 3), np.uint8)
    small, large = (like(draw_faces(image, [face(size)]), POINT_COLOUR).sum() / 68 for size in (200, 1200))
    assert large > 9 * small
    assert small > 3


@pytest.mark.parametrize("radius", [1.6, 2.5, 6.0])
def test_points_are_round(radius):
    canvas = np.zeros((41, 41, 3), np.uint8)
    draw_points(canvas, np.full((1, 2), 20.0, np.float32), radius)
    light = canvas[:, :, 1] > 128
    area = np.pi * radius**2  # a diamond would have two thirds of this area
    assert light.sum() == pytest.approx(area, rel=0.25)
    np.testing.assert_array_equal(light, light[::-1])
    np.testing.assert_array_equal(light, light.T)


@pytest.mark.parametrize("size", [60, 300])
def test_the_confidence_stands_in_the_box(size):
    image = np.full((400, 400, 3), 120, np.uint8)
    unknown = face(size)
    without = draw_faces(image, [unknown])
    drawn = {sure: draw_faces(image, [Face(unknown.box, sure, unknown.keypoints)]) for sure in (0.51, 1.0)}
    for picture in drawn.values():
        (top, left), (bottom, right) = (
            pick(np.argwhere((picture != without).any(axis=2)), 0) for pick in (np.min, np.max)
        )
        assert 30 <= top < bottom < 30 + max(16, size // 5)
        assert 20 <= left < right < 20 + max(45, size // 2)
    assert (drawn[0.51] != drawn[1.0]).any()


def test_every_face_is_drawn():
    image = np.zeros((400, 400, 3), np.uint8)
    drawn = draw_faces(image, [face(100), face(100, at=(200, 250))])
    np.testing.assert_array_equal(drawn[30:130, 20:120], drawn[250:350, 200:300])
    assert like(drawn, BOX_COLOUR)[250, 200]
    np.testing.assert_array_equal(draw_faces(image, []), image)


@pytest.mark.parametrize("shape", [(1, 1), (50, 30)])
def test_parts_outside_the_image_are_left_out(shape):
    image = np.zeros((*shape, 3), np.uint8)
    points = face(100).keypoints.copy()
    points[0], points[1], points[2] = [np.nan, 3], [1e30, -1e30], [-5, -5]
    drawn = draw_faces(image, [Face((-30, -20, 500, 400), None, points)])
    assert drawn.shape == image.shape


@pytest.mark.parametrize(("number", "low", "high"), [(42, 100, 140), (48, 60, 100), (60, 100, 140)])
def test_numbers_stand_beside_their_points(number, low, high):
    canvas = np.full((200, 300, 3), 128, np.uint8)
    points = np.full((68, 2), -1000, np.float32)
    points[number] = (100, 100)
    draw_numbers(canvas, points, size=14)
    ink = np.argwhere((canvas != 128).any(axis=2))
    (top, left), (bottom, right) = ink.min(axis=0), ink.max(axis=0)
    assert low <= left < right <= high
    assert 75 < top < bottom <= 100
    assert canvas.max() > 230 > 25 > canvas.min()  # light letters with a dark rim
