"""`python -m benchmarks scale`: a model of training on many machines, from the step of one.

Each machine has its own batch, so the whole batch grows with their number K. With n images on each, it sends in a step:

    sums    2 (K - 1) / K numbers for each of a gradient that is added up, as in a ring
    rows    (K - 1) n (inputs + outputs) numbers for a large Linear, if that is less: docs/scale.md

and waits twice for each of the log2(K) rounds of every message. Of this, the backward pass hides all but the last
bucket at best, and nothing at worst. Where rows are gathered, the update multiplies out all K n of them everywhere.
"""

import argparse
import math
import statistics
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.contenders import FAST
from benchmarks.options import MODELS, add_shared
from benchmarks.processes import TrainingWorker
from benchmarks.tasks import Task
from numpynet.architectures import build
from numpynet.init import no_init
from numpynet.kernels.adam import adam_update
from numpynet.kernels.factors import Factors
from numpynet.kernels.linear import LEAST
from numpynet.layers import BatchNorm1d, BatchNorm2d, Linear
from numpynet.parallel.data_parallel import BUCKET, rows_are_less
from numpynet.workers import set_threads

NETWORKS = {"10 Gbit/s": (10e9 / 8, 30e-6), "100 Gbit/s": (100e9 / 8, 5e-6)}
"""Bytes per second and the seconds that a message takes, for Ethernet with TCP and for a network made for clusters."""


@dataclass(frozen=True)
class Traffic:
    """What each machine sends in a step. sums, rows: bytes; messages: how many sums are waited for; all_rows: K n."""

    sums: float
    rows: float
    messages: int
    all_rows: int

    @property
    def bytes(self) -> float:
        """All of it."""
        return self.sums + self.rows


def traffic(model: str, images: int, machines: int, sync_batch_norm: bool = False) -> Traffic:
    """What a step of the recipe's network sends, with this many images on each machine."""
    recipe = Task(model, images).recipe
    with no_init():
        net = build(recipe.network.architecture, recipe.network.arguments)
    gathered = {
        id(layer.weight): (layer.out_features, layer.in_features)
        for layer in net.modules()
        if isinstance(layer, Linear)
        and layer.weight.data.size >= LEAST
        and rows_are_less(images, (layer.out_features, layer.in_features), machines)
    }
    added = sum(parameter.data.nbytes for parameter in net.parameters() if id(parameter) not in gathered)
    norms = [layer for layer in net.modules() if isinstance(layer, BatchNorm1d | BatchNorm2d)]
    features = sum(layer.num_features for layer in norms)
    # Synchronised, each batch norm adds up 1 + 2 C and then 2 C numbers of 8 bytes. If not: its 2 C running statistics.
    added += sum(8 * (1 + 4 * layer.num_features) for layer in norms) if sync_batch_norm else 8 * features
    added += 8 + 16  # the loss; whether to stop, and whether to save
    each_way = (machines - 1) / machines
    rows = sum(4 * images * (outputs + inputs) for outputs, inputs in gathered.values()) * (machines - 1)
    messages = math.ceil(added / BUCKET) + 2 * len(gathered) + (2 * len(norms) if sync_batch_norm else 1) + 2
    return Traffic(2 * each_way * added, rows, messages, images * machines if gathered else 0)


def efficiency(
    step: dict[str, float], sent: Traffic, machines: int, speed: float, latency: float, per_row: float
) -> tuple[float, float]:
    """The images per second of each machine beside those of one alone: if nothing is hidden, and if all can be."""
    more = per_row * (sent.all_rows - sent.all_rows // machines)
    waits = 2 * math.log2(machines) * latency
    wire = sent.bytes / speed + sent.messages * waits
    last = min(wire, 2 * BUCKET / speed + waits)
    shown = max(last, wire - step["backward"])
    return step["step"] / (step["step"] + more + wire), step["step"] / (step["step"] + more + shown)


def seconds_per_row(outputs: int, inputs: int, rows: tuple[int, int] = (32, 128)) -> float:
    """By how much the update of a large Linear takes longer with each row of its factors."""
    rng = np.random.default_rng(0)
    weight, mean, square = np.zeros((3, outputs, inputs), np.float32)
    times = []
    for count in rows:
        factors: Any = Factors(*(rng.random((count, size), np.float32) for size in (outputs, inputs)))
        taken = []
        for step in range(1, 5):
            begin = time.perf_counter()
            adam_update(weight, factors, mean, square, step, 1e-3, (0.9, 0.999), 1e-8, 0.0)
            taken.append(time.perf_counter() - begin)
        times.append(statistics.median(taken[1:]))
    return (times[1] - times[0]) / (rows[1] - rows[0])


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_shared(parser, "--threads")
    parser.add_argument("--models", nargs="*", choices=MODELS, default=list(MODELS), metavar="MODEL")
    parser.add_argument("--images", type=int, default=32, help="on each machine (default %(default)s)")
    parser.add_argument("--machines", type=int, nargs="*", default=[2, 4, 16, 64])
    parser.add_argument("--steps", type=int, default=5, help="timed steps (default %(default)s)")


def run(args: argparse.Namespace) -> None:
    """Measure the step of one machine, and print the model's table."""
    for model in args.models:
        with TrainingWorker(FAST, Task(model, args.images, args.threads)) as worker:
            rows = worker.steps(args.steps + 1)[1:]
        step = {phase: statistics.median(row[phase] for row in rows) for phase in ("backward", "step")}
        set_threads(args.threads)
        per_row = seconds_per_row(4000, 36864) if traffic(model, args.images, 2).rows else 0.0
        line = f"{model}, {args.images} images on each machine: a step takes {1e3 * step['step']:.0f} ms, "
        print(line + f"{1e3 * step['backward']:.0f} of them backward; {1e3 * per_row:.2f} ms more for each row")
        print(f"{'machines':>8}{'MB sent':>10}" + "".join(f"{name + ', hidden: none, all':>34}" for name in NETWORKS))
        for machines in args.machines:
            sent = traffic(model, args.images, machines)
            line = f"{machines:8}{sent.bytes / 1e6:10.2f}"
            for speed, latency in NETWORKS.values():
                none, all_ = efficiency(step, sent, machines, speed, latency, per_row)
                line += f"{none:>27.1%}{all_:>7.1%}"
            print(line, flush=True)
