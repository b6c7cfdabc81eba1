"""Plants wrong loans in the free list of memory: the tests in test_buffers.py must notice each of them.

If memory counted as idle while a view of it lives, two arrays would share it, and a training run would continue with
wrong numbers and without an error. This file causes that fault in four ways; the tests of the free list must fail.
"""

import gc
import math
import sys

import numpy as np
import pytest

from tests.kernels import test_buffers as tests
from tests.kernels.test_buffers import VIEWS, buffers

LOAN = buffers._Loan
LOST: list[object] = []


def ends_at_once(memory, home):
    """The array does not hold the loan, so the loan ends while the array lives."""
    return np.asarray(LOAN(memory, home)._memory)


def ends_twice(memory, home):
    """The loan's end gives the memory back twice, to two arrays that live at the same time."""

    class Twice(LOAN):
        def __del__(self):
            super().__del__()
            self._home.append(self._memory)

    return Twice(memory, home)


def never_ends(memory, home):
    """The memory goes to a list that nobody reads, and malloc cannot use it either."""
    return LOAN(memory, LOST)


def counting(slack):
    """An `empty` that counts the references to the memory, if the interpreter can, and is wrong by `slack`."""
    kept, idle = [], 0

    def counts(size):
        return [(memory, sys.getrefcount(memory)) for memory in kept if memory.nbytes == size]

    kept.append(np.empty(1, np.uint8))
    ((_, idle),) = counts(1)

    def empty(shape, dtype):
        size = math.prod(shape) * np.dtype(dtype).itemsize
        free = [memory for memory, count in counts(size) if count <= idle + slack]
        memory = free[0] if free else np.empty(size, np.uint8)
        if not free:
            kept.append(memory)
        return memory.view(dtype).reshape(shape)

    return empty


@pytest.fixture(autouse=True)
def nothing_kept():
    buffers.clear()
    yield
    buffers.clear()
    LOST.clear()


def notices(test, *arguments):
    """Whether a test of the free list fails."""
    try:
        test(*arguments)
    except AssertionError:
        return True
    finally:
        gc.collect()
    return False


SHARING = {
    "memory serves again": (tests.test_memory_of_an_array_that_is_gone_serves_again,),
    "arguments": (tests.test_an_argument_that_nobody_else_holds_keeps_the_memory,),
    "random loans": (tests.test_arrays_in_use_do_not_disturb_each_other,),
    "threads": (tests.test_threads_never_get_the_same_memory,),
    "two threads": (tests.test_two_threads_that_take_and_let_go_never_share,),
    **{view: (tests.test_a_view_keeps_the_memory, VIEWS[view]) for view in VIEWS},
}


@pytest.mark.parametrize("name", SHARING)
def test_without_a_plant_nothing_is_noticed(name):
    assert not notices(*SHARING[name])


@pytest.mark.parametrize("name", SHARING)
def test_a_loan_that_ends_while_an_array_lives_is_noticed(monkeypatch, name):
    monkeypatch.setattr(buffers, "_Loan", ends_at_once)
    assert notices(*SHARING[name])


@pytest.mark.parametrize("name", ["random loans", "two threads"])
def test_a_loan_that_ends_twice_is_noticed(monkeypatch, name):
    monkeypatch.setattr(buffers, "_Loan", ends_twice)
    assert notices(*SHARING[name])


@pytest.mark.parametrize("name", ["memory serves again", *VIEWS])
def test_a_loan_that_never_ends_is_noticed(monkeypatch, name):
    monkeypatch.setattr(buffers, "_Loan", never_ends)
    assert notices(*SHARING[name])


@pytest.mark.parametrize(
    "name", ["memory serves again", "arguments", "random loans", "a row", "transposed", "memoryview"]
)
def test_a_count_of_references_that_is_one_too_high_is_noticed(monkeypatch, name):
    """As if a new release of the interpreter counted one reference less."""
    monkeypatch.setattr(tests, "empty", counting(slack=1))
    assert notices(*SHARING[name])
