"""The training loop. It draws nothing and writes nothing: it emits events, and the caller does as it likes."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from numpynet.averaging import WeightAverage
from numpynet.checks import not_finite
from numpynet.layers import Dropout
from numpynet.losses import Criterion
from numpynet.module import Module
from numpynet.optim import Optimizer
from numpynet.schedules import Schedule
from numpynet.training_state import parts_of, read_generator, saved_generator
from numpynet.typing import AnyArray, Array, Batch

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

    def state(self) -> dict[str, AnyArray]: ...


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
        self.optimizer.lr = self.lr
        out, cache = self.net.forward(images)
        loss, dout = self.criterion(out, targets)
        self.net.backward(dout, cache)
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
            state[f"rng.{i}"] = saved_generator(layer.rng)
        return state

    def load_state(self, state: Mapping[str, AnyArray]) -> None:
        """Go on from a `state`. ValueError, with nothing changed, where it belongs to another network or optimizer.

        Where it holds no average, that begins anew with the weights; where it holds no step, at 0.
        """
        parts = parts_of(state, bool(self.optimizer.names))
        generators = [read_generator(f"rng.{i}", layer.rng, state) for i, layer in enumerate(self._dropouts())]
        if self.average is not None and parts.average:
            self.average.net.checked(parts.average)
        self.net.checked(parts.net)
        self.optimizer.load_state_dict(parts.optimizer)
        self.net.load_state_dict(parts.net)
        if self.average is not None:
            self.average.load_state_dict(parts.average or self.net.state_dict(), parts.updates)
        self.step = parts.step
        for layer, generator in zip(self._dropouts(), generators, strict=True):
            layer.rng.bit_generator.state = generator

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

    ValueError where an epoch has no batch; FloatingPointError where the loss or, at an epoch's end, a number of the
    trainer's state is no longer finite.
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
        if (key := not_finite(trainer.state())) is not None:  # the last step's: no loss has seen these weights
            raise FloatingPointError(f"{key} is no longer finite after epoch {epoch}; lower the learning rate")
        validation_loss = None
        if validate is not None:
            trainer.train(False)
            validation_loss = validate()
        yield EpochEvent(epoch, total / seen, validation_loss, time.perf_counter() - begin)
