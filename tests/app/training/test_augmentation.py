"""Changes of training crops: each follows its settings, and changes neither the points nor its input."""

from dataclasses import replace

import numpy as np
import pytest

from fkp_app.data.crops import evaluation_transform
from fkp_app.data.transforms import Compose, FaceCrop, Gray, Transform
from fkp_app.geometry.framing import Framing
from fkp_app.training.augmentation import (
    Augmentation,
    Blur,
    Jpeg,
    Light,
    LowResolution,
    Noise,
    Patches,
    RandomChanges,
    Shade,
)
from fkp_app.training.recipe import load_recipe, training_transform
from tests.app.data.test_transforms import DOTS, centres, dotted, face

CHANGES = [Patches(1.0), Shade(1.0), Light(1.0), Blur(1.0), LowResolution(1.0), Noise(1.0), Jpeg(1.0)]


def crop(*more: Transform, size=112):
    return Compose([FaceCrop(Framing("face", size, 1.4)), *more])


def name(change):
    return type(change).__name__


@pytest.mark.parametrize("gray", [True, False], ids=["gray", "RGB"])
@pytest.mark.parametrize("change", CHANGES, ids=name)
def test_a_change_alters_only_the_pixels(change, gray):
    sample = {**crop(*([Gray()] if gray else []))(face()), "name": "Ada"}
    before = sample["image"].copy()
    for array in (sample["image"], sample["keypoints"]):
        array.setflags(write=False)
    changed = RandomChanges((change,), rng=0)(sample)
    np.testing.assert_array_equal(sample["image"], before)
    assert changed is not sample
    assert changed["name"] == "Ada"
    assert (changed["image"].dtype, changed["image"].shape) == (np.uint8, before.shape)
    assert not np.array_equal(changed["image"], before)
    np.testing.assert_array_equal(changed["keypoints"], sample["keypoints"])


@pytest.mark.parametrize("change", CHANGES, ids=name)
def test_the_seed_decides(change):
    sample = crop(Gray())(face())

    def images(seed):
        changes = RandomChanges((change,), rng=seed)
        return np.stack([changes(sample)["image"] for _ in range(4)])

    np.testing.assert_array_equal(images(1), images(1))
    assert not np.array_equal(images(1), images(2))
    assert len({image.tobytes() for image in images(1)}) > 1


@pytest.mark.parametrize("change", CHANGES, ids=name)
def test_the_probability_is_kept(change):
    sample = crop(Gray(), size=32)(face())
    never = RandomChanges((replace(change, probability=0.0),), rng=0)
    assert all(never(sample)["image"] is sample["image"] for _ in range(20))
    sometimes = RandomChanges((replace(change, probability=0.3),), rng=0)
    count = sum(sometimes(sample)["image"] is not sample["image"] for _ in range(400))
    assert 84 <= count <= 156  # 120 expected; 36 are four standard deviations


@pytest.mark.parametrize(
    ("change", "atol"),
    [
        (Light(1.0, offset=(0.0, 0.0)), 1.5),  # a darker gamma draws the dots' centres of mass together
        (Blur(1.0, sigma=(0.5, 3.0)), 0.05),
        (LowResolution(1.0), 0.05),
        (Noise(1.0, sigma=(1.0, 1.0)), None),
        (Jpeg(1.0, quality=(90, 100)), 0.8),
    ],
    ids=name,
)
def test_dots_stay_under_their_keypoints(change, atol):
    """Even if picture and keypoints were turned before. Only the brightest part of a dot counts: darker levels are
    everywhere, from noise and compression."""
    jitter = FaceCrop(Framing("face", 112, 1.8), rng=5, rotate=30, scale=0.1, shift=0.05)
    changes = RandomChanges((change,), rng=1)
    for _ in range(10):
        out = changes(jitter(dotted(radius=6.0)))
        image = out["image"].astype(np.float64)
        dots = centres(np.maximum(image - 0.3 * image.max(axis=(0, 1)), 0))
        np.testing.assert_allclose(dots, out["keypoints"][list(DOTS)], atol=0.5 if atol is None else atol)


def always(value):
    return (value, value)


def ramp():
    return np.arange(256, dtype=np.uint8).reshape(16, 16)


def test_light_is_gamma_then_gain_then_offset():
    rng = np.random.default_rng(0)
    plain = Light(1.0, gamma=0.0, gain=always(1.0), offset=always(0.0))
    np.testing.assert_array_equal(plain(ramp(), rng), ramp())
    lit = replace(plain, gain=always(0.6), offset=always(0.2))(ramp(), rng)
    np.testing.assert_allclose(lit, 0.6 * ramp() + 51, atol=0.51)
    assert (replace(plain, offset=always(-1.0))(ramp(), rng) == 0).all()
    assert replace(plain, gain=always(2.0))(ramp(), rng)[8:].min() == 255
    # A gray of one half becomes a value between 0.5 ** exp(-0.5) and 0.5 ** exp(0.5).
    half = np.full((1, 1), 128, np.uint8)
    drawn = np.array([replace(plain, gamma=0.5)(half, rng)[0, 0] for _ in range(300)]) / 255
    ends = (128 / 255) ** np.exp([0.5, -0.5])
    assert ends[0] - 0.002 <= drawn.min() < ends[0] + 0.02
    assert ends[1] + 0.002 >= drawn.max() > ends[1] - 0.02


def test_blur_spreads_a_point_by_sigma():
    image = np.zeros((61, 61), np.uint8)
    image[28:33, 28:33] = 255
    y, x = np.mgrid[-30:31, -30:31]
    for sigma in (1.5, 4.0):
        blurred = Blur(1.0, always(sigma))(image, np.random.default_rng(0)).astype(float)
        variance = (blurred * (x**2 + y**2)).sum() / blurred.sum() / 2
        assert variance == pytest.approx(2 + sigma**2, rel=0.1)  # five pixels in a row have variance 2
    near = Blur(1.0, always(0.05))(image, np.random.default_rng(0))
    np.testing.assert_array_equal(near, image)


def test_a_shade_darkens_one_side_of_a_line_and_leaves_the_other():
    white, rng = np.full((60, 90), 250, np.uint8), np.random.default_rng(0)
    shares = []
    for _ in range(30):
        shaded = Shade(1.0, gain=(0.4, 0.4), edge=(0.0, 0.0))(white, rng)
        dark = shaded < 120
        assert set(np.unique(shaded[~dark & (shaded < 250)])) <= set(range(100, 250))
        assert dark.sum() + (shaded == 250).sum() > 0.9 * white.size  # the edge is a pixel wide
        assert shaded.min() == 100
        shares.append(dark.mean())
    assert 0.3 < np.mean(shares) < 0.7
    soft = Shade(1.0, gain=(0.4, 0.4), edge=(1.0, 1.0))(white, rng)
    assert len(np.unique(soft)) > 30


def test_low_resolution_loses_what_is_finer():
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(LowResolution(1.0, always(1.0))(stripes, rng), stripes)
    np.testing.assert_allclose(LowResolution(1.0, always(0.5))(stripes, rng), 127.5, atol=0.51)
    wide = np.repeat(stripes[:, :8], 8, axis=1)
    kept = LowResolution(1.0, always(0.5))(wide, rng)
    np.testing.assert_array_equal(kept[:, 4::8], wide[:, 4::8])
    assert (LowResolution(1.0, always(0.01))(wide, rng) == 128).all()  # one pixel is left


def test_noise_has_its_sigma_and_no_bias():
    image = np.full((200, 200), 128, np.uint8)
    for sigma in (2.0, 12.0):
        noise = Noise(1.0, always(sigma))(image, np.random.default_rng(0)).astype(float) - 128
        assert noise.std() == pytest.approx(np.hypot(sigma, 1 / np.sqrt(12)), rel=0.02)  # rounding adds 1/12
        assert abs(noise.mean()) < 0.2
        assert abs((noise[:, 1:] * noise[:, :-1]).mean()) < 0.05 * sigma**2
    np.testing.assert_array_equal(Noise(1.0, always(0.0))(image, np.random.default_rng(0)), image)
    dark = Noise(1.0, always(50.0))(np.zeros((50, 50), np.uint8), np.random.default_rng(0))
    assert (dark == 0).mean() == pytest.approx(0.5, abs=0.05)  # clipped, not wrapped around


def test_patches_are_of_their_size_and_anywhere():
    image = np.zeros((100, 80), np.uint8)
    patches, rng = Patches(1.0, count=1, side=(0.1, 0.3)), np.random.default_rng(0)
    covered, flat, sides = np.zeros(image.shape, int), 0, []
    for _ in range(400):
        patched = patches(image, rng)
        rows, columns = (np.flatnonzero((patched > 0).any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            continue  # a black patch
        part = patched[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        sides.append((part.shape[0] / 100, part.shape[1] / 80))
        flat += part.min() == part.max()
        covered[patched > 0] += 1
    assert np.min(sides) >= 0.09
    assert np.max(sides, axis=0) == pytest.approx(0.3, abs=0.02)
    assert np.min(sides, axis=0) == pytest.approx(0.1, abs=0.02)
    assert 150 < flat < 250
    assert all(edge.any() for edge in (covered[0], covered[-1], covered[:, 0], covered[:, -1]))
    assert covered[20:-20, 16:-16].min() > 0


def test_noisy_patches_have_many_levels_and_colours_their_own():
    rng = np.random.default_rng(1)
    whole = Patches(1.0, count=1, side=always(1.0))
    images = [whole(np.zeros((60, 60, 3), np.uint8), rng).astype(float) for _ in range(20)]
    deviations = [image[:, :, 0].std() for image in images if 100 < image[:, :, 0].mean() < 155]
    assert any(deviation == 0 for deviation in deviations)
    assert any(deviation == pytest.approx(40, rel=0.1) for deviation in deviations)
    assert all(np.ptp(image.mean(axis=(0, 1))) > 0 for image in images)


def test_the_number_of_patches_has_a_maximum():
    rng = np.random.default_rng(2)
    counts = set()
    for _ in range(60):
        patched = Patches(1.0, count=3, side=always(0.02))(np.zeros((50, 50), np.uint8), rng)
        counts.add(int((patched > 0).sum()))  # each is one pixel
    assert counts <= {0, 1, 2, 3}
    assert {1, 2, 3} <= counts


def test_a_lower_jpeg_quality_gives_a_larger_error():
    image = crop()(face(size=(300, 300)))["image"]
    rng = np.random.default_rng(0)
    for picture in (image, image[:, :, 0].copy()):
        errors = [np.abs(Jpeg(1.0, always(q))(picture, rng).astype(float) - picture).mean() for q in (5, 30, 100)]
        assert errors[0] > errors[1] > errors[2]
        assert errors[2] < 3
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 255
    np.testing.assert_allclose(Jpeg(1.0, always(95))(red, rng)[0, 0], [255, 0, 0], atol=6)


def test_an_augmentation_without_settings_changes_nothing():
    sample = crop()(face())
    assert RandomChanges(Augmentation().changes(), rng=0)(sample)["image"] is sample["image"]


def test_training_samples_of_a_recipe():
    recipe, sample = load_recipe("compact"), face()
    size = recipe.framing.size

    def samples(seed):
        transform = training_transform(recipe, seed)
        return [transform(sample) for _ in range(5)]

    for one, two in zip(samples(1), samples(1), strict=True):
        np.testing.assert_array_equal(one["image"], two["image"])
        np.testing.assert_array_equal(one["keypoints"], two["keypoints"])
        assert one["image"].shape == (1, size, size)
        assert one["image"].dtype == np.float32
        assert 0 <= one["image"].min() < one["image"].max() <= 1
    assert not np.array_equal(samples(1)[0]["image"], samples(2)[0]["image"])
    plain = replace(recipe, augmentation=Augmentation())
    same, evaluated = training_transform(plain, 0)(sample), evaluation_transform(recipe.card({}))(sample)
    np.testing.assert_array_equal(same["image"], evaluated["image"])
    np.testing.assert_allclose(same["keypoints"], evaluated["keypoints"], atol=1e-6)
