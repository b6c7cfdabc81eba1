"""Data-parallel training over MPI: each process has the whole network and a part of each batch.

    from numpynet.parallel import DataParallel, Group, synchronised

    group = Group.world()                    # the processes that `mpiexec -n 4 python ...` started; needs mpi4py
    net = synchronised(net, group)           # if batch norm shall see the whole batch
    net = DataParallel(net, group)           # from here on as any network: forward, backward, then the optimizer

After `backward`, each process has the gradient of the mean loss over the whole batch, so all take the same step.
"""

from numpynet.parallel.batch_norm import SyncBatchNorm1d, SyncBatchNorm2d, synchronised
from numpynet.parallel.data_parallel import DataParallel
from numpynet.parallel.group import Group, Request
from numpynet.parallel.trainer import ParallelTrainer

__all__ = [
    "DataParallel",
    "Group",
    "ParallelTrainer",
    "Request",
    "SyncBatchNorm1d",
    "SyncBatchNorm2d",
    "synchronised",
]
