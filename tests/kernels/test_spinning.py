"""A thread that waits for a number to change sees the change, and gives up after a while."""

import numba
import numpy as np
import pytest

from numpynet.kernels import spinning

spin = getattr(spinning.spin, "py_func", spinning.spin)


def test_the_number_is_read_anew(monkeypatch):
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 0)
    now = spinning._now

    @numba.njit
    def twice(array):
        before = now(array)
        array[0] += 5
        return before, now(array)

    assert twice(np.array([7, 1])) == (7, 12)


@pytest.mark.parametrize("changes_after", [0, 1, 2, 100])
def test_it_ends_with_the_change(changes_after, monkeypatch):
    read = []

    def now(array):
        read.append(array[0])
        return 3 if len(read) <= changes_after else 4

    monkeypatch.setattr(spinning, "_now", now)
    spin(np.array([3]), 3)
    assert len(read) == changes_after + 1


def test_it_gives_up_after_so_many_rounds(monkeypatch):
    read = []
    monkeypatch.setattr(spinning, "_now", lambda array: read.append(1) or 3)
    monkeypatch.setattr(spinning, "ROUNDS", 17)
    spin(np.array([3]), 3)
    assert len(read) == 17
