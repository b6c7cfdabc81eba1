"""A group of threads in the place of the processes of MPI: each number is sent when a request is waited for."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np


class Meeting:
    """Where the threads put their arrays."""

    def __init__(self, size):
        self.size, self.arrays = size, [None] * size
        self.barrier = threading.Barrier(size, timeout=60)

    def exchange(self, rank, array):
        """Copies of the arrays of all threads."""
        self.arrays[rank] = np.array(array)
        self.barrier.wait()
        arrays = list(self.arrays)
        self.barrier.wait()
        return arrays


class Later:
    """A request that does its work when it is waited for."""

    def __init__(self, work):
        self.work = work

    def Test(self):  # noqa: N802
        return False

    def Wait(self):  # noqa: N802
        self.work()
        return True


class ThreadGroup:
    """As numpynet.parallel.Group. `log` holds the names of the calls, in their order."""

    def __init__(self, rank, meeting):
        self.rank, self.size, self.meeting, self.log = rank, meeting.size, meeting, []

    def sum(self, array):
        array[...] = sum(self.meeting.exchange(self.rank, array))

    def begin_sum(self, array):
        self.log.append("sum")
        return Later(lambda: self.sum(array))

    def begin_gather(self, array):
        self.log.append("gather")
        gathered = np.full((self.size * len(array), *array.shape[1:]), np.nan, array.dtype)
        return gathered, Later(lambda: np.concatenate(self.meeting.exchange(self.rank, array), out=gathered))

    def broadcast(self, array):
        array[...] = self.meeting.exchange(self.rank, array)[0]

    def barrier(self):
        self.meeting.barrier.wait()

    def __deepcopy__(self, _):
        return self


def together(size, work):
    """What work(group) returns in each of `size` threads."""
    meeting = Meeting(size)

    def one(rank):
        try:
            return work(ThreadGroup(rank, meeting))
        except BaseException:
            meeting.barrier.abort()
            raise

    with ThreadPoolExecutor(size) as pool:
        return [future.result() for future in [pool.submit(one, rank) for rank in range(size)]]
