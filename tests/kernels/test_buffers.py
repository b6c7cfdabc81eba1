"""The free list: memory serves again once nobody holds it, and never before."""

import threading

import numpy as np
import pytest

from numpynet import buffers
from numpynet.buffers import LEAST, empty, zeros

SHAPE = (7, LEAST)


@pytest.fixture(autouse=True)
def nothing_kept():
    buffers.clear()
    yield
    buffers.clear()


def place(array):
    """Where an array's numbers lie."""
    return array.__array_interface__["data"][0]


def test_memory_of_an_array_that_is_gone_serves_again():
    first = empty(SHAPE, np.uint8)
    address = place(first)
    second = empty(SHAPE, np.uint8)
    assert place(second) != address
    del first
    third = empty((SHAPE[0] * LEAST // 4,), np.float32)  # another shape and dtype of as many bytes
    assert place(third) == address
    assert third.dtype == np.float32


@pytest.mark.parametrize(
    "view", [lambda a: a[3], lambda a: a.reshape(-1)[5:], lambda a: a.T, lambda a: a.view(np.int8)]
)
def test_a_view_keeps_the_memory(view):
    array = empty(SHAPE, np.uint8)
    address, part = place(array), view(array)
    del array
    assert place(empty(SHAPE, np.uint8)) != address
    del part
    assert address in {place(empty(SHAPE, np.uint8))}


def test_arrays_in_use_do_not_disturb_each_other():
    rng = np.random.default_rng(0)
    held = {}
    for step in range(300):
        if held and rng.random() < 0.45:
            number, array = held.popitem()
            assert (array == number).all()
        array = empty((LEAST * int(rng.integers(1, 4)),), np.uint8)
        array[...] = step % 256
        held[step % 256] = array
    for number, array in held.items():
        assert (array == number).all()


def test_threads_never_get_the_same_memory():
    got, lock = [], threading.Lock()

    def take():
        mine = [empty(SHAPE, np.uint8) for _ in range(20)]
        with lock:
            got.extend(mine)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({place(array) for array in got}) == 80


def test_zeros_are_zero_where_other_numbers_were():
    array = empty(SHAPE, np.uint8)
    array[...] = 9
    del array
    assert not zeros(SHAPE, np.uint8).any()


def test_small_arrays_are_numpys_own():
    assert empty((3, 4), np.float64).base is None
    assert empty((0, 4), np.float64).shape == (0, 4)
