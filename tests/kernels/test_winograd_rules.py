"""Winograd's rules against the sums that they replace."""

import numpy as np
import pytest

from numpynet.kernels import winograd_rules as rules

PAIRS = [
    (rules.points_of_input, rules.dinput_of_points, 6, 6),
    (rules.points_of_filter, rules.dfilter_of_points, 3, 6),
    (rules.output_of_points, rules.points_of_dout, 6, 4),
    (rules.points_of_input_3, rules.dinput_of_points_3, 5, 5),
    (rules.points_of_filter_3, rules.dfilter_of_points_3, 3, 5),
    (rules.output_of_points_3, rules.points_of_dout_3, 5, 3),
]
FORWARD = {
    4: (rules.points_of_input, rules.points_of_filter, rules.output_of_points),
    3: (rules.points_of_input_3, rules.points_of_filter_3, rules.output_of_points_3),
}
outputs_per_tile = pytest.mark.parametrize("outputs", FORWARD)


@outputs_per_tile
def test_a_product_per_point_gives_the_outputs(outputs):
    rng = np.random.default_rng(0)
    points_of_input, points_of_filter, output_of_points = FORWARD[outputs]
    d, g = rng.standard_normal(outputs + 2), rng.standard_normal(3)
    products = [v * u for v, u in zip(points_of_input(*d), points_of_filter(*g), strict=True)]
    expected = [d[i : i + 3] @ g for i in range(outputs)]
    np.testing.assert_allclose(output_of_points(*products), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("rule", "transpose", "size", "result"), PAIRS)
def test_backward_is_the_transpose(rule, transpose, size, result):
    matrix = np.array([rule(*unit) for unit in np.eye(size)]).T
    transposed = np.array([transpose(*unit) for unit in np.eye(result)]).T
    assert matrix.shape == (result, size)
    np.testing.assert_allclose(transposed, matrix.T, rtol=0, atol=1e-15)


@outputs_per_tile
def test_the_error_in_float32_is_that_of_the_direct_sum_times_eight_at_most(outputs):
    """Of 64 channels: root of the mean square, over 200 tiles, of inputs as ReLU gives them."""
    rng = np.random.default_rng(0)
    size, (points_of_input, points_of_filter, output_of_points) = outputs + 2, FORWARD[outputs]
    pixels, filters = np.maximum(rng.standard_normal((size, size, 200, 64)), 0), rng.standard_normal((3, 3, 64)) / 24

    def two_axes(rule, grid):
        columns = [rule(*column) for column in zip(*grid, strict=True)]
        return np.array([rule(*row) for row in zip(*columns, strict=True)])

    def by_points(dtype):
        V, U = two_axes(points_of_input, pixels.astype(dtype)), two_axes(points_of_filter, filters.astype(dtype))
        return two_axes(output_of_points, (V * U[:, :, None]).sum(axis=-1))

    def direct(dtype):
        out = np.zeros((outputs, outputs, 200), dtype)
        for i, j in np.ndindex(3, 3):
            out += (pixels[i : i + outputs, j : j + outputs].astype(dtype) * filters[i, j].astype(dtype)).sum(axis=-1)
        return out

    exact = direct(np.float64)
    np.testing.assert_allclose(by_points(np.float64), exact, rtol=0, atol=1e-13)
    points, sums = (np.sqrt(np.square(way(np.float32) - exact).mean()) for way in (by_points, direct))
    print(f"{outputs} outputs per tile: {points / sums:.1f} times the direct sum's error")
    assert sums < points < 8 * sums
