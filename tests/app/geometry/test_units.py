"""The map between pixels and a network's units, computed by hand and compared to the bit."""

import numpy as np
import pytest

from fkp_app.geometry.crop_card import CropCard
from fkp_app.geometry.units import Units

CARD = CropCard.describe({}, 10, {}, keypoint_offset=30, keypoint_scale=4)


def test_a_weights_card_names_the_units():
    assert CARD.units == Units(30.0, 4.0)


def test_an_output_is_a_place_in_the_crop():
    outputs = np.zeros((2, 136), np.float32)
    outputs[1, 6:8] = 0.5, -2  # x and y of point 3
    pixels = CARD.units.to_pixels(outputs)
    assert pixels.shape == (2, 68, 2)
    assert pixels[1, 3].tolist() == [32, 22]
    assert (np.delete(pixels.reshape(-1, 2), 68 + 3, axis=0) == 30).all()


def test_a_place_in_the_crop_is_a_target():
    assert CARD.units.to_units(np.array([[32, 22], [30, 34]], np.float32)).tolist() == [[0.5, -2], [0, 1]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_value_is_rounded_in_its_own_dtype(dtype):
    """Training computes in float32, evaluation's targets in float64: neither may change by a bit."""
    units = Units(100 * 96 / 224, 50 * 96 / 224)
    values = np.random.default_rng(0).uniform(-2, 98, (3, 136)).astype(dtype)
    offset, scale = dtype(units.offset), dtype(units.scale)
    np.testing.assert_array_equal(units.to_units(values), (values - offset) / scale, strict=True)
    pixels = (values * scale + offset).reshape(3, 68, 2)
    np.testing.assert_array_equal(units.to_pixels(values), pixels, strict=True)


def test_numpys_own_numbers_in_a_card_change_no_dtype():
    card = CropCard.describe({}, 10, {}, keypoint_offset=np.float64(30), keypoint_scale=np.float64(4))
    assert card.units.to_pixels(np.zeros((1, 136), np.float32)).dtype == np.float32
