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
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from numpynet.checks import whole

_executor: ThreadPoolExecutor | None = None
_threads: int | None = None
_inside = threading.local()


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

    others: list[Future[None]] = []
    try:
        _begin(work, threads - 1, others)
        work()
    finally:
        for other in others:
            if not other.cancel():  # a thread that has not started by now would find no piece left
                other.result()


def run_ranges(piece: Callable[[int, int], None], count: int, most: int) -> None:
    """Call piece(begin, end) as `run` does, for at most `most` ranges of equal length that make up 0 .. count - 1."""
    ranges = min(most, count)
    run(lambda k: piece(count * k // ranges, count * (k + 1) // ranges), ranges)


def _begin(work: Callable[[], None], times: int, begun: list[Future[None]]) -> None:
    """Submit `work` to the pool `times` times, and append the futures to `begun`.

    If the pool is closed, it stops early without an error. `set_threads` in another thread closes the pool, and so does
    the end of the process, when other threads and functions registered with atexit may still compute.
    """
    try:
        for _ in range(times):
            begun.append(_pool().submit(work))
    except RuntimeError as error:
        if "cannot schedule" not in str(error):
            raise


def _pool() -> ThreadPoolExecutor:
    global _executor
    if _executor is None:
        _executor = ThreadPoolExecutor(max(1, get_threads() - 1), thread_name_prefix="numpynet")
    return _executor


def _forget() -> None:
    """Drop the pool in a forked process: the threads exist only in the parent."""
    global _executor
    _executor = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
