"""Winograd's rules against the sums that they replace."""

import numpy as np
import pytest

from numpynet.kernels import winograd_rules as rules

PAIRS = [
    (rules.points_of_input, rules.dinput_of_points, 6, 6),
    (rules.points_of_filter, rules.dfilter_of_points, 3, 6),
    (rules.output_of_points, rules.points_of_dout, 6, 4),
]


def test_six_products_give_the_four_outputs():
    rng = np.random.default_rng(0)
    d, g = rng.standard_normal(6), rng.standard_normal(3)
    products = [v * u for v, u in zip(rules.points_of_input(*d), rules.points_of_filter(*g), strict=True)]
    expected = [d[i : i + 3] @ g for i in range(4)]
    np.testing.assert_allclose(rules.output_of_points(*products), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("rule", "transpose", "size", "result"), PAIRS)
def test_backward_is_the_transpose(rule, transpose, size, result):
    matrix = np.array([rule(*unit) for unit in np.eye(size)]).T
    transposed = np.array([transpose(*unit) for unit in np.eye(result)]).T
    assert matrix.shape == (result, size)
    np.testing.assert_allclose(transposed, matrix.T, rtol=0, atol=1e-15)


def test_the_error_in_float32_is_that_of_the_direct_sum_times_three_at_most():
    """Of 64 channels: root of the mean square, over 200 tiles, of inputs as ReLU gives them."""
    rng = np.random.default_rng(0)
    pixels, filters = np.maximum(rng.standard_normal((6, 6, 200, 64)), 0), rng.standard_normal((3, 3, 64)) / 24

    def two_axes(rule, grid):
        columns = [rule(*column) for column in zip(*grid, strict=True)]
        return np.array([rule(*row) for row in zip(*columns, strict=True)])

    def outputs(dtype):
        V, U = (
            two_axes(rule, grid.astype(dtype))
            for rule, grid in ((rules.points_of_input, pixels), (rules.points_of_filter, filters))
        )
        return two_axes(rules.output_of_points, (V * U[:, :, None]).sum(axis=-1))

    def direct(dtype):
        out = np.zeros((4, 4, 200), dtype)
        for i, j in np.ndindex(3, 3):
            out += (pixels[i : i + 4, j : j + 4].astype(dtype) * filters[i, j].astype(dtype)).sum(axis=-1)
        return out

    exact = direct(np.float64)
    np.testing.assert_allclose(outputs(np.float64), exact, rtol=0, atol=1e-13)
    by_points, by_sum = (np.sqrt(np.square(result(np.float32) - exact).mean()) for result in (outputs, direct))
    assert by_sum < by_points < 8 * by_sum
