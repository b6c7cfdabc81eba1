"""The clips show their true points where they claim to be, and the figures of steadiness are right on known signals."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.quality.clips import HEIGHT, LOOKS, RATE, WIDTH, Clip, camera, true_points
from benchmarks.quality.motions import MOTIONS, stretched
from benchmarks.quality.steadiness import lag, steadiness
from tests.app.faces.test_keypoints import placed

DOTS = np.array([(250.0, 200.0), (330.0, 210.0), (290.0, 260.0), (270.0, 300.0)])


def dotted(motion, faces):
    """A clip of a grey picture with a soft bright spot at each of DOTS."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    light = sum(np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 4.0**2)) for x, y in DOTS)
    scene = np.repeat((40 + 200 * light).clip(0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
    return Clip(motion, scene, faces, (290.0, 240.0), 100)


def spot_near(image, point, reach=14):
    """The centre of the light around a point."""
    x, y = (round(float(number)) for number in point)
    part = image[y - reach : y + reach + 1, x - reach : x + reach + 1, 0].astype(np.float64)
    part = np.clip(part - 60, 0, None)
    rows, columns = np.mgrid[: part.shape[0], : part.shape[1]]
    return np.array([(part * columns).sum(), (part * rows).sum()]) / part.sum() + (x - reach, y - reach)


@pytest.mark.parametrize("motion", [name for name in MOTIONS if name != "talk"])
def test_what_is_seen_moves_as_the_truth_does(motion):
    clip = dotted(motion, DOTS[None])
    for index in (0, 7, 20, 33, 48, 63, 81):
        image, truth = clip.clean(index), clip.truth(index)[0]
        for point in truth:
            np.testing.assert_allclose(spot_near(image, point), point, atol=0.35)


def test_a_speaking_mouth_is_seen_at_the_true_points():
    face = placed((290, 240), 160, 0)
    face[57], face[19], face[24] = DOTS[3], DOTS[0], DOTS[1]
    clip = dotted("talk", face[None])
    moved = []
    for index in range(0, 50, 3):
        image, truth = clip.clean(index), clip.truth(index)[0]
        for k in (57, 19, 24):
            np.testing.assert_allclose(spot_near(image, truth[k]), truth[k], atol=0.8)
        moved.append(truth[57, 1] - DOTS[3, 1])
    assert max(moved) > 7 > 1 > min(moved)
    far = np.array([[20.0, 20.0]])
    np.testing.assert_allclose(stretched(far, face, 0.2), far, atol=1e-6)


def test_clips_move_as_heads_do_and_in_frame():
    for motion in MOTIONS:
        clip = dotted(motion, placed((290, 240), 160, 0)[None])
        paths = [clip.truth(index)[0] for index in range(100)]
        steps = np.linalg.norm(np.diff(paths, axis=0), axis=-1)
        assert (steps.max() > 0) == (motion != "still")
        assert steps.max() < 20
        assert np.min(paths) > 0
        assert np.max(np.array(paths)[..., 0]) < WIDTH


def test_the_camera_adds_noise_and_little_else():
    gray = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    seen = np.stack([camera(gray, np.random.default_rng(seed)) for seed in range(8)]).astype(np.float64)
    assert 2 < seen.std(axis=(1, 2, 3)).mean() < 6
    assert 0.5 < seen.mean(axis=(1, 2, 3)).std() < 3  # the lamps
    red = camera(np.tile(np.array([200, 60, 60], np.uint8), (64, 64, 1)), np.random.default_rng(0)).mean(axis=(0, 1))
    np.testing.assert_allclose(red, (200, 60, 60), atol=6)


def test_a_clip_is_the_same_every_time():
    first, again = (next(iter(dotted("pan", DOTS[None]).images())) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_true_points_are_the_mean_of_many_looks():
    """The network here adds noise to all points but the corners that frame the face, so its crops are right."""
    rng = np.random.default_rng(0)
    framing = {"kind": "face", "size": 64, "scale": 1.3}
    corners = [0, 1, 36, 45]
    batches = []

    def keypoints(crops):
        noise = rng.normal(0, 3, (len(crops), 68, 2))
        noise[:, corners] = 0
        batches.append(len(crops))
        return np.clip(placed((31.5, 31.5), 64 / 1.3, 0) + noise, 7, 56)

    predictor = SimpleNamespace(card=SimpleNamespace(framing=framing), keypoints=keypoints)
    (points,) = true_points(np.zeros((480, 640, 3), np.uint8), [(300.0, 200.0, 100.0)], predictor)
    off = np.delete(points - placed((300, 200), 100, 0), corners, axis=0)
    assert batches == [1, 1, LOOKS]
    assert off.std() < 3 * 100 * 1.3 / 64 / 2  # half of one crop's noise; the mean of 24 has a fifth of it


def test_lag_is_the_delay_of_the_points():
    times = np.arange(100)
    truth, late = (np.stack([placed((300 + 80 * np.sin((t - by) / 9), 200), 100, 0) for t in times]) for by in (0, 1.7))
    assert lag(late, truth) == pytest.approx(1.7, abs=0.06)
    assert lag(truth, truth) == pytest.approx(0, abs=0.06)
    assert lag(late + 5, truth) == pytest.approx(1.7, abs=0.06)  # a constant error is no delay
    assert np.isnan(lag(truth[:1].repeat(100, axis=0), truth[:1].repeat(100, axis=0)))


def test_shake_and_spread_of_known_points():
    truth = np.tile(placed((300, 200), 100, 0), (80, 1, 1))
    eyes = np.linalg.norm(truth[0, 45] - truth[0, 36])
    points = truth + np.array([3.0, 4.0])
    points[::2, :, 0] += 2.0  # every other frame is 2 pixels further right
    row = steadiness(points, truth)
    assert row.shake == pytest.approx(2)
    assert row.spread == pytest.approx(1)
    expected = (5 + np.hypot(5, 4)) / 2
    assert row.error == pytest.approx(expected)
    assert row.error_percent == pytest.approx(100 * expected / eyes)
    assert np.isnan(row.lag)
    assert RATE == 25
