"""The free list: memory is used again as soon as nobody holds it, and never before."""

import ctypes
import functools
import gc
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from numpynet import functional
from numpynet.kernels import buffers
from numpynet.kernels.buffers import LEAST, LINE, empty, zeros

SHAPE = (7, LEAST)


@pytest.fixture(autouse=True)
def nothing_kept():
    buffers.clear()
    yield
    buffers.clear()


def place(array):
    """The address of an array's numbers."""
    return array.__array_interface__["data"][0]


def test_memory_of_an_array_that_is_gone_serves_again():
    first = empty(SHAPE, np.uint8)
    address = place(first)
    second = empty(SHAPE, np.uint8)
    assert place(second) != address
    del first
    third = empty((SHAPE[0] * LEAST // 4,), np.float32)  # another shape and dtype with the same number of bytes
    assert place(third) == address
    assert third.dtype == np.float32


def through_a_generator(array):
    rows = (row for row in array)
    next(rows)
    return rows


VIEWS = {
    "a row": lambda a: a[3],
    "a slice of all in one line": lambda a: a.reshape(-1)[5:],
    "transposed": lambda a: a.T,
    "another dtype": lambda a: a.view(np.int8),
    "a view of a view of a view": lambda a: a[1:].T[::-1].reshape(-1, 6)[2:],
    "backwards": lambda a: a[::-1, ::-2],
    "one number, of no dimension": lambda a: a[2:3, 7:8].reshape(()),
    "no number at all": lambda a: a[:0],
    "broadcast": lambda a: np.broadcast_to(a, (2, *a.shape)),
    "strides": lambda a: np.lib.stride_tricks.as_strided(a, (2, 5), (LEAST, 3)),
    "windows": lambda a: np.lib.stride_tricks.sliding_window_view(a, 9, axis=1),
    "read-only": lambda a: a.view() if a.setflags(write=False) is None else None,
    "a subclass": lambda a: a.view(np.recarray),
    "a subclass's row": lambda a: a.view(np.ma.MaskedArray)[1:2],
    "memoryview": memoryview,
    "a cast memoryview": lambda a: memoryview(a).cast("B")[10:],
    "an array of a memoryview": lambda a: np.asarray(memoryview(a[1:])),
    "frombuffer": lambda a: np.frombuffer(a, np.uint16),
    "frombuffer of a memoryview": lambda a: np.frombuffer(memoryview(a)[2:], np.uint8),
    "ctypes' pointer": lambda a: a.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8)),
    "ctypes' array": lambda a: ctypes.c_uint8.from_buffer(a),
    "as_ctypes": np.ctypeslib.as_ctypes,
    "the array's base": lambda a: a.base,
    "DLPack": np.from_dlpack,
    "flat": lambda a: a.flat,
    "nditer": lambda a: np.nditer(a),
    "a list of rows": list,
    "a cache": lambda a: functional.ReLUCache(a[0]),
    "a closure": lambda a: lambda: a,
    "a bound method": lambda a: a[2:].sum,
    "a partial": lambda a: functools.partial(np.sum, a),
    "a generator": through_a_generator,
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_view_keeps_the_memory(view):
    array = empty(SHAPE, np.uint8)
    address, part = place(array), view(array)
    del array
    gc.collect()
    assert place(empty(SHAPE, np.uint8)) != address
    del part
    gc.collect()  # for objects that refer to themselves, such as ctypes' arrays
    assert address in {place(memory) for memory in [empty(SHAPE, np.uint8) for _ in range(3)]}


@pytest.mark.torch
def test_a_tensor_keeps_the_memory():
    import torch

    array = empty(SHAPE, np.uint8)
    address, tensor = place(array), torch.from_numpy(array)[2:]
    del array
    assert place(empty(SHAPE, np.uint8)) != address
    del tensor
    assert address in {place(memory) for memory in [empty(SHAPE, np.uint8) for _ in range(2)]}


def test_an_argument_that_nobody_else_holds_keeps_the_memory():
    """Interpreters count the references of arguments and loops in different ways."""

    def taken(array):
        other = empty(SHAPE, np.uint8)
        return place(array) == place(other)

    assert not taken(empty(SHAPE, np.uint8))
    assert not taken(empty(SHAPE, np.uint8).T[1:])
    assert not any(place(empty(SHAPE, np.uint8)) == place(array) for array in [empty(SHAPE, np.uint8)])
    assert len({place(a) for a in (empty(SHAPE, np.uint8), empty(SHAPE, np.uint8), empty(SHAPE, np.uint8))}) == 3


def test_memory_is_free_as_soon_as_the_last_view_is_gone():
    """No garbage collection is needed: a hundred arrays in sequence take the memory of one."""
    gc.disable()
    try:
        assert len({place(empty(SHAPE, np.uint8)[2:].T) for _ in range(100)}) == 1
    finally:
        gc.enable()


def test_a_cycle_gives_its_memory_back_when_it_is_collected():
    cycle = [empty(SHAPE, np.uint8)[1:]]
    cycle.append(cycle)
    address = place(cycle[0]) - LEAST
    del cycle
    gc.collect()
    assert place(empty(SHAPE, np.uint8)) == address


def test_memory_may_come_back_during_a_request_for_memory(monkeypatch):
    """The garbage collector may run at that moment."""
    held, real = [empty(SHAPE, np.uint8)], buffers.from_line
    monkeypatch.setattr(buffers, "from_line", lambda size: (held.clear(), real(size))[1])
    arrays = [empty(SHAPE, np.uint8) for _ in range(3)]
    assert len({place(array) for array in arrays}) == 3


def test_the_array_begins_with_a_line_and_can_be_written_to_its_end():
    for shape, dtype in (((LEAST + 3,), np.uint8), ((3, LEAST // 8), np.float64), ((LEAST, 2), np.complex64)):
        array = empty(shape, dtype)
        assert place(array) % LINE == 0
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert (array.shape, array.dtype) == (shape, dtype)
        array[...] = 1
        assert (array == 1).all()


def test_what_is_in_use_when_all_is_forgotten_does_not_come_back():
    array = empty(SHAPE, np.uint8)
    address = place(array)
    buffers.clear()
    blocker = np.empty(SHAPE, np.uint8)  # otherwise malloc might return the same memory
    other = empty(SHAPE, np.uint8)
    assert place(other) != address
    del array, blocker
    assert place(empty(SHAPE, np.uint8)) != place(other)


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


def test_with_ever_new_sizes_the_kept_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(buffers, "SPARE", 20 * LEAST)

    def kept():
        return sum(size * len(home) for size, home in buffers._free.items())

    held = [empty((9 * LEAST,), np.uint8) for _ in range(3)]
    for size in range(LEAST, 40 * LEAST, LEAST // 3):
        empty((size,), np.uint8)
        assert kept() <= (20 + 27 + 40) * LEAST + size
    latest = empty((size,), np.uint8)
    assert kept() >= 40 * LEAST, "all was let go"
    assert len({place(array) for array in (*held, latest)}) == 4
    del held[0]
    before = place(held[0])
    del held[0]
    assert place(empty((9 * LEAST,), np.uint8)) == before, "what was in use is not forgotten"


def test_small_arrays_are_numpys_own():
    assert empty((3, 4), np.float64).base is None
    assert empty((0, 4), np.float64).shape == (0, 4)


def test_two_threads_that_take_and_let_go_never_share():
    """In thousands of loans, each thread fills its array with its own number and reads nothing else."""
    wrong, size = [], (LEAST,)

    def hammer(number):
        held = []
        for step in range(3000):
            array = empty(size, np.uint8)
            array[...] = number
            held.append(array[step % 7 :])
            if any((view != number).any() for view in held):
                wrong.append(step)
            if len(held) > step % 5:
                held.pop(0)

    threads = [threading.Thread(target=hammer, args=(number,)) for number in (3, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(buffers._free[LEAST]) <= 2 * 6  # no more than both held at once


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_process_that_is_forked_while_another_thread_asks_for_memory(monkeypatch):
    inside, on, real = threading.Event(), threading.Event(), np.empty

    def slow(*arguments, **options):
        if threading.current_thread() is thread:
            inside.set()
            on.wait(30)
        return real(*arguments, **options)

    thread = threading.Thread(target=lambda: empty(SHAPE, np.uint8))
    monkeypatch.setattr(np, "empty", slow)
    thread.start()
    assert inside.wait(30)
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(20)  # ends the process if it waits for ever
        array = empty(SHAPE, np.uint8)
        array[...] = 1
        os._exit(0)
    on.set()
    thread.join(30)
    assert os.waitpid(child, 0)[1] == 0


def test_the_end_of_the_interpreter_is_quiet():
    """Arrays that live to the end, in a module, a cycle and a thread."""
    code = """
import sys, threading, time
import numpy as np
from numpynet.kernels.buffers import empty
kept = empty((1 << 20,), np.uint8)
cycle = [empty((1 << 20,), np.uint8)[5:]]
cycle.append(cycle)
sys.modules["late"] = kept[7:]
threading.Thread(target=lambda: (time.sleep(60), empty((1 << 20,), np.uint8)), daemon=True).start()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
