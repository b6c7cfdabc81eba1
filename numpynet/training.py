"""The training loop. It draws nothing and writes nothing: it emits events, and the caller does as it likes."""

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from numpynet.data import Batch
from numpynet.layers import Dropout
from numpynet.losses import Criterion
from numpynet.module import Module
from numpynet.optim import Optimizer
from numpynet.typing import AnyArray, Array

Batches = Callable[[int], Iterable[Batch]]
"""The batches of an epoch, given its number. Random numbers drawn from (seed, epoch) make resuming exact."""


@dataclass(frozen=True)
class StepEvent:
    """After each optimizer step: `step` of the epoch counts from 1; loss of the batch before it was learned from."""

    epoch: int
    step: int
    loss: float
    images: int
    seconds: float


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

    def train_step(self, images: Array, targets: Array) -> float: ...

    def train(self, mode: bool = True) -> object: ...


class Trainer:
    """A network, its criterion and its optimizer: all that learning changes, and so all that a checkpoint holds."""

    def __init__(self, net: Module, criterion: Criterion, optimizer: Optimizer) -> None:
        self.net = net
        self.criterion = criterion
        self.optimizer = optimizer

    def train_step(self, images: Array, targets: Array) -> float:
        """One step of learning: forward, loss, backward, update. Returns the loss before the update.

        images (N, 1, size, size), targets (N, 136).
        """
        out, cache = self.net.forward(images)
        loss, dout = self.criterion(out, targets)
        self.net.backward(dout, cache)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss

    def train(self, mode: bool = True) -> None:
        """Switch the network to training (`mode` True) or evaluation."""
        self.net.train(mode)

    def predict(self, images: Array) -> Array:
        """Outputs (N, 136) of images (N, 1, size, size), in whichever mode the network is."""
        return self.net(images)

    def weights(self) -> dict[str, AnyArray]:
        """The network's state dict: the arrays themselves, not copies."""
        return self.net.state_dict()

    def state(self) -> dict[str, AnyArray]:
        """Everything that training changes: weights, what the optimizer remembers, the dropouts' generators."""
        state = {f"net.{key}": array for key, array in self.net.state_dict().items()}
        state |= {f"optimizer.{key}": array for key, array in self.optimizer.state_dict().items()}
        for i, layer in enumerate(self._dropouts()):
            text = json.dumps(layer.rng.bit_generator.state)
            state[f"rng.{i}"] = np.frombuffer(text.encode(), np.uint8)
        return state

    def load_state(self, state: Mapping[str, AnyArray]) -> None:
        """Go on from a `state`. ValueError where it belongs to another network or optimizer."""
        self.net.load_state_dict(_below("net.", state))
        self.optimizer.load_state_dict(_below("optimizer.", state))
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
            before = time.perf_counter()
            loss = trainer.train_step(images, targets)
            if not math.isfinite(loss):
                raise FloatingPointError(
                    f"the loss became {loss} at step {step} of epoch {epoch}; lower the learning rate"
                )
            seen, total = seen + len(images), total + loss * len(images)
            yield StepEvent(epoch, step, loss, len(images), time.perf_counter() - before)
        if not seen:
            raise ValueError(f"fit: epoch {epoch} has no batch")
        validation_loss = None
        if validate is not None:
            trainer.train(False)
            validation_loss = validate()
        yield EpochEvent(epoch, total / seen, validation_loss, time.perf_counter() - begin)


def _below(prefix: str, state: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    return {key.removeprefix(prefix): array for key, array in state.items() if key.startswith(prefix)}
