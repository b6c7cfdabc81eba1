"""The loops of Winograd's convolutions: how many tiles a strip has, and outputs as wide as there are filters."""

import numpy as np
import pytest

from numpynet import functional
from numpynet.kernels import winograd
from numpynet.kernels import winograd_loops as loops
from numpynet.kernels.strip_work import nothing_after, plain_gradient
from tests.kernels.test_strips import C, F, geometry


@pytest.mark.parametrize(
    ("strip", "tiles"), [([0, 1, 0, 4], 4), ([0, 1, 4, 10], 8), ([0, 1, 8, 10], 4), ([0, 3, 0, 10], 36)]
)
def test_the_tiles_of_a_strip_are_counted(strip, tiles):
    """Images of 10 x 13 outputs: rows of four tiles of 4 x 4."""
    g, dtype, strip = geometry(3, 10, 13), np.dtype(np.float64), np.array(strip)
    x, dout = np.ones((3, 10, 13, C)), np.ones((3, 10, 13, F))
    pixels, outputs, V, D = winograd._working_memory(np.array([[0, 5, 0, 10]]), g, F, dtype)
    assert loops.input_points(x, strip, pixels, V, g) == tiles
    assert loops.strip_points(x, strip, pixels, outputs, V, D, 7, plain_gradient(dout), g) == 7 + tiles


def test_outputs_as_wide_as_there_are_filters():
    """6 columns of outputs and 6 filters, but 8 columns of tiles."""
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((2, 8, 6, C)), rng.standard_normal((6, C, 3, 3))
    out = winograd.convolve(x, weight, geometry(2, 8, 6), nothing_after(x.dtype))
    expected, _ = functional.conv2d(np.ascontiguousarray(x.transpose(0, 3, 1, 2)), weight, None, padding=1)
    np.testing.assert_allclose(out, expected.transpose(0, 2, 3, 1), rtol=0, atol=1e-12)
