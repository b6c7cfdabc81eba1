"""`python -m benchmarks train`: one training step in numpynet and in PyTorch, forward, backward and optimizer apart.

Nothing is timed before both have been seen to compute the same: loss and gradients of one batch, under the same
dropout masks. Then the two alternate, step by step, so that a busy machine is as unkind to the one as to the
other; only ratios mean anything where others use the machine, too.
"""

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.machine import describe, print_description
from numpynet import Adam, KeypointNet, SmoothL1Loss, use
from numpynet.dispatch import IMPLEMENTATIONS
from numpynet.models import MODELS
from numpynet.typing import Array
from reference import comparison
from reference.models import Net

PHASES = ("forward", "backward", "optimizer", "step")
LOSS_LIMIT, GRADIENT_LIMIT = 1e-5, 1e-2
"""Relative; a gradient's is wide because one near-tie in a pool, decided by rounding, moves a whole number."""

Contender = Callable[[], dict[str, float]]
"""Takes one training step; the seconds of each phase."""


def check_agreement(net: KeypointNet, images: Array, targets: Array) -> tuple[Net, float]:
    """The twin of `net`, with PyTorch's own dropout, after both have been seen to agree; and the losses' difference.

    SystemExit where they do not.
    """
    twin = comparison.twin_of(net)
    step = comparison.forward_and_backward(net, twin, SmoothL1Loss(), torch.nn.SmoothL1Loss(), images, targets)
    gradients = [row for row in comparison.outputs_and_gradients(net, twin, step)[2:] if not row.apart]
    worst = max(gradients, key=lambda row: row.relative)
    if not (step.relative <= LOSS_LIMIT and worst.relative <= GRADIENT_LIMIT):
        raise SystemExit(
            f"the backends do not compute the same, so there is nothing to time: loss {step.numpynet_loss} and "
            f"{step.torch_loss}, gradient of {worst.name} differs by {worst.relative:.1e}"
        )
    print(f"agreed: loss within {step.relative:.1e}, gradients within {worst.relative:.1e} ({worst.name})")
    net.zero_grad()
    twin.zero_grad()
    twin.dropout = torch.nn.Dropout(net.dropout.p)
    return twin, step.relative


def numpynet_step(net: KeypointNet, images: Array, targets: Array, implementation: str) -> Contender:
    """numpynet's training step, by its readable functions or its fast kernels."""
    criterion, optimizer = SmoothL1Loss(), Adam(net.parameters())

    def step() -> dict[str, float]:
        with use(implementation):
            clock = [time.perf_counter()]
            out, cache = net.forward(images)
            _, dout = criterion(out, targets)
            clock.append(time.perf_counter())
            net.backward(dout, cache)
            clock.append(time.perf_counter())
            optimizer.step()
            optimizer.zero_grad()
            clock.append(time.perf_counter())
        return phases(clock)

    return step


def torch_step(twin: Net, images: Array, targets: Array, *, fused: bool) -> Contender:
    """PyTorch's training step, as it is usually written; `fused`: with its fastest Adam."""
    criterion = torch.nn.SmoothL1Loss()
    optimizer = torch.optim.Adam(twin.parameters(), fused=fused)
    x, y = torch.from_numpy(images), torch.from_numpy(targets)

    def step() -> dict[str, float]:
        clock = [time.perf_counter()]
        loss = criterion(twin(x), y)
        clock.append(time.perf_counter())
        loss.backward()
        clock.append(time.perf_counter())
        optimizer.step()
        optimizer.zero_grad()
        clock.append(time.perf_counter())
        return phases(clock)

    return step


def phases(clock: list[float]) -> dict[str, float]:
    """Four readings of the clock as the seconds of each phase."""
    return {
        "forward": clock[1] - clock[0],
        "backward": clock[2] - clock[1],
        "optimizer": clock[3] - clock[2],
        "step": clock[3] - clock[0],
    }


def alternate(contenders: dict[str, Contender], rounds: int) -> dict[str, list[dict[str, float]]]:
    """Each contender's steps, taken in turn and in changing order, after one round that does not count."""
    times: dict[str, list[dict[str, float]]] = {name: [] for name in contenders}
    for i in range(rounds + 1):
        for name, step in list(contenders.items())[:: 1 if i % 2 else -1]:
            gc.collect()
            seconds = step()
            if i:
                times[name].append(seconds)
    return times


def summary(times: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Of every phase: the median, the fastest, and the quartiles (the spread), in seconds."""
    result = {}
    for phase in PHASES:
        seconds = [row[phase] for row in times]
        low, _, high = statistics.quantiles(seconds, n=4, method="inclusive") if len(seconds) > 1 else seconds * 3
        result[phase] = {"median": statistics.median(seconds), "min": min(seconds), "q1": low, "q3": high}
    return result


def lines(results: dict[str, dict[str, dict[str, float]]], batch_size: int) -> Iterator[str]:
    """The table: a row a contender, the median of each phase and the quartiles of the step, in milliseconds."""
    yield f"{'':22}" + "".join(f"{phase:>11}" for phase in PHASES) + f"{'quartiles of step':>22}{'images/s':>10}"
    for name, phase in results.items():
        ms = "".join(f"{1e3 * phase[p]['median']:11.1f}" for p in PHASES)
        spread = f"{1e3 * phase['step']['q1']:.1f} .. {1e3 * phase['step']['q3']:.1f}"
        yield f"{name:22}{ms}{spread:>22}{batch_size / phase['step']['median']:10.1f}"
    fast = results["numpynet, fast"]["step"]["median"]
    for name in [name for name in results if name != "numpynet, fast"]:
        yield f"{name}: {results[name]['step']['median'] / fast:.2f} times the step of numpynet, fast"


def main() -> int:
    """The command; 0, or SystemExit with a reason."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", choices=list(MODELS), default="net")
    parser.add_argument("--batch-size", type=int, default=10)
    parser.add_argument("--steps", type=int, default=9, help="timed steps of each (default %(default)s)")
    parser.add_argument("--threads", type=int, help="of both; without it, what each chooses")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write times and machine")
    args = parser.parse_args()
    if args.steps < 1 or args.batch_size < 2:
        parser.error("--steps must be at least 1 and --batch-size at least 2 (batch norm needs two)")
    if args.threads is not None:
        torch.set_num_threads(args.threads)
        threadpool_limits(limits=args.threads)

    machine = describe()
    print_description(machine)
    net = KeypointNet(**MODELS[args.model], rng=0)
    rng, size = np.random.default_rng(0), net.arguments["size"]
    images = rng.random((args.batch_size, 1, size, size), np.float32)
    targets = rng.standard_normal((args.batch_size, 136), np.float32)
    print(f"{args.model}, batch {args.batch_size}, {args.steps} steps of each, SmoothL1, Adam; milliseconds, medians")
    for implementation in IMPLEMENTATIONS:
        with use(implementation):
            twin, difference = check_agreement(net, images, targets)
    fused_twin = Net.from_state(net.state_dict(), net.arguments)
    fast_net = KeypointNet(**MODELS[args.model], rng=0)
    contenders = {
        "numpynet, readable": numpynet_step(net, images, targets, "readable"),
        "numpynet, fast": numpynet_step(fast_net, images, targets, "fast"),
        "torch": torch_step(twin, images, targets, fused=False),
        "torch, fused Adam": torch_step(fused_twin, images, targets, fused=True),
    }
    times = alternate(contenders, args.steps)
    results = {name: summary(rows) for name, rows in times.items()}
    print("\n".join(lines(results, args.batch_size)))
    if args.json is not None:
        settings = {key: value for key, value in vars(args).items() if key != "json"}
        stored = {"machine": machine, "settings": settings, "loss_difference": difference}
        args.json.write_text(json.dumps(stored | {"seconds": results, "steps": times}, indent=1) + "\n")
    return 0
