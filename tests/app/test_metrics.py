"""NME by hand."""

import numpy as np
import pytest

from fkp_app.metrics import nme


def face(interocular=50.0):
    keypoints = np.random.default_rng(0).uniform(0, 100, (68, 2))
    keypoints[36], keypoints[45] = (20, 30), (20 + interocular, 30)
    return keypoints


def test_a_shift_counts_as_its_share_of_the_outer_eye_distance():
    truth = np.stack([face(50), face(25)])
    predicted = truth + np.array([3.0, 4.0])  # every point 5 pixels off
    np.testing.assert_allclose(nme(predicted, truth), [10.0, 20.0])


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
