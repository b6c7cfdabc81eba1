"""The fitting of the application's constants, on data whose constants are known."""

import numpy as np
import pytest

from benchmarks.calibration.haar_calibration import is_near, relation
from benchmarks.calibration.haar_confidence import Judged, fit
from benchmarks.calibration.haar_search import Group, thresholds
from fkp_app.faces.detector import CENTRE_X, CENTRE_Y, SIDE, square_from_box


def test_the_fit_finds_the_coefficients_that_drew_the_labels():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(20000, 4)) * [1, 2, 0.5, 1] + [1, 0, -3, 0.5]
    chance = 1 / (1 + np.exp(-(0.5 + values @ [1.5, -0.5, 1.0, 0.0])))
    right = rng.uniform(size=20000) < chance
    places = np.zeros((20000, 68, 2)) + 1e3 * np.arange(20000)[:, None, None]  # each a face of its own
    places[:, 1] += 1
    frames = [
        Judged(values[i : i + 2], places[i : i + 2], right[i : i + 2], np.zeros((3, 2))) for i in range(0, 20000, 2)
    ]
    intercept, coefficients = fit(frames)
    assert intercept == pytest.approx(0.5, abs=0.3)
    assert coefficients == pytest.approx([1.5, -0.5, 1.0, 0.0], abs=0.1)
    again = [
        Judged(*(np.repeat(part, 2, axis=0) for part in (f.values, f.keypoints, f.right)), f.errors) for f in frames
    ]
    assert fit(again)[1] == pytest.approx(coefficients)  # the same face twice counts once


def test_found_and_false_faces_are_counted_at_every_threshold():
    frames = [
        [Group(1, 50, 0.1, False), Group(9, 57, 20, True)],
        [Group(4, 55, 5, True), Group(4, 55, 5, False), Group(5, 54, 3, False)],
        [],
    ]
    rows = {row["level"]: row for row in thresholds(frames, 7.0) if row["threshold"] == "minNeighbors"}
    # More windows than minNeighbors are wanted: at 3 four pass, at 5 only the nine.
    assert [round(3 * rows[level]["found"]) for level in (0, 3, 5)] == [2, 2, 1]
    assert [round(3 * rows[level]["false_a_frame"]) for level in (0, 3, 5)] == [3, 2, 0]
    assert [round(3 * rows[level]["frames_with_false"]) for level in (0, 3, 5)] == [2, 1, 0]


def test_a_relation_gives_back_the_constants_that_made_the_square():
    box = (40, 50, 80, 80)
    assert relation(box, square_from_box(box)) == pytest.approx((CENTRE_X, CENTRE_Y, SIDE))


@pytest.mark.parametrize(
    ("square", "near"),
    [
        ((100.0, 100.0, 50.0), True),
        ((119.0, 81.0, 50.0), True),
        ((121.0, 100.0, 50.0), False),
        ((100.0, 79.0, 50.0), False),
        ((100.0, 100.0, 79.0), True),
        ((100.0, 100.0, 81.0), False),
        ((100.0, 100.0, 21.0), True),
        ((100.0, 100.0, 19.0), False),
    ],
    ids=str,
)
def test_a_near_square_lies_about_where_the_other_lies_and_is_about_as_large(square, near):
    assert is_near(square, (100.0, 100.0, 50.0)) == near
