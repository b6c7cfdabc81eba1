"""Dark and flat pictures are stretched, others are left alone."""

import numpy as np
import pytest

from fkp_app.faces.levels import stretched

LEVELS = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


@pytest.mark.parametrize(("gain", "offset"), [(0.15, 0), (0.3, 150), (0.45, 60)])
def test_dark_and_flat_pictures_fill_all_levels(gain, offset):
    flat = (LEVELS * gain + offset).astype(np.uint8)
    wide = stretched(flat)
    assert (wide.dtype, wide.shape) == (np.uint8, flat.shape)
    assert (wide.min(), wide.max()) == (0, 255)
    assert np.abs(wide.astype(float) - LEVELS).mean() < 8  # as it was, but for rounding
    order = np.argsort(flat, axis=None, kind="stable")
    assert (np.diff(wide.ravel()[order].astype(int)) >= 0).all()


@pytest.mark.parametrize(
    "image", [LEVELS, LEVELS // 5 * 3, np.full((9, 9, 3), 80, np.uint8), np.zeros((1, 1, 3), np.uint8)]
)
def test_other_pictures_stay_the_very_same(image):
    assert stretched(image) is image


def test_a_few_bright_pixels_do_not_make_a_picture_bright():
    dark = (LEVELS * 0.15).astype(np.uint8)
    dark[0, :2] = 255
    assert np.percentile(stretched(dark), 90) > 200
