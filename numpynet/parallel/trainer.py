"""A Trainer whose step several processes take together."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from numpynet.averaging import WeightAverage
from numpynet.divergence import first_not_finite
from numpynet.layers import Dropout
from numpynet.losses import Criterion
from numpynet.module import Module
from numpynet.optim import Optimizer
from numpynet.parallel.data_parallel import DataParallel
from numpynet.parallel.group import Group
from numpynet.schedules import Schedule
from numpynet.training import Trainer
from numpynet.typing import AnyArray, Array


class ParallelTrainer(Trainer):
    """A Trainer in each process of a group: `train_step` takes this process's part of a batch of equal parts.

    The loss is the mean over the whole batch, in all processes. If it is not finite, they all see it before the
    backward pass. Each process draws its dropout masks from a stream of its own.
    """

    net: DataParallel

    def __init__(
        self,
        net: Module,
        criterion: Criterion,
        optimizer: Optimizer,
        schedule: Schedule | None,
        average: WeightAverage | None,
        group: Group,
    ) -> None:
        def of_all(out: Array, target: Array) -> tuple[float, Array]:
            loss, dout = criterion(out, target)
            self._own_loss, total = loss, np.array(loss)
            group.sum(total)
            return float(total) / group.size, dout

        self._own_loss = 0.0
        super().__init__(DataParallel(net, group), of_all, optimizer, schedule, average)
        self.group = group
        self._part_streams()

    def where_not_finite(self, images: Array, targets: Array) -> str:
        """As in Trainer. A process whose own part is in order waits for ever: another one has to say it and end all."""
        if np.isfinite(self._own_loss):
            self.group.barrier()
        return first_not_finite(self.net.net, images, targets)

    def load_state_dict(self, state: Mapping[str, AnyArray]) -> None:
        super().load_state_dict(state)
        self._part_streams()

    def _part_streams(self) -> None:
        """Move each dropout's generator to this process's part of its stream; process 0 has the first."""
        if self.group.rank:
            for layer in self.net.modules():
                if isinstance(layer, Dropout):
                    generator: Any = layer.rng.bit_generator
                    layer.rng = np.random.Generator(generator.jumped(self.group.rank))
