"""What the finder should answer, and the loss of what it answers."""

import numpy as np
import pytest

from fkp_app.geometry.face_grid import SIDE, Spot, decode
from fkp_app.training.finder.targets import FinderLoss, targets


def at(x, y, side=SIDE, angle=20.0):
    return Spot((x, y, side), angle)


def test_the_cell_of_a_face_answers_it_and_those_around_it_may():
    face = at(35.5, 27.5)  # the middle of the cell in row 3, column 4
    target = targets([face], [], 64)
    assert target.shape == (7, 8, 8)
    assert target.dtype == np.float32
    assert np.argwhere(target[1] == 1).tolist() == [[3, 4]]
    assert target[0, 3, 4] == 1
    assert target[0, 3, 5] == target[0, 2, 4] == 0  # 8 pixels away, and 0.45 sides are 15
    assert target[0, 3, 6] == 1
    (spot,) = decode(target[1:], 0.5)
    assert spot.square == pytest.approx(face.square, abs=1e-4)
    assert spot.angle == pytest.approx(20, abs=1e-4)


@pytest.mark.parametrize(
    ("octaves", "found", "free"), [(0.55, 1, True), (-0.55, 1, True), (0.8, 0, True), (1.2, 0, False)]
)
def test_sizes_beyond_the_octave_need_not_or_must_not_be_found(octaves, found, free):
    target = targets([at(32, 32, SIDE * 2**octaves)], [], 64)
    assert (target[1].sum() > 0) == bool(found)
    assert (target[0] == 0).any() == free


def test_a_face_between_cells_is_answered_by_one_at_least():
    assert targets([at(31.5, 31.5, 24.0)], [], 64)[1].sum() >= 1


def test_nobody_is_corrected_where_a_face_may_be():
    target = targets([], [at(31.5, 31.5)], 64)
    assert target[1].sum() == 0
    assert target[0, 3:5, 3:5].sum() == 0
    assert target[0, 0].sum() == 8


def test_the_gradient_of_the_loss_is_its_slope():
    rng = np.random.default_rng(0)
    target = np.stack([targets([at(30, 30)], [at(60, 8)], 64), targets([], [], 64)]).astype(np.float64)
    out, criterion = rng.standard_normal((2, 6, 8, 8)), FinderLoss(gamma=1.5, beta=0.3, place=0.7)
    loss, dout = criterion(out, target)
    assert loss > 0
    assert dout.shape == out.shape
    step = 1e-6 * rng.standard_normal(out.shape)
    rise = criterion(out + step, target)[0] - criterion(out - step, target)[0]
    assert rise == pytest.approx(2 * np.vdot(dout, step), rel=1e-6)
    assert not dout[1, 1:].any()  # without a face, place and size are free
    assert not dout[0, 0][target[0, 0] == 0].any()  # and so is the logit where nobody knows


def test_a_right_and_sure_answer_costs_nothing():
    target = targets([at(30, 30)], [], 64)[None]
    out = target[:, 1:].copy()
    out[:, 0] = np.where(out[:, 0] == 1, 30, -30)
    loss, dout = FinderLoss()(out, target)
    assert loss == pytest.approx(0, abs=1e-9)
    assert np.abs(dout).max() < 1e-9
