"""The training loop. It prints nothing and writes nothing: it yields events, and the caller decides what to do."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from numpynet.averaging import WeightAverage
from numpynet.checks import not_finite
from numpynet.divergence import first_not_finite
from numpynet.layers import Dropout
from numpynet.losses import Criterion
from numpynet.module import Module
from numpynet.optim import Optimizer
from numpynet.schedules import Schedule
from numpynet.training_state import parts_of, read_generator, saved_generator
from numpynet.typing import AnyArray, Array, Batch

Batches = Callable[[int], Iterable[Batch]]
"""Gives the batches of an epoch by its number. If it seeds by (seed, epoch), a resumed run continues exactly."""


@dataclass(frozen=True)
class Progress:
    """How far a training is: the number of whole `epochs`, and what the next one has so far.

    steps, images: their numbers in that epoch. loss: the sum of these images' losses. seconds: the time it took.
    """

    epochs: int = 0
    steps: int = 0
    images: int = 0
    loss: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class StepEvent:
    """After each optimizer step; both `epoch` and the `step` within it count from 1.

    loss: the batch's loss before the update. images: their number in the batch. lr: the learning rate of this step.
    progress: where `fit` can go on after this step.
    """

    epoch: int
    step: int
    loss: float
    images: int
    seconds: float
    lr: float
    progress: Progress


@dataclass(frozen=True)
class EpochEvent:
    """After each epoch, counted from 1: the mean loss over its images, the validation loss, and the time it took."""

    epoch: int
    train_loss: float
    validation_loss: float | None
    seconds: float


Event = StepEvent | EpochEvent
BEGINNING = Progress()


class AnyTrainer(Protocol):
    """A trainer of either side: `Trainer` here, or its PyTorch twin."""

    @property
    def lr(self) -> float: ...

    def train_step(self, images: Array, targets: Array) -> float: ...

    def where_not_finite(self, images: Array, targets: Array) -> str: ...

    def train(self, mode: bool = True) -> object: ...

    def predict(self, images: Array) -> Array: ...

    def weights(self) -> dict[str, AnyArray]: ...

    def state_dict(self) -> dict[str, AnyArray]: ...

    def load_state_dict(self, state: Mapping[str, AnyArray]) -> None: ...


class Trainer:
    """A network, its criterion and its optimizer: everything that training changes, and that a checkpoint holds.

    schedule: gives the learning rate by the number of steps done; None for the optimizer's own rate.
    average: of the weights of `net`; its network is then the one to evaluate and to save.
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
        self.steps_done = 0

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return self.optimizer.lr if self.schedule is None else self.schedule(self.steps_done)

    @property
    def evaluated_net(self) -> Module:
        """The network to evaluate and to save: the averaged one, always in evaluation mode, or else `net` itself."""
        return self.net if self.average is None else self.average.net

    def train_step(self, images: Array, targets: Array) -> float:
        """One step: forward, loss, backward, update. Returns the loss before the update.

        images (N, C, H, W), targets of the shape of the network's output. If the loss is not finite, nothing is
        updated: every weight would become NaN, and nobody could see any more where it began.
        """
        if self.schedule is not None:
            self.optimizer.lr = self.schedule(self.steps_done)
        out, cache = self.net.forward(images)
        loss, dout = self.criterion(out, targets)
        if not math.isfinite(loss):
            return loss
        self.net.backward(dout, cache)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.steps_done += 1
        if self.average is not None:
            self.average.update()
        return loss

    def where_not_finite(self, images: Array, targets: Array) -> str:
        """Where the NaN or infinity of this batch's loss first appears, in words: "the output of conv4"."""
        return first_not_finite(self.net, images, targets)

    def train(self, mode: bool = True) -> None:
        """Switch `net` to training (`mode` True) or evaluation."""
        self.net.train(mode)

    def predict(self, images: Array) -> Array:
        """The outputs of `evaluated_net` for images (N, C, H, W)."""
        return self.evaluated_net(images)

    def weights(self) -> dict[str, AnyArray]:
        """The state dict of `evaluated_net`: the arrays themselves, not copies."""
        return self.evaluated_net.state_dict()

    def state_dict(self) -> dict[str, AnyArray]:
        """Everything that training changes: "net.*", "optimizer.*", "average.*", "step" (steps done), and "rng.i".

        rng.i is the generator of the i-th dropout. The arrays are the trainer's own, not copies.
        """
        state = {f"net.{key}": array for key, array in self.net.state_dict().items()}
        state |= {f"optimizer.{key}": array for key, array in self.optimizer.state_dict().items()}
        if self.average is not None:
            state |= {f"average.{key}": array for key, array in self.average.state_dict().items()}
        state["step"] = np.array(self.steps_done, np.int64)
        for i, layer in enumerate(self._dropouts()):
            state[f"rng.{i}"] = saved_generator(layer.rng)
        return state

    def load_state_dict(self, state: Mapping[str, AnyArray]) -> None:
        """Continue from a `state_dict`. ValueError, with nothing changed, if it is of another network or optimizer.

        If it holds no average, the average starts anew from the weights; if it holds no step, the count starts at 0.
        """
        parts = parts_of(state, bool(self.optimizer.names))
        generators = [read_generator(f"rng.{i}", layer.rng, state) for i, layer in enumerate(self._dropouts())]
        if self.average is not None and parts.average:
            self.average.net.checked(parts.average)
        self.net.checked(parts.net)
        self.optimizer.load_state_dict(parts.optimizer)
        self.net.load_state_dict(parts.net)
        if self.average is not None:
            averaged = {f"net.{key}": array for key, array in (parts.average or self.net.state_dict()).items()}
            self.average.load_state_dict(averaged | {"updates": np.array(parts.updates)})
        self.steps_done = parts.steps_done
        for layer, generator in zip(self._dropouts(), generators, strict=True):
            layer.rng.bit_generator.state = generator

    def _dropouts(self) -> list[Dropout]:
        return [layer for layer in self.net.modules() if isinstance(layer, Dropout)]


def fit(
    trainer: AnyTrainer,
    batches: Batches,
    *,
    epochs: int,
    start: Progress = BEGINNING,
    validate: Callable[[], float] | None = None,
    parts: int = 1,
) -> Iterator[Event]:
    """Train until `epochs` epochs are done, `start.epochs` of which were done before.

    Yields a StepEvent after each step and an EpochEvent after each epoch; stop iterating to stop the training.

    start: the `progress` of the last StepEvent of a training that was stopped. If it is within an epoch, `batches` must
    give the rest of that epoch. validate: gives the validation loss. It is called after each epoch, with the trainer
    switched to evaluation. parts: the number of processes, if each has one such part of every batch; images are then
    counted in the whole batch.

    ValueError if an epoch has no batch. FloatingPointError if the loss or, at the end of an epoch, a number in the
    trainer's state is not finite.
    """
    for epoch in range(start.epochs + 1, epochs + 1):
        trainer.train()
        so_far = start if epoch == start.epochs + 1 else BEGINNING
        begin = time.perf_counter() - so_far.seconds
        for step, (images, targets) in enumerate(batches(epoch), so_far.steps + 1):
            before, lr, n = time.perf_counter(), trainer.lr, len(images) * parts
            loss = trainer.train_step(images, targets)
            if not math.isfinite(loss):
                where = trainer.where_not_finite(images, targets)
                raise FloatingPointError(
                    f"the loss became {loss} at step {step} of epoch {epoch}, first in {where}; lower the learning rate"
                )
            now = time.perf_counter()
            so_far = Progress(epoch - 1, step, so_far.images + n, so_far.loss + loss * n, now - begin)
            yield StepEvent(epoch, step, loss, n, now - before, lr, so_far)
        if not so_far.images:
            raise ValueError(f"fit: epoch {epoch} has no batch")
        if (key := not_finite(trainer.state_dict())) is not None:  # the last update follows the last loss
            raise FloatingPointError(f"{key} is no longer finite after epoch {epoch}; lower the learning rate")
        validation_loss = None
        if validate is not None:
            trainer.train(False)
            validation_loss = validate()
        yield EpochEvent(epoch, so_far.loss / so_far.images, validation_loss, time.perf_counter() - begin)
