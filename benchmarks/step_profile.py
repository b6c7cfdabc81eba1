"""`python -m benchmarks profile`: the time that each layer takes in a training step of numpynet.

The layers inside a Residual are set in from the left; the Residual's own row, after them, holds its addition alone.
"""

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.machine import describe, print_description
from benchmarks.options import add_shared
from benchmarks.tasks import Task, batch
from fkp_app.training.trainers import get_trainer
from numpynet import use
from numpynet.dispatch import IMPLEMENTATIONS
from numpynet.fuse import ConvBlock
from numpynet.module import Module, Residual, Sequential
from numpynet.typing import Array, Cache

WARM_UP = 2
"""Steps that do not count."""

REST = "everything else"


class Clock:
    """A stopwatch: `with clock(name)` adds the seconds of the block, without blocks inside it, to `seconds[name]`."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self._inside: list[float] = [0.0]  # for each open block, the seconds of the blocks inside it

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        self._inside.append(0.0)
        begin = time.perf_counter()
        yield
        taken = time.perf_counter() - begin
        self.seconds[name].append(taken - self._inside.pop())
        self._inside[-1] += taken

    def median(self, name: str) -> float:
        """Median milliseconds under this name without the first steps, which warm up; 0 if nothing was timed."""
        return 1e3 * statistics.median(self.seconds[name][WARM_UP:]) if name in self.seconds else 0.0


class Timed(Module):
    """A layer whose forward and backward pass `clock` times, as "NAME forward" and "NAME backward"."""

    def __init__(self, layer: Module, name: str, clock: Clock) -> None:
        self.layer = layer
        self.name = name
        self.clock = clock

    def forward(self, x: Array) -> tuple[Array, Cache]:
        with self.clock(f"{self.name} forward"):
            return self.layer.forward(x)

    def backward(self, dout: Array, cache: Cache) -> Array:
        with self.clock(f"{self.name} backward"):
            return self.layer.backward(dout, cache)


def timed(path: list[Module], clock: Clock, names: list[str], depth: int = 0) -> Sequential:
    """The layers of a path as Timed ones, also inside Residuals. Appends their names to `names`, which numbers them."""
    layers = []
    for layer in path:
        shown = str(layer)
        if isinstance(layer, ConvBlock):
            shown = f"ConvBlock{' with pool' if layer.pool else ''} of {layer.conv}"
        if type(layer) is Residual:
            inside = timed(layer.path(), clock, names, depth + 1)
            layer, shown = Residual(*inside.path()), "Residual: its addition"
        names.append(f"{'  ' * depth}{len(names):2} {shown}")
        layers.append(Timed(layer, names[-1], clock))
    return Sequential(*layers)


def profile(task: Task, ops: str, steps: int, fused: bool, clock: Clock) -> list[str]:
    """Take training steps of the model's recipe and time each part; returns the names of the layers, first to last."""
    recipe = task.recipe
    trainer: Any = get_trainer("numpy", recipe.network, recipe.training, steps=1, seed=0, fused=fused)
    optimizer = trainer.optimizer
    names: list[str] = []
    net = timed(trainer.net.path(), clock, names)
    images, targets = batch(recipe.framing.size, task.batch_size)
    with use(ops):
        for _ in range(steps + WARM_UP):
            begin = time.perf_counter()
            with clock(REST):
                out, cache = net.forward(images)
                with clock("loss"):
                    _, dout = trainer.criterion(out, targets)
                net.backward(dout, cache)
                del cache
                with clock("optimizer"):
                    optimizer.step()
                optimizer.zero_grad()
                if trainer.average is not None:
                    with clock("average of the weights"):
                        trainer.average.update()
            clock.seconds["whole step"].append(time.perf_counter() - begin)
    return names


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_shared(parser, "--model", "--batch-size")
    parser.add_argument("--steps", type=int, default=7, help="timed steps (default %(default)s)")
    parser.add_argument("--ops", choices=list(IMPLEMENTATIONS), default="fast", help="default %(default)s")
    parser.add_argument("--plain", action="store_true", help="do not fuse the network's layers")


def run(args: argparse.Namespace) -> None:
    """Take the steps, and print the median times of each layer."""
    print_description(describe())
    print(f"{args.model}, batch {args.batch_size}, {args.ops}; milliseconds, medians of {args.steps} steps")
    clock = Clock()
    layers = profile(Task(args.model, args.batch_size), args.ops, args.steps, not args.plain, clock)
    print(f"{'':66}{'forward':>9}{'backward':>10}")
    for name in layers:
        forward, backward = clock.median(f"{name} forward"), clock.median(f"{name} backward")
        print(f"{name[:64]:66}{forward:9.1f}{backward:10.1f}")
    for name in ("loss", "optimizer", "average of the weights", REST, "whole step"):
        if name in clock.seconds:
            print(f"{name:66}{clock.median(name):9.1f}")
