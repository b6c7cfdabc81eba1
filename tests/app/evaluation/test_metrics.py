"""Errors and figures, compared with values computed by hand."""

import numpy as np
import pytest

from fkp_app.evaluation.metrics import (
    REGIONS,
    auc,
    bootstrap_interval,
    ced,
    failure_rate,
    nme,
    region_errors,
    roll,
)


def face(interocular=50.0):
    keypoints = np.random.default_rng(0).uniform(0, 100, (68, 2))
    keypoints[36], keypoints[45] = (20, 30), (20 + interocular, 30)
    return keypoints


def test_a_shift_is_divided_by_the_outer_eye_distance():
    truth = np.stack([face(50), face(25)])
    predicted = truth + np.array([3.0, 4.0])  # every point 5 pixels off
    np.testing.assert_allclose(nme(predicted, truth), [10.0, 20.0])


def test_the_unit_is_the_true_eye_distance_and_not_the_predicted_one():
    """The true eyes are 50 apart, the predicted ones 100: two points of 68 are off, each by 25."""
    truth = face(50)[None]
    predicted = truth.copy()
    predicted[0, 36, 0] -= 25
    predicted[0, 45, 0] += 25
    assert nme(predicted, truth) == pytest.approx(100 * 2 * 25 / 68 / 50)
    assert nme(truth, predicted) == pytest.approx(100 * 2 * 25 / 68 / 100)


def test_eyes_that_coincide_are_no_unit():
    truth = np.stack([face(50), face(0)])
    with pytest.raises(ValueError, match="nme: the outer eye corners of face 1 coincide, so there is no unit"):
        nme(truth, truth)
    predicted = np.stack([face(0), face(0)])  # only the true eye corners must differ
    assert np.isfinite(nme(predicted[:1], truth[:1])).all()


def test_one_wrong_point_counts_a_68th():
    truth = face()[None]
    predicted = truth.copy()
    predicted[0, 10, 0] += 34
    assert nme(predicted, truth) == pytest.approx(100 * 34 / 68 / 50)


def test_zoom_and_rotation_do_not_matter():
    rng = np.random.default_rng(1)
    truth, predicted = face()[None], face()[None] + rng.normal(0, 2, (1, 68, 2))
    turn = 3.0 * np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
    np.testing.assert_allclose(nme(predicted @ turn.T, truth @ turn.T), nme(predicted, truth))


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"nme: both must have shape \(F, 68, 2\)"):
        nme(face(), face())


def faces(eyes, count=1):
    """Faces (count, 68, 2) of zeros, except for the outer eye corners, which lie `eyes` apart."""
    keypoints = np.zeros((count, 68, 2))
    keypoints[:, 45] = eyes
    return keypoints


def test_regions_are_those_of_the_68_point_layout():
    first_and_last = {name: (points[0], points[-1], len(points)) for name, points in REGIONS.items()}
    assert first_and_last == {
        "jaw": (0, 16, 17),
        "brows": (17, 26, 10),
        "nose": (27, 35, 9),
        "eyes": (36, 47, 12),
        "mouth": (48, 67, 20),
    }
    assert sorted(point for points in REGIONS.values() for point in points) == list(range(68))


def test_an_error_counts_in_its_region_alone():
    truth = faces((0, 50))
    predicted = truth.copy()
    predicted[0, 48:68, 0] = 5  # the mouth, a tenth of the eye distance
    predicted[0, 30, 0] = 9  # one of the nose's nine points
    found = region_errors(predicted, truth)
    assert {name: error.item() for name, error in found.items()} == pytest.approx(
        {"jaw": 0, "brows": 0, "nose": 2, "eyes": 0, "mouth": 10}
    )


@pytest.mark.parametrize(("eyes", "angle"), [((5, 0), 0), ((3, 3), 45), ((3, -3), 45), ((0, 2), 90), ((-4, 0), 180)])
def test_the_roll_of_a_face(eyes, angle):
    assert roll(faces(eyes)) == pytest.approx([angle])


def test_a_face_fails_above_ten_percent():
    assert failure_rate(np.array([5, 10, 10.1, 30])) == 50
    assert failure_rate(np.array([5, 10, 10.1, 30]), limit=4) == 100


def test_ced_is_the_share_of_faces_up_to_each_error():
    np.testing.assert_allclose(ced(np.array([8.0, 2, 2, 20]), np.array([0, 1.9, 2, 8, 10])), [0, 0, 0.5, 0.75, 0.75])


def test_auc_is_the_area_under_the_ced_curve():
    assert auc(np.array([0, 5, 20])) == pytest.approx((1 + 0.5 + 0) / 3)
    errors = np.random.default_rng(0).gamma(4, 2, 500)
    levels = np.linspace(0, 10, 100_001)
    assert auc(errors) == pytest.approx(ced(errors, levels).mean(), abs=1e-4)


def test_the_bootstrap_draws_people_not_frames():
    """A hundred frames per person tell no more than one: with two people every draw has the mean 0, 1/2 or 1."""
    assert bootstrap_interval(np.repeat([0.0, 1.0], 100), ["a"] * 100 + ["b"] * 100) == (0, 1)
    assert bootstrap_interval(np.array([1.0, 2, 6]), ["a"] * 3) == (3, 3)


def test_the_bootstrap_averages_over_the_frames_of_those_drawn():
    """A draw gives 0 (a twice), 3 (both: 12 / 4; the mean of their means would be 2) or 4, in the ratio 1 : 2 : 1."""
    errors, people = np.array([0.0, 4, 4, 4]), ["a", "b", "b", "b"]
    assert bootstrap_interval(errors, people, percent=0) == (3, 3)
    assert bootstrap_interval(errors, people) == (0, 4)


def test_the_bootstrap_agrees_with_the_normal_law_and_repeats_itself():
    errors = np.random.default_rng(5).normal(7, 2, 80)
    people = [f"p{i}" for i in range(80)]
    low, high = bootstrap_interval(errors, people)
    assert high - low == pytest.approx(2 * 1.96 * errors.std() / 80**0.5, rel=0.07)
    assert low < errors.mean() < high
    assert bootstrap_interval(errors, people) == (low, high)
    assert bootstrap_interval(errors, people, seed=1) != (low, high)
