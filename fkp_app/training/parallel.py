"""Training in the processes that mpiexec started: which they are, how they end, and what each of them reads."""

import atexit
import contextlib
import math
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import astuple
from typing import TYPE_CHECKING

import numpy as np

from fkp_app.data.dataset import FacialKeypointsDataset
from fkp_app.data.transforms import Sample
from fkp_app.errors import FkpError, UsageError
from fkp_app.evaluation.scores import Scores
from fkp_app.training.recipe import Recipe, training_transform
from numpynet.typing import AnyArray
from numpynet.workers import physical_cores

if TYPE_CHECKING:
    from numpynet.parallel import Group

STARTED = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")
"""Variables in which MPICH and Open MPI, and what is made of them, tell a process how many were started."""

SECONDS_FOR_THE_FIRST = 2.0
"""If all processes fail for the same reason, process 0 says so and ends the others within this time."""


def find_group() -> "Group | None":
    """The processes that mpiexec started, or None if it did not start this one.

    FkpError if mpi4py or its MPI library is missing, or if it is not that of mpiexec.
    """
    started = next((os.environ[name] for name in STARTED if name in os.environ), None)
    if started is None:
        return None
    try:
        from numpynet.parallel import Group

        group = Group.world()
    except (ImportError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise FkpError(
            f"to train in the processes of mpiexec, mpi4py and an MPI library are needed ({reason}); "
            "pip install mpi4py mpich"
        ) from None
    if started != str(group.size):
        raise FkpError(
            f"mpiexec started {started} processes, but mpi4py sees {group.size}; use the mpiexec of its MPI library"
        )
    return group


@contextlib.contextmanager
def ends_together(group: "Group | None") -> Iterator[None]:
    """If the body fails in one process, this process prints its message, and then all processes end.

    Without this, the others would wait for ever for the numbers of the one that failed.
    """
    try:
        yield
    except BaseException as error:
        if group is None:
            raise
        if group.rank:
            time.sleep(SECONDS_FOR_THE_FIRST)
        atexit.register(group.abort, _exit_code(error))  # the message is printed before that
        if isinstance(error, FkpError) and group.size > 1:
            raise type(error)(f"process {group.rank} of {group.size}: {error}") from None
        raise


def _exit_code(error: BaseException) -> int:
    """The exit code with which `fkp` ends after this error."""
    if isinstance(error, KeyboardInterrupt):
        return 128 + signal.SIGINT
    code = error.code if isinstance(error, SystemExit) else getattr(error, "exit_code", 1)
    return code if isinstance(code, int) else 1


def check_parts(batch_size: int, frames: int, backend: str, group: "Group") -> None:
    """UsageError if batches cannot be divided into parts of one size for the processes, or the backend cannot."""
    if backend != "numpy":
        raise UsageError(f"--backend {backend} trains in one process; leave out mpiexec, or choose numpy")
    least = 2 * group.size  # batch norm needs two images in each process
    if batch_size % group.size or batch_size < least:
        nearest = max(least, round(batch_size / group.size) * group.size)
        raise UsageError(
            f"--batch-size {batch_size} cannot be divided by the {group.size} processes, with two images or more each; "
            f"choose {nearest}"
        )
    if frames < batch_size:
        raise UsageError(f"--batch-size {batch_size} is more than the {frames} training frames; choose fewer")


def threads_of(threads: int | None, group: "Group | None") -> int | None:
    """The number of threads of each process: what was asked for, or an equal share of this machine's cores."""
    if threads is not None or group is None:
        return threads
    return max(1, physical_cores() // group.neighbours)


def agreement(stopping: bool, due: bool, group: "Group") -> tuple[bool, bool]:
    """Whether any process was asked to stop, and whether any finds that a checkpoint is due; the same in all processes.

    A signal to one process is passed on to all: this one then gets SIGTERM.
    """
    wishes = np.array([stopping, due], np.float64)
    group.sum(wishes)
    if wishes[0] and not stopping:
        signal.raise_signal(signal.SIGTERM)
    return bool(wishes[0]), bool(wishes[1])


class OwnDraws:
    """The training samples of an epoch, each changed by random numbers of its own.

    So a process can leave out the samples of the others, and every number of processes makes the same samples.
    """

    def __init__(self, frames: FacialKeypointsDataset, recipe: Recipe, seed: int, epoch: int) -> None:
        self.frames, self.recipe, self.seed, self.epoch = frames, recipe, seed, epoch

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Sample:
        rng = np.random.default_rng([self.seed, self.epoch, index])
        return self.frames.with_transform(training_transform(self.recipe, rng))[index]


def share_validation(loss: float, scores: Scores | None, group: "Group") -> tuple[float, Scores | None]:
    """The validation loss and the scores of process 0, in all processes."""
    numbers = np.full(7, math.nan)
    if scores is not None:
        numbers[:] = loss, *astuple(scores)
    group.broadcast(numbers)
    loss, images, *others = numbers.tolist()
    return loss, None if math.isnan(images) else Scores(int(images), *others)


def check_same(state: dict[str, AnyArray], epoch: int, group: "Group") -> None:
    """FkpError if the weights of this process are no longer those of process 0."""
    import zlib

    own = 0
    for key in sorted(state):
        own = zlib.crc32(np.ascontiguousarray(state[key]).data, own)
    first = np.array(own, np.int64)
    group.broadcast(first)
    if int(first) != own:
        raise FkpError(
            f"after epoch {epoch} the weights differ from those of process 0; the machines or their libraries may "
            "compute differently; nothing of the epoch is kept"
        )
