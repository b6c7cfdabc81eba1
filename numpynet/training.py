"""The training loop. It draws nothing and writes nothing: it emits events, and the caller does as it likes."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from numpynet.data import Batch
from numpynet.losses import Criterion
from numpynet.module import Module
from numpynet.optim import Optimizer
from numpynet.typing import Array

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


def train_step(net: Module, criterion: Criterion, optimizer: Optimizer, images: Array, targets: Array) -> float:
    """One step of learning: forward, loss, backward, update. Returns the loss before the update.

    images (N, 1, size, size), targets (N, 136).
    """
    out, cache = net.forward(images)
    loss, dout = criterion(out, targets)
    net.backward(dout, cache)
    optimizer.step()
    optimizer.zero_grad()
    return loss


def fit(
    net: Module,
    criterion: Criterion,
    optimizer: Optimizer,
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
        net.train()
        begin = time.perf_counter()
        seen, total = 0, 0.0
        for step, (images, targets) in enumerate(batches(epoch), 1):
            before = time.perf_counter()
            loss = train_step(net, criterion, optimizer, images, targets)
            if loss != loss or abs(loss) == float("inf"):
                raise FloatingPointError(
                    f"the loss became {loss} at step {step} of epoch {epoch}; lower the learning rate"
                )
            seen, total = seen + len(images), total + loss * len(images)
            yield StepEvent(epoch, step, loss, len(images), time.perf_counter() - before)
        if not seen:
            raise ValueError(f"fit: epoch {epoch} has no batch")
        validation_loss = None
        if validate is not None:
            net.eval()
            validation_loss = validate()
        yield EpochEvent(epoch, total / seen, validation_loss, time.perf_counter() - begin)
