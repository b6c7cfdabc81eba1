"""How long a cache line takes from one core to another: it tells whether two threads share a cache.

A virtual machine's cores are threads of the host, which may put them next to each other or on two chiplets (dies) of
one processor. Chiplets have a last-level cache each, and what one writes reaches the other only through the links
between them. A step whose threads hand each other short pieces of work is slower there. The host says nothing of this,
and may change it at any moment.
"""

import time

import numpy as np
from numba import njit

from numpynet import workers
from numpynet.kernels.spinning import spin

FAR = 150e-9
"""Seconds. On the AMD EPYC of docs/benchmarks.md it is 31 to 50 ns or 200 to 250, on the Intel Xeon 90 to 120."""

ROUNDS, RUNS = 2000, 5


@njit(nogil=True)
def _bounce(cell, first, rounds):  # type: ignore[no-untyped-def]
    """Add 1 to cell[0] whenever it is `first` plus an even number; the other thread does so when it is not."""
    for i in range(rounds):
        while cell[0] != 2 * i + first:
            spin(cell, 2 * i + first - 1)
        cell[0] += 1


def handover() -> float | None:
    """Seconds that a cache line takes from one of two threads to the other, the least of RUNS; None with one thread."""
    if min(workers.get_threads(), workers.physical_cores()) < 2:
        return None

    def run() -> float:
        cell = np.zeros(8, np.int64)  # the whole line
        begin = time.perf_counter()
        workers.run(lambda first: _bounce(cell, first, ROUNDS), 2)
        return (time.perf_counter() - begin) / (2 * ROUNDS)

    run()  # compiles, and starts the threads
    return min(run() for _ in range(RUNS))
