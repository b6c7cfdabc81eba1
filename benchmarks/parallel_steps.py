"""`mpiexec -n 2 python -m benchmarks parallel-steps`: each step of several processes beside the same step of one.

Every process takes all steps by itself, with whole batches. Beside each, they take the same step together from the same
weights: each has its part of the batch, and batch norm is synchronised. Dropout is off, as each process draws its own.
Without mpiexec it shows what float32 alone does in one process: a synchronised batch norm is not fused.
"""

import argparse
import functools
import math
from dataclasses import replace

import numpy as np

from benchmarks.options import add_shared
from benchmarks.parallel import size_of_part
from benchmarks.tasks import Task, batches
from fkp_app.backends.predictor import limit_threads
from fkp_app.training.trainers import get_trainer
from numpynet import use
from numpynet.parallel import Group, ParallelTrainer
from numpynet.training import Trainer
from numpynet.typing import Array, Batch


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_shared(parser, "--data", "--model", "--batch-size")
    parser.add_argument("--steps", type=int, default=10, help="(default %(default)s)")
    parser.add_argument("--float64", action="store_true", help="compute with the readable functions in float64")
    parser.add_argument(
        "--apart", action="store_true", help="let both go on by themselves from the first weights; compares losses only"
    )


def run(args: argparse.Namespace) -> None:
    """Compare the steps; process 0 prints."""
    group = Group.world()
    part = size_of_part(args.batch_size, group)
    limit_threads("numpy", 1)
    use("readable" if args.float64 else "fast")
    task = Task(args.model, args.batch_size, data=str(args.data))
    alone, together = trainers(task, args.float64, group)
    columns = ["loss"] if args.apart else ["loss", "gradient"]
    show = functools.partial(print, flush=True) if group.rank == 0 else lambda *_: None
    show(f"{args.model}, batch {args.batch_size}, {group.size} processes beside one: relative differences")
    show(f"{'step':>7}{'loss':>10}" + "".join(f"{'of the ' + column:>18}" for column in columns))
    rows = []
    for (images, targets), step in zip(batches(task), range(1, args.steps + 1), strict=False):
        if args.float64:
            images, targets = images.astype(np.float64), targets.astype(np.float64)
        own = slice(part * group.rank, part * (group.rank + 1))
        whole, parts = (images, targets), (images[own], targets[own])
        loss, differences = (on_their_own if args.apart else from_the_same_weights)(alone, together, whole, parts)
        rows.append(differences)
        show(f"{step:7}{loss:10.5f}" + "".join(f"{one:18.1e}" for one in differences))
    for name, numbers in ("median", np.median(rows, axis=0)), ("at most", np.max(rows, axis=0)):
        show(f"{name:17}" + "".join(f"{one:18.1e}" for one in numbers))


def from_the_same_weights(
    alone: Trainer, together: ParallelTrainer, whole: Batch, parts: Batch
) -> tuple[float, list[float]]:
    """The loss of one process before its step, and the differences of the loss and of the gradient, in process 0."""
    together.net.load_state_dict(alone.net.state_dict())
    wanted, found = backward(alone, *whole), backward(together, *parts)
    differences = [abs(found / wanted - 1)]
    if together.group.rank == 0:
        differences.append(difference_of_gradients(alone, together))
    together.optimizer.zero_grad()
    alone.optimizer.step()
    alone.optimizer.zero_grad()
    return wanted, differences


def on_their_own(alone: Trainer, together: ParallelTrainer, whole: Batch, parts: Batch) -> tuple[float, list[float]]:
    """The loss of one process before its step, and the difference of the loss; each takes a step from its weights."""
    wanted, found = alone.train_step(*whole), together.train_step(*parts)
    return wanted, [abs(found / wanted - 1)]


def trainers(task: Task, float64: bool, group: Group) -> tuple[Trainer, ParallelTrainer]:
    """A trainer of one process, and one of all processes, with the same weights."""
    recipe = task.recipe
    arguments = {name: 0.0 if name == "dropout" else value for name, value in recipe.network.arguments.items()}
    network = replace(recipe.network, arguments=arguments)
    training = replace(recipe.training, average=0.0)
    make = functools.partial(get_trainer, "numpy", network, training, steps=1, seed=0, fused=not float64)
    alone, together = make(), make(group=group, sync_batch_norm=True)
    assert isinstance(alone, Trainer)
    assert isinstance(together, ParallelTrainer)
    if float64:
        for trainer in (alone, together):
            trainer.net.astype(np.float64)
    return alone, together


def backward(trainer: Trainer, images: Array, targets: Array) -> float:
    """The loss of a batch, whose gradients are then in the parameters."""
    out, cache = trainer.net.forward(images)
    loss, dout = trainer.criterion(out, targets)
    trainer.net.backward(dout, cache)
    return loss


def difference_of_gradients(one: Trainer, other: Trainer) -> float:
    """The length of the difference of all gradients, divided by the length of those of `one`."""
    others, squares = dict(other.net.named_parameters()), np.zeros(2)
    for name, parameter in one.net.named_parameters():
        wanted = np.asarray(parameter.grad).ravel()
        off = np.asarray(others[name].grad).ravel() - wanted
        squares += float(off @ off), float(wanted @ wanted)
    return math.sqrt(squares[0] / squares[1])
