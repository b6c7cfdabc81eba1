"""The one pool of threads that everything here shares: the kernels, and commands that run a network on many crops.

The caller cuts its work into pieces that do not depend on each other (images, channels, blocks of rows) and gives them
to `run`. BLAS uses one thread meanwhile (see `numpynet.kernels.activate`): two pools would compete for the cores. The
threads really run in parallel, because NumPy's matrix product and the compiled loops release the interpreter's lock.

Chance decides which thread takes which piece. The results do not depend on it: no two pieces write to the same place.
"""

import contextlib
import functools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from numpynet.checks import whole
from numpynet.typing import AnyArray

_executor: ThreadPoolExecutor | None = None
_threads: int | None = None
_inside = threading.local()
_lock = threading.Lock()
"""Held for a moment by whoever gives, takes or withdraws a job."""
_waiting: list["_Server"] = []
"""Threads that have done a job and wait for the next."""


def physical_cores() -> int:
    """The number of cores that this process may use. On Linux, two hardware threads of one core count as one."""
    return _cores(
        frozenset(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))
    )


@functools.cache
def _cores(cpus: frozenset[int]) -> int:
    cores = set()
    for cpu in cpus:
        siblings = str(cpu)
        with contextlib.suppress(OSError):
            siblings = (
                Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text("ascii").strip()
            )
        cores.add(siblings)
    return len(cores)


def set_threads(threads: int | None) -> None:
    """Use this many threads from now on; None: one per physical core. ValueError if it is no whole number above 0."""
    global _threads, _executor
    _threads = None if threads is None else whole(threads, "set_threads: threads")
    before, _executor = _executor, None
    if before is not None:
        before.shutdown()


def get_threads() -> int:
    """The number of threads that `run` uses."""
    return _threads if _threads is not None else physical_cores()


def run(piece: Callable[[int], None], count: int) -> None:
    """Call piece(i) for i = 0 .. count - 1, several at a time, and return when all are done.

    If a piece raises, so does `run`. A piece that calls `run` itself gets no further threads.
    """
    threads = min(get_threads(), count)
    if threads <= 1 or getattr(_inside, "piece", False):
        for i in range(count):
            piece(i)
        return
    numbers = iter(range(count))
    lock = threading.Lock()

    def work() -> None:
        _inside.piece = True
        try:
            while True:
                with lock:
                    i = next(numbers, None)
                if i is None:
                    return
                piece(i)
        finally:
            _inside.piece = False

    others: list[_Job] = []
    try:
        _begin(work, threads - 1, others)
        work()
    finally:
        for other in others:
            if not other.withdraw():  # a thread that has not begun by now would find no piece left
                other.wait()


class _Job:
    """The part of one more thread in a `run`."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._begun = self._withdrawn = False
        self._error: BaseException | None = None
        self._ended = np.zeros(1, np.int64)
        self._end = threading.Lock()
        self._end.acquire()

    def do(self) -> None:
        """Work, unless it was withdrawn. What it raises, `wait` raises."""
        with _lock:
            if self._withdrawn:
                return
            self._begun = True
        try:
            self._work()
        except BaseException as error:  # of whatever kind: it is the caller's
            self._error = error
        finally:
            self._ended[0] = 1
            self._end.release()

    def withdraw(self) -> bool:
        """Take it back, unless it has begun."""
        with _lock:
            self._withdrawn = not self._begun
            return self._withdrawn

    def wait(self) -> None:
        """Return when it has ended, or raise what it raised."""
        _spin(self._ended, 0)
        self._end.acquire()
        if self._error is not None:
            raise self._error


class _Server:
    """A thread of the pool: it does a job, and then waits for a moment for the next one, before it sleeps."""

    def __init__(self) -> None:
        self._job: _Job | None = None
        self._calls = np.zeros(1, np.int64)

    def serve(self, job: _Job | None) -> None:
        """Do this job, and those that come in time."""
        while job is not None:
            job.do()
            seen = int(self._calls[0])
            if _spin is _no_wait:
                return
            with _lock:
                _waiting.append(self)
            _spin(self._calls, seen)
            with _lock:
                job, self._job = self._job, None
                if self in _waiting:
                    _waiting.remove(self)

    def call(self, job: _Job) -> None:
        """Give it a job while it waits."""
        self._job = job
        self._calls[0] += 1


def spin_with(spin: Callable[[AnyArray, int], None] | None) -> None:
    """Let the threads wait with this function for a moment before they sleep; None: they sleep at once.

    To wake a sleeping thread takes some 50 microseconds, as long as many a piece. spin(array, number) returns when
    array[0] is no longer this number, or after a fraction of a millisecond; meanwhile it holds no lock.
    """
    global _spin
    _spin = _no_wait if spin is None else spin


def _no_wait(array: AnyArray, number: int) -> None:
    """Do not spin."""


_spin: Callable[[AnyArray, int], None] = _no_wait


def run_ranges(piece: Callable[[int, int], None], count: int, most: int) -> None:
    """Call piece(begin, end) as `run` does, for at most `most` ranges of equal length that make up 0 .. count - 1."""
    ranges = min(most, count)
    run(lambda k: piece(count * k // ranges, count * (k + 1) // ranges), ranges)


def _begin(work: Callable[[], None], times: int, begun: list[_Job]) -> None:
    """Give `work` to threads that wait for it, or else to the pool, `times` times; append the jobs to `begun`.

    If the pool is closed or no thread can be started, it stops early without an error, and the others do the work.
    `set_threads` in another thread closes the pool, and so does the end of the process, when other threads and
    functions registered with atexit may still compute.
    """
    with contextlib.suppress(RuntimeError):
        for _ in range(times):
            job = _Job(work)
            with _lock:
                server = _waiting.pop() if _waiting else None
                if server is not None:
                    server.call(job)
            if server is None:
                _pool().submit(_Server().serve, job)
            begun.append(job)


def _pool() -> ThreadPoolExecutor:
    global _executor
    if _executor is None:
        _executor = _started(max(1, get_threads() - 1))
    return _executor


def _started(threads: int) -> ThreadPoolExecutor:
    """A pool whose threads run already.

    A pool starts its threads when they get work. Ctrl-C interrupts the main thread, perhaps between the start of a
    thread and the note of it in the pool: then nobody would end that thread, and the process would never end. So a
    thread that Ctrl-C does not reach starts them.
    """
    pool, all_run = ThreadPoolExecutor(threads, thread_name_prefix="numpynet"), threading.Barrier(threads)

    def start() -> None:
        try:
            for _ in range(threads):
                pool.submit(all_run.wait)
        except RuntimeError:  # the process ends, or may have no more threads
            all_run.abort()

    starter = threading.Thread(target=start, name="numpynet starter")
    starter.start()
    starter.join()
    return pool


def _forget() -> None:
    """Drop the pool in a forked process: the threads exist only in the parent."""
    global _executor, _lock
    _executor = None
    _lock = threading.Lock()  # another thread of the parent may have held the old one
    _waiting.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
