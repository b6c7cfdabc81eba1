"""The pool of threads: each piece is done once, errors reach the caller, and timing does not change results."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from numpynet import kernels
from numpynet.kernels.code_cache import DISABLED
from numpynet.kernels.spinning import SPIN, spin
from numpynet.workers import get_threads, physical_cores, run, set_threads, spin_with


@pytest.fixture(autouse=True, params=[None, SPIN], ids=["asleep at once", "awake for a moment"])
def waiting(request):
    """How the threads wait for their next job."""
    spin_with(request.param)
    yield
    spin_with(None)
    set_threads(None)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 37])
def test_every_piece_is_done_once(threads, count):
    set_threads(threads)
    assert get_threads() == threads
    done, lock = [], threading.Lock()

    def piece(i):
        with lock:
            done.append(i)

    run(piece, count)
    assert sorted(done) == list(range(count))


def test_pieces_run_side_by_side():
    """Two pieces that wait for each other only end if they run at the same time."""
    set_threads(2)
    meeting = threading.Barrier(2, timeout=20)
    run(lambda _: meeting.wait(), 2)


@pytest.mark.parametrize("threads", [1, 3])
def test_what_a_piece_raises_comes_out_and_the_pool_lives_on(threads):
    set_threads(threads)

    def piece(i):
        if i == 4:
            raise ZeroDivisionError("piece 4")

    with pytest.raises(ZeroDivisionError, match="piece 4"):
        run(piece, 9)
    done = []
    run(done.append, 3)
    assert sorted(done) == [0, 1, 2]


def test_a_piece_may_have_pieces_itself():
    set_threads(2)
    sums = np.zeros(4)

    def piece(i):
        def part(k):
            time.sleep(0.001)
            sums[i] += k

        run(part, 5)

    run(piece, 4)
    np.testing.assert_array_equal(sums, 10)


def test_from_several_threads_at_once():
    set_threads(2)
    results = np.zeros((3, 50))

    def caller(j):
        run(lambda i: results[j].__setitem__(i, i), 50)

    callers = [threading.Thread(target=caller, args=(j,)) for j in range(3)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join(20)
    np.testing.assert_array_equal(results, np.tile(np.arange(50), (3, 1)))


def test_the_default_is_at_least_one_core():
    assert get_threads() == physical_cores() >= 1


@pytest.mark.parametrize("threads", [0, -2])
def test_fewer_than_one_thread_is_refused(threads):
    with pytest.raises(ValueError, match="set_threads: threads must be at least 1, got"):
        set_threads(threads)


def test_kernels_give_the_same_bits_with_any_number_of_threads():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((7, 5, 40, 41), np.float32)
    weight = rng.standard_normal((6, 5, 3, 3), np.float32)
    wide, rows = rng.standard_normal((1100, 1000), np.float32), rng.standard_normal((7, 1000), np.float32)
    results = []
    for threads in (1, 2, 3):
        set_threads(threads)
        out, cache = kernels.conv2d(x, weight, None, 1, 1)
        parts = [out, *kernels.conv2d_backward(out[::-1].copy(), cache)[:2]]
        out, norm_cache = kernels.batch_norm(x)
        parts += [out, *kernels.batch_norm_backward(x[::-1].copy(), norm_cache)]
        out, pool_cache = kernels.max_pool2d(x, 2)
        parts += [out, kernels.max_pool2d_backward(out, pool_cache)]
        results.append([np.copy(part) for part in parts])
        out, linear_cache = kernels.linear(rows, wide)
        np.testing.assert_allclose(out, rows @ wide.T, rtol=1e-4, atol=1e-3)
        assert len(kernels.linear_backward(out, linear_cache)) == 3
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_thread_that_never_began_is_not_waited_for():
    """If the pool or the machine is busy, the caller does all pieces itself and continues."""
    set_threads(2)
    go, began, waited_in_vain = threading.Event(), threading.Semaphore(0), []

    def slow(i):
        began.release()
        if not go.wait(5):
            waited_in_vain.append(i)

    other = threading.Thread(target=run, args=(slow, 2))
    other.start()
    for _ in range(2):
        assert began.acquire(timeout=20)  # now the pool's only thread is busy
    done = []
    run(done.append, 7)
    go.set()
    other.join()
    assert sorted(done) == list(range(7))
    assert waited_in_vain == []


@pytest.mark.parametrize("threads", ["2", 2.5, True, float("nan"), 0])
def test_what_is_no_number_of_threads_is_refused(threads):
    with pytest.raises(ValueError, match="set_threads: threads must be"):
        set_threads(threads)


def test_threads_may_change_while_another_thread_computes():
    stop, wrong = threading.Event(), []

    def compute():
        while not stop.is_set():
            done = []
            try:
                run(done.append, 20)
            except RuntimeError as error:
                wrong.append(error)
            if len(done) != 20:
                wrong.append(done)

    set_threads(2)
    others = [threading.Thread(target=compute) for _ in range(2)]
    for other in others:
        other.start()
    for i in range(300):
        set_threads(1 + i % 3)
    stop.set()
    for other in others:
        other.join()
    assert not wrong


AT_THE_END = """
import atexit, threading, time
from numpynet.workers import run, set_threads

def compute(name):
    done = []
    run(done.append, 20)
    print(name, len(done))

def later():
    time.sleep(0.3)
    compute("thread")

set_threads(2)
compute("main")
threading.Thread(target=later).start()
atexit.register(compute, "atexit")
"""


def test_work_that_still_runs_when_the_process_ends_is_finished():
    """Python closes every pool before it waits for threads."""
    done = subprocess.run([sys.executable, "-c", AT_THE_END], capture_output=True, text=True, timeout=60)
    assert (done.stdout.split("\n"), done.stderr) == (["main 20", "thread 20", "atexit 20", ""], "")


INTERRUPTED = """
import threading
from numpynet.workers import run, set_threads

begin = threading.Thread.start

def start(thread):
    begin(thread)
    if threading.current_thread() is threading.main_thread():
        raise KeyboardInterrupt

set_threads(3)
threading.Thread.start = start
try:
    run(print, 5)
except KeyboardInterrupt:
    print("stopped")
"""


def test_an_interrupt_while_threads_start_does_not_keep_the_process_from_ending():
    command = [sys.executable, "-c", INTERRUPTED]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout == "stopped\n"


def test_a_thread_that_waits_takes_the_next_job_and_one_that_sleeps_does_too():
    set_threads(2)
    for pause in (0, 0, 0.01, 0):
        time.sleep(pause)
        meeting, seen = threading.Barrier(2, timeout=20), set()

        def piece(_, meeting=meeting, seen=seen):
            meeting.wait()
            seen.add(threading.get_ident())

        run(piece, 2)
        assert len(seen) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is POSIX")
def test_a_forked_process_has_threads_of_its_own():
    set_threads(2)
    meeting = threading.Barrier(2, timeout=20)
    run(lambda _: meeting.wait(), 2)
    child = os.fork()
    if child == 0:
        try:
            own = threading.Barrier(2, timeout=20)
            run(lambda _: own.wait(), 2)
            os._exit(7)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@pytest.mark.skipif(DISABLED, reason="nothing is compiled")
def test_spinning_ends_when_the_number_changes_and_without_it_soon():
    number = np.zeros(1, np.int64)
    spin(number, 1)
    begin = time.perf_counter()
    spin(number, 0)
    assert time.perf_counter() - begin < 1
