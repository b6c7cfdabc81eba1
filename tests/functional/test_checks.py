"""The limits of numbers that functions and layers are given: both ends, and the words of the refusal."""

import numpy as np
import pytest

from numpynet.checks import number, whole


@pytest.mark.parametrize("value", [2, 3, 5, np.int64(5)])
def test_a_whole_number_within_its_limits_is_kept(value):
    assert whole(value, "size", 2, 5) == value
    assert type(whole(value, "size", 2, 5)) is int


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (1, "be at least 2"),
        (6, "be at most 5"),
        (2.0, "be an integer"),
        (True, "be an integer"),
        ("2", "be an integer"),
    ],
)
def test_other_whole_numbers_are_refused(value, rule):
    with pytest.raises(ValueError, match=rf"^size must {rule}, got {value!r}$"):
        whole(value, "size", 2, 5)


@pytest.mark.parametrize("value", [0.5, 1, 2.0, np.float32(0.75)])
def test_a_number_within_its_limits_is_kept(value):
    assert number(value, "p", least=0.5, most=2) is value
    assert number(value, "p", above=0.25, below=2.5) is value


@pytest.mark.parametrize("value", [0.25, 2.5, np.nan, 3])
def test_numbers_outside_their_limits_are_refused(value):
    with pytest.raises(ValueError, match=r"^p must lie in 0\.5 \.\. 2, got"):
        number(value, "p", least=0.5, most=2)
    with pytest.raises(ValueError, match=r"^p must lie in 0\.25 \.\. 2\.5 \(0\.25 and 2\.5 excluded\), got"):
        number(value, "p", above=0.25, below=2.5)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinity_is_refused_even_without_limits(value):
    with pytest.raises(ValueError, match=r"^p must be finite, got -?inf$"):
        number(value, "p")
