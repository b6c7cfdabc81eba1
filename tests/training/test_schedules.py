"""Schedules without torch: their start, peak and end, and their errors."""

import math
from itertools import pairwise

import pytest

from numpynet.schedules import constant, cosine, one_cycle


def test_constant():
    assert [constant(0.1)(i) for i in (0, 7, 10**6)] == [0.1] * 3


def test_one_cycle_begins_peaks_and_ends_where_it_should():
    lr = one_cycle(1.0, 100, warmup=0.31, div_factor=10, final_div_factor=100)
    rates = [lr(i) for i in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[15] == pytest.approx(0.55)  # halfway up
    assert rates[30] == max(rates) == 1.0
    assert rates[99] == pytest.approx(0.001)
    assert all(a < b for a, b in pairwise(rates[:31]))
    assert all(a > b for a, b in pairwise(rates[30:]))


def test_a_cycle_whose_peak_is_at_or_beside_its_first_step():
    assert one_cycle(1.0, 10, warmup=0.1)(0) == 1.0
    assert one_cycle(1.0, 15, warmup=0.1, div_factor=8)(0) == 1 / 8  # the peak is halfway to the second step
    assert one_cycle(1.0, 20, warmup=0.1, div_factor=8)(0) == 1 / 8


def test_a_cycle_may_begin_at_its_peak_and_end_above_where_it_began():
    assert one_cycle(1.0, 20, div_factor=1)(0) == 1.0
    assert one_cycle(1.0, 20, div_factor=10, final_div_factor=0.5)(19) == pytest.approx(0.2)


def test_cosine_begins_peaks_and_ends_where_it_should():
    rates = [cosine(1.0, 104, warmup=4 / 104, min_lr=0.2)(i) for i in range(104)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[54] == pytest.approx(0.6)  # halfway down
    assert rates[103] == pytest.approx(0.2 + 0.4 * (1 + math.cos(math.pi * 99 / 100)))
    assert all(a > b for a, b in pairwise(rates[4:]))


def test_every_step_of_a_cosine_has_a_positive_rate():
    assert min(map(cosine(1.0, 20), range(20))) > 0


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("schedule", [one_cycle, cosine])
def test_from_the_last_step_on_it_keeps_its_value(schedule, warmup, steps):
    lr = schedule(0.5, steps, warmup)
    assert all(0 <= lr(i) <= 0.5 for i in range(steps))
    assert lr(steps) == lr(steps + 1) == lr(10**9) == lr(steps - 1)


@pytest.mark.parametrize("schedule", [one_cycle(0.3, 40), cosine(0.3, 40)])
def test_it_depends_on_the_step_alone(schedule):
    forward = [schedule(i) for i in range(45)]
    assert [schedule(i) for i in reversed(range(45))] == forward[::-1]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: constant(-1), "constant: lr must be at least 0, got -1"),
        (lambda: one_cycle(math.nan, 10), "one_cycle: max_lr must be at least 0, got nan"),
        (lambda: one_cycle(1, 0), "one_cycle: steps must be at least 1, got 0"),
        (lambda: one_cycle(1, 10, 1.5), r"one_cycle: warmup must lie in 0 \.\. 1, got 1.5"),
        (lambda: one_cycle(1, 10, div_factor=0), "one_cycle: div_factor must be above 0, got 0"),
        (lambda: one_cycle(1, 10, final_div_factor=0), "one_cycle: final_div_factor must be above 0, got 0"),
        (lambda: one_cycle(1, 10, final_div_factor=-1), "one_cycle: final_div_factor must be above 0, got -1"),
        (lambda: cosine(-1, 10), "cosine: max_lr must be at least 0, got -1"),
        (lambda: cosine(1, 0), "cosine: steps must be at least 1, got 0"),
        (lambda: cosine(1, 10, -0.1), r"cosine: warmup must lie in 0 \.\. 1, got -0.1"),
        (lambda: cosine(1, 10, min_lr=-1), "cosine: min_lr must be at least 0, got -1"),
        (lambda: cosine(1, 10, min_lr=2), "cosine: min_lr must be at most max_lr = 1, got 2"),
    ],
)
def test_errors_name_the_argument(call, words):
    with pytest.raises(ValueError, match=words):
        call()
