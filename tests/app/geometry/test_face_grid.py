"""The finder's grid: what cells and outputs mean, there and back."""

import numpy as np
import pytest

from fkp_app.geometry.face_grid import CELL, SIDE, Spot, decode, encode, middles


def test_middles_are_those_of_whole_pixels():
    x, y = middles(2, 3)
    np.testing.assert_array_equal(x, [3.5, 11.5, 19.5])  # the mean of the pixels 0 .. 7, 8 .. 15, 16 .. 23
    np.testing.assert_array_equal(y, [3.5, 11.5])


def test_an_answer_by_hand():
    answer = encode(Spot((11.5, 19.5, 2 * SIDE), 90.0), 2, 3)
    assert answer[:, 1, 0] == pytest.approx([1, 1, 1, 0, 1], abs=1e-6)
    assert answer[:, 0, 1] == pytest.approx([0, 2, 1, 0, 1], abs=1e-6)


@pytest.mark.parametrize("angle", [0.0, 35.0, -90.0, 179.0])
def test_every_cell_of_an_answer_decodes_to_the_face(angle):
    spot = Spot((20.3, 9.1, 27.5), angle)
    answer = np.concatenate([np.arange(6.0).reshape(1, 2, 3), encode(spot, 2, 3)])
    spots = decode(answer, 2.0)
    assert [one.logit for one in spots] == [5, 4, 3, 2]  # the surest first, none below the limit
    for one in spots:
        assert one.square == pytest.approx(spot.square, abs=1e-4)
        assert one.angle == pytest.approx(angle, abs=1e-4)


def test_the_sizes_of_cosine_and_sine_do_not_matter():
    answer = np.zeros((6, 1, 1))
    answer[4:, 0, 0] = 0.2, -0.2
    (spot,) = decode(answer, 0.0)
    assert spot.angle == pytest.approx(-45)
    assert spot.square == (CELL / 2 - 0.5, CELL / 2 - 0.5, SIDE)
