"""The loops of Winograd's convolutions: how many tiles a strip has, and outputs as wide as there are filters."""

import numpy as np
import pytest

from numpynet import functional
from numpynet.kernels import winograd
from numpynet.kernels import winograd_loops as loops
from numpynet.kernels.strip_work import nothing_after, plain_gradient
from numpynet.kernels.vector_loops import grid_loop
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


def test_a_loop_over_tiles_is_made_of_grid_loops_for_both_sizes():
    """Here the rules of both give the sum of a tile at its first point, and 0 at all others."""

    def total(first, *others):
        return sum(others, first), *(one * 0 for one in others)

    four, three = grid_loop(total, 4), grid_loop(total, 3)
    loop = loops._each_tile(four, three, overlap=0, to_points=True)
    for size, points in ((4, 36), (3, 25)):
        pixels = np.random.default_rng(0).integers(-9, 10, (2 * size, 3 * size, 5)).astype(np.float64)
        V = np.zeros((points, 8 * 5))
        assert loop(pixels, V, 2) == 8
        expected = pixels.reshape(2, size, 3, size, 5).sum((1, 3)).reshape(-1)
        np.testing.assert_array_equal(V[0, 2 * 5 :], expected)
        assert not V[0, : 2 * 5].any()
        assert not V[1:].any()
