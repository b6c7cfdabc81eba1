"""The training loop. It draws nothing and writes nothing: it emits events, and the caller does as it likes."""

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from numpynet.averaging import WeightAverage
from numpynet.data import Batch
from numpynet.layers import Dropout
from numpynet.losses import Criterion
from numpynet.module import Module
from numpynet.optim import Optimizer
from numpynet.schedules import Schedule
from numpynet.typing import AnyArray, Array

Batches = Callable[[int], Iterable[Batch]]
"""The batches of an epoch, given its number. Random numbers drawn from (seed, epoch) make resuming exact."""


@dataclass(frozen=True)
class StepEvent:
    """After each optimizer step: `step` of the epoch counts from 1; loss of the batch before it was learned from.

    lr: the learning rate of this step.
    """

    epoch: int
    step: int
    loss: float
    images: int
    seconds: float
    lr: float


@dataclass(frozen=True)
class EpochEvent:
    """After each epoch (they count from 1): mean loss over its images, the validation loss, and the time taken."""

    epoch: int
    train_loss: float
    validation_loss: float | None
    seconds: float


Event = StepEvent | EpochEvent


class Learner(Protocol):
    """What `fit` trains: `Trainer` here, or its PyTorch twin."""

    @property
    def lr(self) -> float: ...

    def train_step(self, images: Array, targets: Array) -> float: ...

    def train(self, mode: bool = True) -> object: ...


class Trainer:
    """A network, its criterion and its optimizer: all that learning changes, and so all that a checkpoint holds.

    schedule: the learning rate by the number of steps done, in place of the optimizer's own.
    average: of the weights of `net`. What is evaluated and handed out are then the averaged weights.
    """

    def __init__(
        self,
        net: Module,
        criterion: Criterion,
        optimizer: Optimizer,
        schedule: Schedule | None = None,
        average: WeightAverage | None = None,
    ) -> None:
        self.net = net
        self.criterion = criterion
        self.optimizer = optimizer
        self.schedule = schedule
        self.average = average
        self.step = 0
        """How many steps are done."""

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return self.optimizer.lr if self.schedule is None else self.schedule(self.step)

    def train_step(self, images: Array, targets: Array) -> float:
        """One step of learning: forward, loss, backward, update. Returns the loss before the update.

        images (N, 1, size, size), targets (N, 136).
        """
        out, cache = self.net.forward(images)
        loss, dout = self.criterion(out, targets)
        self.net.backward(dout, cache)
        self.optimizer.lr = self.lr
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        if self.average is not None:
            self.average.update()
        return loss

    def train(self, mode: bool = True) -> None:
        """Switch the network to training (`mode` True) or evaluation."""
        self.net.train(mode)

    def predict(self, images: Array) -> Array:
        """Outputs (N, 136) of images (N, 1, size, size), in whichever mode the network is.

        In evaluation they are those of the averaged weights, if there is an average.
        """
        return self.net(images) if self.average is None or self.net.training else self.average.net(images)

    def weights(self) -> dict[str, AnyArray]:
        """The network's state dict, averaged if there is an average: the arrays themselves, not copies."""
        return self.net.state_dict() if self.average is None else self.average.state_dict()

    def state(self) -> dict[str, AnyArray]:
        """Everything that training changes: weights, what the optimizer remembers, the dropouts' generators.

        And the average of the weights, and how many steps are done.
        """
        state = {f"net.{key}": array for key, array in self.net.state_dict().items()}
        state |= {f"optimizer.{key}": array for key, array in self.optimizer.state_dict().items()}
        if self.average is not None:
            state |= {f"average.net.{key}": array for key, array in self.average.state_dict().items()}
            state["average.updates"] = np.array(self.average.updates, np.int64)
        state["step"] = np.array(self.step, np.int64)
        for i, layer in enumerate(self._dropouts()):
            text = json.dumps(layer.rng.bit_generator.state)
            state[f"rng.{i}"] = np.frombuffer(text.encode(), np.uint8)
        return state

    def load_state(self, state: Mapping[str, AnyArray]) -> None:
        """Go on from a `state`. ValueError where it belongs to another network or optimizer.

        Where it holds no average, that begins anew with the weights; where it holds no step, at 0.
        """
        self.net.load_state_dict(_below("net.", state))
        self.optimizer.load_state_dict(_below("optimizer.", state))
        if self.average is not None:
            averaged = _below("average.net.", state) or self.net.state_dict()
            self.average.load_state_dict(averaged, int(state.get("average.updates", 0)))
        self.step = int(state.get("step", 0))
        for i, layer in enumerate(self._dropouts()):
            if f"rng.{i}" in state:
                layer.rng.bit_generator.state = json.loads(state[f"rng.{i}"].tobytes())

    def _dropouts(self) -> list[Dropout]:
        return [layer for layer in self.net.modules() if isinstance(layer, Dropout)]


def fit(
    trainer: Learner,
    batches: Batches,
    *,
    epochs: int,
    start_epoch: int = 0,
    validate: Callable[[], float] | None = None,
) -> Iterator[Event]:
    """Train until `epochs` epochs are done, `start_epoch` of which were done before.

    Yields a StepEvent a step and an EpochEvent an epoch; whoever stops iterating stops the training. `validate`
    gives the validation loss; it is called in evaluation mode.

    ValueError where an epoch has no batch; FloatingPointError where the loss is no longer a finite number.
    """
    for epoch in range(start_epoch + 1, epochs + 1):
        trainer.train()
        begin = time.perf_counter()
        seen, total = 0, 0.0
        for step, (images, targets) in enumerate(batches(epoch), 1):
            before, lr = time.perf_counter(), trainer.lr
            loss = trainer.train_step(images, targets)
            if not math.isfinite(loss):
                raise FloatingPointError(
                    f"the loss became {loss} at step {step} of epoch {epoch}; lower the learning rate"
                )
            seen, total = seen + len(images), total + loss * len(images)
            yield StepEvent(epoch, step, loss, len(images), time.perf_counter() - before, lr)
        if not seen:
            raise ValueError(f"fit: epoch {epoch} has no batch")
        validation_loss = None
        if validate is not None:
            trainer.train(False)
            validation_loss = validate()
        yield EpochEvent(epoch, total / seen, validation_loss, time.perf_counter() - begin)


def _below(prefix: str, state: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    return {key.removeprefix(prefix): array for key, array in state.items() if key.startswith(prefix)}
