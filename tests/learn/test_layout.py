"""Arrays as text."""

import numpy as np
import pytest

from numpynet.learn.showing.text_grids import WIDTH, beside, block, decimal, grid


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1 / 64, "0.015625"),
        (-0.0, "0"),
        (3.0, "3"),
        (-2.0625, "-2.0625"),
        (0.1, "0.1"),
        (1 / 3, "0.33333"),
        (1e-9, "1.0e-09"),
    ],
)
def test_a_number_is_exact_if_it_can_be(value, text):
    assert decimal(value) == text


def test_columns_are_aligned_and_axes_of_size_one_left_out():
    assert grid(np.array([[[[1, -0.5], [0, 10.25]]]])) == ["1   -0.5", "0  10.25"]
    assert grid(np.array(0.5)) == ["0.5"]
    assert grid(np.array([[0.0, 1.0]]), zero=".") == [".  1"]


def test_more_than_two_long_axes_are_refused():
    with pytest.raises(ValueError, match=r"at most two axes may be longer than 1, got shape \(2, 2, 2\)"):
        grid(np.zeros((2, 2, 2)))


def test_blocks_stand_side_by_side_and_wrap_at_the_width():
    text = beside([block("a", np.zeros((2, 2))), block("b", np.ones(3))])
    assert text.splitlines() == ["  a (2, 2)   b (3,)", "    0  0       1  1  1", "    0  0"]
    lines = beside([["x" * 60], ["y" * 60]]).splitlines()
    assert lines == ["  " + "x" * 60, "  " + "y" * 60]
    assert len(beside([["x" * 45], ["y" * 50]]).splitlines()[0]) == WIDTH
