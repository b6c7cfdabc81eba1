"""Images with their channels last: the same numbers, whatever their order in memory was, and no copy without need."""

import numpy as np
import pytest

from numpynet.kernels import pixels


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("shape", [(2, 5, 7, 9), (3, 20, 47, 33), (1, 3, 200, 211), (2, 33, 40, 41)], ids=str)
def test_the_channels_come_last(shape, dtype, monkeypatch):
    monkeypatch.setattr(pixels, "empty", lambda shape, dtype: np.full(shape, 77, dtype))
    monkeypatch.setattr(pixels, "LARGE", 1000)
    x = np.random.default_rng(0).integers(0, 77, shape).astype(dtype)
    out = pixels.pixels_of(x)
    assert out.flags.c_contiguous
    np.testing.assert_array_equal(out, x.transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(pixels.images_of(out), x)


def test_a_read_only_array_and_one_with_steps_are_copied():
    x = np.random.default_rng(0).random((2, 20, 48, 48))
    x.flags.writeable = False
    for array in (x, x[:, ::2], x[..., ::-1]):
        np.testing.assert_array_equal(pixels.pixels_of(array), array.transpose(0, 2, 3, 1))


def test_what_has_channels_last_is_not_copied():
    x = np.random.default_rng(0).random((2, 40, 41, 33))
    assert np.shares_memory(pixels.pixels_of(pixels.images_of(x)), x)
    assert pixels.has_channels_last(pixels.images_of(x))
    one = np.random.default_rng(0).random((2, 1, 300, 301))
    assert np.shares_memory(pixels.pixels_of(one), one)
