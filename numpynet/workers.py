"""The one pool of threads that all kernels share.

A kernel cuts its work into pieces that do not depend on one another (images, channels, blocks of rows) and hands them
to `run`. While the pieces run, BLAS keeps to one thread (see `numpynet.kernels.activate`): two pools would only take
the cores from each other. What a piece calls, NumPy's matrix product or a compiled loop, releases the interpreter's
lock.

Which thread takes which piece is left to chance; results do not depend on it, since no two pieces write to, or add up
in, the same place.
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
    """The cores that this process may use, two threads of one core counting once where Linux tells them apart."""
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
    """Use so many threads from here on; as many as there are physical cores where None. ValueError where it is none."""
    global _threads, _executor
    _threads = None if threads is None else whole(threads, "set_threads: threads")
    before, _executor = _executor, None
    if before is not None:
        before.shutdown()


def get_threads() -> int:
    """How many threads `run` uses."""
    return _threads if _threads is not None else physical_cores()


def run(piece: Callable[[int], None], count: int) -> None:
    """Call `piece` with 0 .. count - 1, several at a time, and return when all are done; raises what a piece raised."""
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
            if not other.cancel():  # one that has not begun by now finds nothing left to do
                other.result()


def _begin(work: Callable[[], None], times: int, begun: list[Future[None]]) -> None:
    """Have the pool do `work` so many times, and put what it promises into `begun`.

    Fewer times where the pool has been closed: by `set_threads` in another thread, or at the end of the process, which
    closes it while threads and what is registered with atexit may still compute.
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
    """In a forked process, in which the pool's threads do not exist."""
    global _executor
    _executor = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
