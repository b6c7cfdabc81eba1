"""The line between the eyes, computed by hand."""

import numpy as np
import pytest

from fkp_app.geometry.keypoint_layout import eye_angle, interocular


def face(line):
    """Keypoints (68, 2) with this vector between the outer eye corners."""
    keypoints = np.random.default_rng(0).uniform(0, 100, (68, 2))
    keypoints[45] = keypoints[36] + line
    return keypoints


@pytest.mark.parametrize(
    ("line", "length", "angle"),
    [((5, 0), 5, 0), ((3, 3), 18**0.5, 45), ((3, -3), 18**0.5, -45), ((0, 2), 2, 90), ((-4, -1e-9), 4, -180)],
)
def test_length_and_angle_of_the_eye_line(line, length, angle):
    assert interocular(face(line)) == pytest.approx(length)
    assert eye_angle(face(line)) == pytest.approx(angle)
    many = np.stack([face((1, 0)), face(line)])
    assert interocular(many) == pytest.approx([1, length])
    assert eye_angle(many) == pytest.approx([0, angle])
