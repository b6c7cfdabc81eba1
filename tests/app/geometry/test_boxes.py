"""Grouping windows, comparing boxes and turning images, on cases computed by hand."""

import numpy as np
import pytest

from fkp_app.geometry.boxes import box_of, clip_box, covered, group, iou, keep_heaviest, turn_image


def windows(*boxes):
    return np.array(boxes, np.float64)


def test_windows_in_similar_places_are_one_box():
    # Edges may differ by 0.2 of the smaller side, 20 px. The third joins the first only through the second.
    boxes, names = group(windows((0, 0, 100, 100), (18, 0, 100, 100), (36, 0, 100, 100), (300, 0, 100, 100)))
    np.testing.assert_array_equal(names, [0, 0, 0, 1])
    np.testing.assert_allclose(boxes, [(18, 0, 100, 100), (300, 0, 100, 100)])


@pytest.mark.parametrize(
    ("other", "alike"),
    [((20, 0, 100, 100), True), ((21, 0, 100, 100), False), ((0, 0, 120, 120), True), ((0, 0, 121, 121), False)],
)
def test_every_edge_must_be_near(other, alike):
    _, names = group(windows((0, 0, 100, 100), other))
    assert (names[1] == 0) == alike


def test_grouping_does_not_depend_on_the_order():
    rng = np.random.default_rng(3)
    many = np.column_stack([rng.integers(0, 120, (80, 2)), *[rng.integers(40, 60, 80)] * 2]).astype(np.float64)
    boxes, names = group(many)
    order = rng.permutation(80)
    mixed, mixed_names = group(many[order])
    assert 1 < len(boxes) < 80
    np.testing.assert_allclose(mixed[mixed_names], boxes[names][order])
    for i, box in enumerate(boxes):
        np.testing.assert_allclose(many[names == i].mean(axis=0), box)


def test_no_windows_no_boxes():
    boxes, names = group(np.empty((0, 4)))
    assert boxes.shape == (0, 4)
    assert len(names) == 0


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ((0, 0, 10, 10), (5, 0, 10, 10), 0.5),
        ((0, 0, 10, 10), (10, 0, 10, 10), 0),
        ((0, 0, 10, 10), (30, 40, 10, 10), 0),
        ((0, 0, 100, 100), (10, 10, 10, 10), 1),
        ((0, 0, 4, 4), (2, 3, 10, 10), 2 / 16),
    ],
)
def test_the_share_of_the_smaller_box_that_lies_in_the_other(one, other, share):
    assert covered(np.array(one), np.array(other)) == pytest.approx(share)
    assert covered(np.array(other), np.array(one)) == pytest.approx(share)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((0, 0, 2), (0, 0, 2), 1),
        ((0, 0, 2), (1, 0, 2), 1 / 3),
        ((0, 0, 2), (0, 0, 1), 1 / 4),
        ((0, 0, 2), (3, 3, 2), 0),
        ((0, 0, 2), (2, 0, 2), 0),
    ],
)
def test_intersection_over_union_of_squares(one, other, expected):
    assert iou(box_of(one), box_of(other)) == pytest.approx(expected)
    assert iou(box_of(other), box_of(one)) == pytest.approx(expected)


def test_a_square_is_a_box_about_its_centre():
    np.testing.assert_array_equal(box_of((10.0, 20.0, 5.0)), [7.5, 17.5, 5, 5])


def test_of_boxes_in_one_place_the_first_in_order_stays():
    boxes = windows((0, 0, 100, 100), (20, 20, 60, 60), (200, 0, 50, 50), (230, 0, 50, 50))

    def kept(*order):
        return keep_heaviest(order, lambda i, k: covered(boxes[i], boxes[k]) > 0.5)

    assert kept(1, 2, 3, 0) == [1, 2, 3]  # the last two share 0.4 of their size
    assert kept(0, 1, 2, 3) == [0, 2, 3]
    assert kept() == []


def test_a_dropped_box_suppresses_no_other():
    """Of 0, 1, 2, the number 1 is like both its neighbours, and 0 and 2 are not alike."""
    assert keep_heaviest([0, 1, 2], lambda i, k: abs(i - k) == 1) == [0, 2]
    assert keep_heaviest(np.array([1, 0, 2]), lambda i, k: abs(i - k) == 1) == [1]
    assert keep_heaviest([0, 5, 6], lambda i, k: abs(i - k) == 1) == [0, 5]  # 6 is like 5, which was kept


@pytest.mark.parametrize("angle", [-35.0, 35.0, 90.0])
def test_a_turned_picture_holds_every_corner_clockwise(angle):
    gray = np.zeros((60, 100), np.uint8)
    gray[10:14, 80:84] = 255
    image, matrix = turn_image(gray, angle)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    spot = np.array([(columns * image.astype(float)).sum(), (rows * image.astype(float)).sum()]) / image.sum()
    np.testing.assert_allclose(spot, matrix[:, :2] @ [81.5, 11.5] + matrix[:, 2], atol=0.1)
    from_middle = np.array([81.5, 11.5]) - [49.5, 29.5]
    now = spot - (np.array(image.shape[::-1]) - 1) / 2
    turn = np.degrees(np.arctan2(now[1], now[0]) - np.arctan2(from_middle[1], from_middle[0]))
    assert (turn - angle + 180) % 360 - 180 == pytest.approx(0, abs=0.5)  # y points down, so clockwise is positive
    corners = np.array([(0, 0), (99, 0), (0, 59), (99, 59)]) @ matrix[:, :2].T + matrix[:, 2]
    assert (corners > -1).all()
    assert (corners < np.array(image.shape[::-1])).all()


def test_a_margin_repeats_the_last_pixels():
    gray = np.random.default_rng(0).integers(0, 256, (6, 10)).astype(np.uint8)
    image, matrix = turn_image(gray, 0, 3)
    np.testing.assert_array_equal(image, np.pad(gray, 3, mode="edge"))
    np.testing.assert_array_equal(matrix, [[1, 0, 3], [0, 1, 3]])


def test_without_angle_and_margin_the_result_is_the_picture_itself():
    gray = np.zeros((6, 10), np.uint8)
    image, matrix = turn_image(gray, 0)
    assert image is gray
    np.testing.assert_array_equal(matrix, [[1, 0, 0], [0, 1, 0]])


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        ((-5, 10, 20, 20), (0, 10, 15, 20)),
        ((90, 40, 20, 20), (90, 40, 10, 10)),
        ((10, 5, 8, 9), (10, 5, 8, 9)),
        ((-50, -50, 20, 20), (0, 0, 1, 1)),
        ((200, 200, 20, 20), (99, 49, 1, 1)),
    ],
)
def test_a_box_is_cut_off_at_the_edge_but_never_empty(box, inside):
    assert clip_box(box, 100, 50) == inside
