"""The processes that train together, and the few operations of MPI that they need."""

from __future__ import annotations

from typing import Any, Protocol, Self

import numpy as np

from numpynet.typing import AnyArray, Array


class Request(Protocol):
    """An operation that goes on in the background, as mpi4py has it."""

    def Test(self) -> bool:  # noqa: N802
        """Move it on, if it waits for this process; whether it has ended."""
        ...

    def Wait(self) -> bool:  # noqa: N802
        """Return when it has ended."""
        ...


class Group:
    """All processes of an mpi4py communicator. Each of them must call the same methods in the same order.

    MPI moves numbers without looking at their order in memory, so arrays must be contiguous.
    """

    def __init__(self, communicator: Any) -> None:
        from mpi4py import MPI

        self._communicator = communicator
        self._in_place = MPI.IN_PLACE
        self.rank: int = communicator.Get_rank()
        """The number of this process, from 0."""
        self.size: int = communicator.Get_size()
        """The number of processes."""
        self.neighbours: int = communicator.Split_type(MPI.COMM_TYPE_SHARED).Get_size()
        """The number of processes on this machine, this one included."""

    @classmethod
    def world(cls) -> Self:
        """All processes that mpiexec started. ImportError without mpi4py, RuntimeError without an MPI library."""
        from mpi4py import MPI

        return cls(MPI.COMM_WORLD)

    def sum(self, array: AnyArray) -> None:
        """Replace `array` by the sum of all processes' arrays."""
        self._communicator.Allreduce(self._in_place, array)

    def begin_sum(self, array: AnyArray) -> Request:
        """As `sum`, in the background; until it has ended, nobody may use `array`."""
        request: Request = self._communicator.Iallreduce(self._in_place, array)
        return request

    def begin_gather(self, array: Array) -> tuple[Array, Request]:
        """The arrays of all processes, one below the other, (N, ...) -> (size N, ...), once the request has ended."""
        gathered = np.empty((self.size * len(array), *array.shape[1:]), array.dtype)
        return gathered, self._communicator.Iallgather(array, gathered)

    def broadcast(self, array: AnyArray) -> None:
        """Replace `array` by that of process 0."""
        self._communicator.Bcast(array, 0)

    def barrier(self) -> None:
        """Return when every process has called it."""
        self._communicator.Barrier()

    def abort(self, code: int) -> None:
        """End all processes at once, with this exit code."""
        self._communicator.Abort(code)

    def __deepcopy__(self, _: dict[int, object]) -> Self:
        """A copied network belongs to the same processes."""
        return self
