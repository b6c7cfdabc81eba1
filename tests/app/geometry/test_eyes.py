"""The distance and the angle of the outer eye corners, by hand."""

import numpy as np
import pytest

from fkp_app.geometry.eyes import interocular, roll


@pytest.mark.parametrize(
    ("corners", "length", "angle"),
    [((5, 0), 5, 0), ((3, 3), 18**0.5, 45), ((3, -3), 18**0.5, 45), ((0, 2), 2, 90), ((-4, 0), 4, 180)],
)
def test_the_distance_and_the_roll_of_a_face(corners, length, angle):
    face = np.random.default_rng(0).uniform(0, 100, (1, 68, 2))
    face[0, 45] = face[0, 36] + corners
    assert interocular(face) == pytest.approx([length])
    assert roll(face) == pytest.approx([angle], abs=1e-6)
