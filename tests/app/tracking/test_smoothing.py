"""Filters of points, on signals with known truth."""

import math

import numpy as np
import pytest

from benchmarks.quality.point_filter import PointFilter
from fkp_app.geometry.framing import face_square
from fkp_app.tracking.smoothing import PARTS, POSE, FaceSmoother, OneEuro, Tuning, smoothing_factor
from tests.app.faces.test_keypoints import placed

DT = 0.04
NOISE = 0.006
"""Standard deviation of the noise, in sides of the face."""


def noisy(middles, side, seed=0, angles=None):
    """Noisy points (T, 68, 2) and true points of a face with these centres (T, 2) and angles (T)."""
    angles = np.zeros(len(middles)) if angles is None else angles
    truth = np.stack([placed(middle, side, angle) for middle, angle in zip(middles, angles, strict=True)])
    return truth + NOISE * side * np.random.default_rng(seed).standard_normal(truth.shape), truth


def filtered(points, smoother=None, dt=DT):
    smoother = smoother or FaceSmoother()
    return np.stack([smoother(each, dt) for each in points])


def shake(points):
    """Root mean square of the points' movement from frame to frame, after the first 15 frames."""
    return math.sqrt((np.diff(points[15:], axis=0) ** 2).sum(axis=-1).mean())


def still(frames=150):
    return np.tile([200.0, 150.0], (frames, 1))


def test_the_factor_of_a_low_pass_filter_follows_from_its_cutoff():
    # With a time constant of one second, the factor after one second is 1/2.
    assert smoothing_factor(1 / (2 * math.pi), 1.0) == pytest.approx(1 / 2)
    assert smoothing_factor(1 / (2 * math.pi), 3.0) == pytest.approx(3 / 4)
    assert smoothing_factor(0.0, 1.0) == pytest.approx(0, abs=1e-6)


def test_one_euro_by_hand():
    """min_cutoff 1 / 2 pi, d_cutoff 3 / 2 pi and beta 1 / 2 pi, one value per second.

    0 -> 4: the speed's factor is 3 / (3 + 1), so the speed is 3, the cutoff (1 + 3) / 2 pi, the factor 4 / 5: 3.2.
    3.2 -> 4: the speed goes 3/4 of the way from 3 to 0.8, to 1.35, and the factor is 2.35 / 3.35.
    """
    tuning = Tuning(1 / (2 * math.pi), 1 / (2 * math.pi), 3 / (2 * math.pi))
    one = PointFilter(tuning)
    values = [one(np.array([[x, -x]]), 1.0) for x in (0.0, 4.0, 4.0)]
    expected = [0.0, 3.2, 3.2 + 0.8 * 2.35 / 3.35]
    np.testing.assert_allclose(values, [[[x, -x]] for x in expected], rtol=1e-12, atol=1e-12)


def test_points_that_move_together_share_a_speed():
    """Two values of one group have speeds 3 and 4, so both get sqrt(12.5). The third value has its own group."""
    one = OneEuro(Tuning(0.5, 2.0, 1e9), np.array([0, 0, 1]))
    factors = one.factors(np.array([3.0, 4.0j, 5.0]), 1.0)
    expected = [smoothing_factor(0.5 + 2 * speed, 1.0) for speed in (math.sqrt(12.5), math.sqrt(12.5), 5.0)]
    np.testing.assert_allclose(factors, expected, rtol=1e-6)


@pytest.mark.parametrize("side", [40, 140, 600])
def test_a_face_at_rest_shakes_a_fifth_as_much(side):
    points, truth = noisy(still(), side)
    steady = filtered(points)
    assert shake(steady) < shake(points) / 5
    assert np.linalg.norm(steady[15:] - truth[15:], axis=-1).mean() < 0.5 * NOISE * side


def test_the_same_at_every_distance():
    points, _ = noisy(still(40), 1.0)
    one = filtered(points * 100)
    np.testing.assert_allclose(filtered(points * 700), 7 * one, rtol=1e-9)


@pytest.mark.parametrize(
    ("middles", "angles"),
    [
        (np.linspace((100, 150), (600, 250), 60), None),  # 2 sides per second
        (np.stack([200 + 80 * np.sin(np.arange(75) / 9), 150 + 0 * np.arange(75)], axis=1), None),
        (still(75), 25 * np.sin(np.arange(75) / 9)),
    ],
    ids=["straight", "to and fro", "turning"],
)
def test_a_moving_face_lags_by_less_than_half_a_frame(middles, angles):
    points, truth = noisy(middles, 100, angles=angles)
    steady = filtered(points)
    moved = (truth[1:] - truth[:-1])[10:]
    behind = ((truth[1:] - steady[1:])[10:] * moved).sum() / (moved**2).sum()  # in frames, by least squares
    assert -0.1 < behind < 0.5
    off = [np.linalg.norm(each[12:] - truth[12:], axis=-1).mean() for each in (steady, points)]
    assert off[0] < 1.5 * off[1]


def test_a_quick_start_is_followed_within_four_frames():
    """The face jumps from rest to 3 sides per second."""
    middles = np.concatenate([still(40), still(20) + np.arange(1, 21)[:, None] * [12.0, 0.0]])
    points, truth = noisy(middles, 100)
    off = np.linalg.norm(filtered(points) - truth, axis=-1).mean(axis=1)
    assert off[44:].max() < 8


def test_it_is_steadier_and_quicker_than_one_euro_on_every_point():
    """The One-Euro filter's constants make it shake about as much."""
    (at_rest, _), (moving, truth) = (noisy(middles, 100) for middles in (still(), np.linspace((0, 0), (500, 100), 60)))
    one, other = (lambda: PointFilter(Tuning(0.5, 0.25))), FaceSmoother
    assert shake(filtered(at_rest, other())) < shake(filtered(at_rest, one()))
    off = [np.linalg.norm(filtered(moving, way()) - truth, axis=-1)[12:].mean() for way in (other, one)]
    assert off[0] < off[1] / 2


def test_a_mouth_speaks_in_a_face_at_rest():
    """The mouth opens by 8 % of the face's side in a fifth of a second."""
    points, truth = noisy(still(60), 100)
    lower_lip = slice(55, 60)
    opened = 8 * np.clip((np.arange(60) - 30) / 5, 0, 1)[:, None]
    points[:, lower_lip, 1] += opened
    truth[:, lower_lip, 1] += opened
    off = np.abs(filtered(points) - truth)[:, lower_lip, 1].mean(axis=1)
    assert off[30:36].max() < 5
    assert off[45:].mean() < 1
    assert PARTS[55] == PARTS[66] != PARTS[36]


def test_a_mouth_that_speaks_hardly_shakes_the_eyes():
    points, _ = noisy(still(120), 100)
    speaking = points.copy()
    speaking[:, 48:68, 1] += 3 * np.sin(np.arange(120))[:, None] * np.linspace(-1, 1, 20)
    eyes = slice(36, 48)
    one, other = (filtered(each) for each in (points, speaking))
    assert shake(other[:, 48:68]) > 2 * shake(one[:, 48:68])
    assert shake(other[:, eyes]) < 1.5 * shake(one[:, eyes])


def test_a_changing_shape_does_not_move_the_face():
    """Without a filter on the pose, the mean of the points is that of the input."""
    points, _ = noisy(still(20), 100)
    points[10:, 48:68, 1] += 8
    steady = filtered(points, FaceSmoother(pose=Tuning(1e9, 0.0)))
    np.testing.assert_allclose(steady.mean(axis=1), points.mean(axis=1), atol=1e-6)


HALF = Tuning(1 / (2 * math.pi), 0.0)
"""Its smoothing factor is 1/2 if a frame lasts one second."""


@pytest.mark.parametrize(("degrees", "zoom"), [(90, 1.0), (-120, 1.0), (0, 4.0), (0, 0.25), (100, 2.25)])
def test_half_of_a_pose_is_half_the_turn_and_half_the_zoom(degrees, zoom):
    """Half of a turn by 90 degrees is a turn by 45 at the same size; half of a zoom by 4 is a zoom by 2."""
    smoother = FaceSmoother(pose=HALF)
    smoother(placed((100, 100), 80, 0), 1.0)
    half = placed((100, 100), 80 * math.sqrt(zoom), degrees / 2)
    turned = smoother(placed((100, 100), 80 * zoom, degrees), 1.0)
    # `placed` turns about the square's centre, the filter about the points' mean.
    middle = half.mean(axis=0) - turned.mean(axis=0)
    np.testing.assert_allclose(turned + middle, half, atol=1e-6)


@pytest.mark.parametrize(("degrees", "zoom"), [(40, 1.0), (0, 1.5), (-25, 0.8)])
def test_the_lag_of_the_pose_does_not_change_the_shape(degrees, zoom):
    """A rigid face turns and grows. While the filtered pose catches up, the shape stays the same in each frame."""
    smoother = FaceSmoother(pose=HALF)
    first = placed((100, 100), 80, 0)
    smoother(first, 1.0)
    for frame in range(1, 5):
        got = smoother(placed((100, 100), 80 * zoom, degrees), 1.0)
        share = 1 - 0.5**frame
        expected = placed((100, 100), 80 * zoom**share, degrees * share)
        np.testing.assert_allclose(got - got.mean(axis=0), expected - expected.mean(axis=0), atol=1e-6)


def test_a_zoom_is_followed():
    sides = 100 * 1.02 ** np.arange(40)
    points = np.stack([placed((200, 150), side, 0) for side in sides])
    ratio = [face_square(each)[2] / side for each, side in zip(filtered(points), sides, strict=True)]
    assert ratio[0] == pytest.approx(1)
    assert min(ratio[12:]) > 0.98


def test_after_a_long_pause_the_old_points_do_not_count():
    smoother = FaceSmoother()
    smoother(placed((100, 100), 80, 0), DT)
    np.testing.assert_allclose(smoother(placed((130, 100), 80, 10), 1e4), placed((130, 100), 80, 10), atol=0.01)


@pytest.mark.parametrize("dt", [1e-3, 0.2])
def test_any_frame_rate_is_smoothed_and_finite(dt):
    points, _ = noisy(still(60), 100)
    steady = filtered(points, dt=dt)
    assert np.isfinite(steady).all()
    assert shake(steady) < shake(points)


@pytest.mark.parametrize("odd", [np.full((68, 2), 7.0), placed((50, 50), 30, 180), 1e-9 * placed((0, 0), 1, 0)])
def test_points_that_are_no_face_do_no_harm(odd):
    smoother = FaceSmoother()
    good = placed((50, 50), 30, 0)
    for points in (good, odd, odd, good, good):
        assert np.isfinite(smoother(points, DT)).all()
    for _ in range(50):
        last = smoother(good, DT)
    np.testing.assert_allclose(last, good, atol=1.0)


def test_the_first_points_come_out_as_they_are_and_stay():
    points = placed((50, 50), 30, 20)
    smoother = FaceSmoother(POSE)
    for _ in range(3):
        np.testing.assert_allclose(smoother(points, DT), points, atol=1e-9)
