"""`python -m benchmarks train`: one training step in numpynet and in PyTorch, forward, backward and optimizer apart.

Nothing is timed before both have been seen to compute the same: loss and gradients of one batch, under the same
dropout masks. Then the contenders, each in a process of its own, take their steps in turn, so that a busy machine is as
unkind to the one as to the other; only ratios mean anything where others use the machine, too.
"""

import argparse
import contextlib
import json
import math
import multiprocessing
import statistics
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from benchmarks.contenders import CONTENDERS, PHASES, batch
from benchmarks.machine import describe, print_description
from numpynet import KeypointNet, SmoothL1Loss, use
from numpynet.dispatch import IMPLEMENTATIONS
from numpynet.models import MODELS
from numpynet.typing import Array
from numpynet.workers import set_threads
from reference import comparison

LOSS_LIMIT, GRADIENT_LIMIT = 1e-5, 1e-2
"""Relative; a gradient's is wide because one near-tie in a pool, decided by rounding, moves a whole number."""

FAST = "numpynet, fast"


def check_agreement(model: str, images: Array, targets: Array) -> float:
    """The largest relative difference of the loss from PyTorch's. SystemExit where loss or gradients disagree."""
    losses = []
    for ops in IMPLEMENTATIONS:
        with use(ops):
            net = KeypointNet(**MODELS[model], rng=0)
            twin = comparison.twin_of(net)
            step = comparison.forward_and_backward(net, twin, SmoothL1Loss(), torch.nn.SmoothL1Loss(), images, targets)
        gradients = [row for row in comparison.outputs_and_gradients(net, twin, step)[2:] if not row.apart]
        worst = max(gradients, key=lambda row: row.relative)
        if not (step.relative <= LOSS_LIMIT and worst.relative <= GRADIENT_LIMIT):
            raise SystemExit(
                f"{ops} and PyTorch do not compute the same, so there is nothing to time: loss {step.numpynet_loss} "
                f"and {step.torch_loss}, gradient of {worst.name} differs by {worst.relative:.1e}"
            )
        print(f"{ops} agrees: loss within {step.relative:.1e}, gradients within {worst.relative:.1e} ({worst.name})")
        losses.append(step.relative)
    return max(losses)


def limit(threads: int | None) -> None:
    """So many threads for whatever this process computes with; what each library chooses where None."""
    if threads is not None:
        torch.set_num_threads(threads)
        threadpool_limits(limits=threads)
        set_threads(threads)


def serve(connection: Connection, name: str, model: str, batch_size: int, threads: int | None) -> None:
    """A contender's process: a step for every message, then its peak memory for the empty one."""
    limit(threads)
    make, options = CONTENDERS[name]
    step = make(model, *batch(model, batch_size), **options)
    while connection.recv():
        connection.send(step())
    connection.send(peak_memory())


def peak_memory() -> float:
    """The most memory that this process has held, in bytes; NaN where the system does not tell."""
    with contextlib.suppress(OSError):
        # Not getrusage: what it says a process has inherited from the one that started it.
        for line in Path("/proc/self/status").read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1]) * 1024
    return math.nan


def alternate(args: argparse.Namespace) -> tuple[dict[str, list[dict[str, float]]], dict[str, float]]:
    """Each contender's steps, taken in turn and in changing order, after two that do not count; and its peak memory."""
    times: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    spawn = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as stack:
        lines: dict[str, Connection] = {}
        for name in CONTENDERS:
            lines[name], far = spawn.Pipe()
            arguments = (far, name, args.model, args.batch_size, args.threads)
            process = spawn.Process(target=serve, args=arguments, daemon=True)
            process.start()
            stack.callback(process.terminate)
            far.close()  # so that a contender's end is noticed here
        for i in range(-2, args.steps):
            for name in list(CONTENDERS)[:: 1 if i % 2 else -1]:
                lines[name].send(True)
                seconds = lines[name].recv()
                if i >= 0:
                    times[name].append(seconds)
        memory = {}
        for name, line in lines.items():
            line.send(False)
            memory[name] = line.recv() / 1e9
    return times, memory


def summary(times: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Of every phase: the median, the fastest, and the quartiles (the spread), in seconds."""
    result = {}
    for phase in PHASES:
        seconds = [row[phase] for row in times]
        low, _, high = statistics.quantiles(seconds, n=4, method="inclusive") if len(seconds) > 1 else seconds * 3
        result[phase] = {"median": statistics.median(seconds), "min": min(seconds), "q1": low, "q3": high}
    return result


def ratio(times: dict[str, list[dict[str, float]]], name: str) -> float:
    """The median, round by round, of a contender's step over the fast one's."""
    return statistics.median(a["step"] / b["step"] for a, b in zip(times[name], times[FAST], strict=True))


def table(times: dict[str, list[dict[str, float]]], memory: dict[str, float], batch_size: int) -> Iterator[str]:
    """A row a contender: the median of each phase and the quartiles of the step, in milliseconds; peak memory."""
    columns = f"{'quartiles of step':>22}{'images/s':>10}{'peak GB':>9}{'over fast':>11}"
    yield f"{'':30}" + "".join(f"{phase:>11}" for phase in PHASES) + columns
    for name, rows in times.items():
        phase = summary(rows)
        ms = "".join(f"{1e3 * phase[p]['median']:11.1f}" for p in PHASES)
        spread = f"{1e3 * phase['step']['q1']:.1f} .. {1e3 * phase['step']['q3']:.1f}"
        rate = batch_size / phase["step"]["median"]
        yield f"{name:30}{ms}{spread:>22}{rate:10.1f}{memory[name]:9.2f}{ratio(times, name):11.2f}"


def main() -> int:
    """The command; 0, or SystemExit with a reason."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks train", description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", choices=list(MODELS), default="net")
    parser.add_argument("--batch-size", type=int, default=10)
    parser.add_argument("--steps", type=int, default=9, help="timed steps of each (default %(default)s)")
    parser.add_argument("--threads", type=int, help="of each; without it, what each chooses")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write times and machine")
    args = parser.parse_args()
    if args.steps < 1 or args.batch_size < 2:
        parser.error("--steps must be at least 1 and --batch-size at least 2 (batch norm needs two)")
    machine = describe()
    print_description(machine)
    print(f"{args.model}, batch {args.batch_size}, {args.steps} steps of each, SmoothL1, Adam; milliseconds, medians")
    difference = check_agreement(args.model, *batch(args.model, args.batch_size))
    times, memory = alternate(args)
    print("\n".join(table(times, memory, args.batch_size)))
    if args.json is not None:
        settings = {key: value for key, value in vars(args).items() if key != "json"}
        stored: dict[str, Any] = {"machine": machine, "settings": settings, "loss_difference": difference}
        results = {name: summary(rows) | {"peak_gb": memory[name]} for name, rows in times.items()}
        args.json.write_text(json.dumps(stored | {"seconds": results, "steps": times}, indent=1) + "\n")
    return 0
