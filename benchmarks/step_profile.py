"""`python -m benchmarks profile`: the time that each layer takes in a training step of numpynet."""

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.machine import describe, print_description
from benchmarks.options import add_shared
from benchmarks.tasks import batch
from numpynet import Adam, KeypointNet, SmoothL1Loss, fuse, use
from numpynet.dispatch import IMPLEMENTATIONS
from numpynet.fuse import ConvBlock
from numpynet.module import Module
from reference.arguments import MODELS


class Clock:
    """A stopwatch: `with clock(name)` adds the seconds of the block to the list `seconds[name]`."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.seconds[name].append(time.perf_counter() - begin)

    def median(self, name: str) -> float:
        """Median milliseconds under this name without the first two, which warm up; 0 if nothing was timed."""
        return 1e3 * statistics.median(self.seconds[name][2:]) if name in self.seconds else 0.0


def profile(model: str, batch_size: int, steps: int, fused: bool, clock: Clock) -> list[str]:
    """Take training steps and time each layer with `clock`; returns the names of the layers from first to last."""
    net = KeypointNet(**MODELS[model], rng=0)
    criterion, optimizer = SmoothL1Loss(), Adam(net.parameters())
    images, targets = batch(MODELS[model]["size"], batch_size)
    path = (fuse(net, input_gradient=False) if fused else net).path()
    layers = {f"{i:2} {_name(layer)}": layer for i, layer in enumerate(path)}
    for _ in range(steps + 2):
        with clock("whole step"):
            x, caches = images, []
            for name, layer in layers.items():
                with clock(f"{name} forward"):
                    x, cache = layer.forward(x)
                caches.append(cache)
            _, dx = criterion(x, targets)
            for (name, layer), cache in zip(reversed(layers.items()), reversed(caches), strict=True):
                with clock(f"{name} backward"):
                    dx = layer.backward(dx, cache)
            del caches, cache
            with clock("Adam"):
                optimizer.step()
            optimizer.zero_grad()
    return list(layers)


def _name(layer: Module) -> str:
    return f"ConvBlock of {layer.conv}" if isinstance(layer, ConvBlock) else str(layer)


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
    with use(args.ops):
        layers = profile(args.model, args.batch_size, args.steps, not args.plain, clock)
    print(f"{'':60}{'forward':>9}{'backward':>10}")
    for name in layers:
        forward, backward = clock.median(f"{name} forward"), clock.median(f"{name} backward")
        print(f"{name[:58]:60}{forward:9.1f}{backward:10.1f}")
    print(f"{'Adam':60}{clock.median('Adam'):9.1f}")
    print(f"{'whole step':60}{clock.median('whole step'):9.1f}")
