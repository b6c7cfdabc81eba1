"""Rules of batch norm, ReLU and pooling: which pixel a gradient is sent to, and what x_hat is computed from."""

import importlib

import numpy as np
import pytest

from numpynet.kernels import norm_relu
from numpynet.kernels.uncompiled import Elements

max_pool2d = importlib.import_module("numpynet.kernels.max_pool2d")
WON = np.array([0, 1, 2, 3, norm_relu.CUT], np.uint8)
DOUT = np.array([2.0, 3, 5, 7, 11])
SENT = {0: ([2, 0, 0, 0, 0], [0, 3, 0, 0, 0]), 1: ([0, 0, 5, 0, 0], [0, 0, 0, 7, 0])}  # to the left and the right pixel
rows = pytest.mark.parametrize("row", SENT)


@rows
def test_the_winner_of_a_pool_gets_the_gradient(row):
    for got, expected in zip(max_pool2d._sent(row)(Elements(DOUT), Elements(WON)), SENT[row], strict=True):
        np.testing.assert_array_equal(got.values, expected)


@rows
def test_the_winner_of_a_block_gets_the_gradient_times_the_slope(row):
    """dconvolved = slope dnormalised + offset - coefficient (convolved - mean)."""
    left, right, mean, slope, offset, coefficient = (np.full(5, number) for number in (1.0, 4, 0.5, 3, 100, 10))
    arguments = (Elements(array) for array in (DOUT, WON, left, right, mean, slope, offset, coefficient))
    still = 100 - 10 * (1 - 0.5), 100 - 10 * (4 - 0.5)
    results = norm_relu._pooled_gradient(row)(*arguments)
    for got, sent, rest in zip(results, SENT[row], still, strict=True):
        np.testing.assert_array_equal(got.values, 3 * np.array(sent) + rest)


@pytest.mark.parametrize(
    ("shift", "scale", "trusted"),
    [
        ((0, 0), (1, 1), True),
        ((7, -7), (1, 1), True),
        ((7, -7), (-1, 1), True),
        ((8, 0), (1, 1), False),  # of two numbers of this size, the sum has lost three bits of the smaller one
        ((-9, 0), (1, 1), False),
        ((0, 9), (1, -1), False),
        ((70, 15), (10, 2), True),
        ((0.5, 0), (0.1, 0.05), True),
        ((0.5, 0), (0.05, 0.1), False),
        ((0, 0), (0, 1), False),
    ],
)
@pytest.mark.parametrize("inv_std", [0.001, 1, 1000])
def test_the_output_gives_back_x_hat_if_no_shift_is_eight_times_its_scale(shift, scale, trusted, inv_std):
    every = np.full(2, float(inv_std))
    norm = norm_relu.Norm(np.zeros(2), every, np.array(scale) * every, np.array(shift, float))
    assert norm_relu._trusted(norm) == trusted
