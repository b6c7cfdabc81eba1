"""`python -m benchmarks train`: one training step in numpynet and in PyTorch; forward, backward and optimizer apart.

Loss, optimizer and average of the weights are those of the model's recipe; the average counts as optimizer.

First both sides must agree on the loss and the gradients of one batch, under the same dropout masks; otherwise nothing
is timed. Then numpynet's fast step is compared with each other contender. The two run in processes of their own and
take steps in turn, so that other work on the machine slows both alike: on a shared machine only the ratio of such a
pair of steps means anything. Of each turn only the last step counts. After each pair it is measured whether the cores
share a cache (handover.py), and the ratios of both kinds of pairs are printed. "PyTorch at its best" is the PyTorch
contender with the smallest ratio in this run, over all pairs; the course's loop always takes part.
"""

import argparse
import math
import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.contenders import CONTENDERS, COURSE, FAST, PHASES
from benchmarks.handover import FAR, handover
from benchmarks.machine import describe, print_description, write_results
from benchmarks.options import add_shared, at_least
from benchmarks.processes import TrainingWorker, WorkerFailed
from benchmarks.tasks import Task, batch
from fkp_app.training.recipe import Recipe
from fkp_app.training.trainers import get_criterion
from numpynet import fuse, use
from numpynet.architectures import build
from numpynet.typing import Array
from reference import comparison
from reference.training import CRITERIA

LOSS_LIMIT, GRADIENT_LIMIT = 1e-5, 1e-2
"""Largest relative differences, of the loss and of a number in a gradient."""

STRAY_LIMIT = 5e-2
"""The largest distance of a gradient from PyTorch's in the batch that is timed, relative to the gradient's length.

If a ReLU's input is almost zero, or two numbers in a pool's window are almost equal, rounding decides whether, or which
of them, gets the gradient. Every batch of ten has such numbers. In ten runs of the hourglass they moved a number of a
gradient by up to 13 % and a gradient by up to 1.4 %; PyTorch in float32 is as far from PyTorch in float64.
"""

PAIRS = 8
"""Two images have few such numbers, often none. So one of this many pairs must agree within GRADIENT_LIMIT."""

SETTLE = 2
"""Steps that begin a side's turn and do not count. Meanwhile the other side's threads still spin, waiting for work
(OpenMP's do so for milliseconds), and its arrays fill the caches. In a training, one step follows another.
"""

WARM_UP = 2
"""Steps after the first that do not count either."""


def check_agreement(recipe: Recipe, batch_size: int) -> float:
    """The largest relative difference of the loss from PyTorch's. SystemExit if the loss or a gradient disagrees."""
    size, losses = recipe.framing.size, []
    for ops, fused in (("readable", False), ("fast", False), ("fast", True)):
        name = f"{ops}, fused" if fused else ops
        with use(ops):
            both = Both(recipe, fused)
            step = both.step(*batch(size, batch_size))
            stray = both.farthest(distance)
            for seed in range(PAIRS):
                both.step(*batch(size, 2, seed))
                worst = both.farthest(comparison.relative)
                if worst[0] <= GRADIENT_LIMIT:
                    break
        said = f"loss within {step.relative:.1e}, gradients within {stray[0]:.1e} of their length ({stray[1]})"
        said += f", of two images each number within {worst[0]:.1e} ({worst[1]})"
        if not (step.relative <= LOSS_LIMIT and stray[0] <= STRAY_LIMIT and worst[0] <= GRADIENT_LIMIT):
            raise SystemExit(f"{name} and PyTorch do not compute the same, so nothing is timed: {said}")
        print(f"{name} agrees: {said}")
        losses.append(step.relative)
    return max(losses)


class Both:
    """The recipe's network and its twin, with the same weights."""

    def __init__(self, recipe: Recipe, fused: bool) -> None:
        self.plain = build(recipe.network.architecture, recipe.network.arguments, rng=0)
        self.net = fuse(self.plain) if fused else self.plain
        self.twin = comparison.twin_of(self.plain)
        loss = asdict(recipe.training.loss)
        self.criteria = get_criterion(recipe.training.loss), CRITERIA[loss.pop("name")](**loss)

    def step(self, images: Array, targets: Array) -> comparison.Step:
        """Forward and backward on both sides."""
        return comparison.forward_and_backward(self.net, self.twin, *self.criteria, images, targets)

    def farthest(self, measure: Callable[[Array, Array], float]) -> tuple[float, str]:
        """The gradient that is farthest from PyTorch's by this measure; NaN is farther than any number."""
        wanted: dict[str, Any] = {name: parameter.grad for name, parameter in self.twin.named_parameters()}
        noisy = comparison.noisy_biases(self.plain)
        found = [
            (measure(np.asarray(parameter.grad), wanted[name].numpy()), name)
            for name, parameter in self.plain.named_parameters()
            if name not in noisy
        ]
        return max(found, key=lambda row: (math.isnan(row[0]), row[0]))


def distance(got: Array, wanted: Array) -> float:
    """The length of the difference, relative to the length of `wanted`."""
    return float(np.linalg.norm(got - wanted) / np.linalg.norm(wanted))


def first_steps(task: Task) -> dict[str, dict[str, float]]:
    """Seconds of the fast contender's first step, and from its process's start to the end of that step.

    cold: kernels must be compiled; warm: they are in the cache. Warm times are medians of three processes, since the
    time that fresh memory takes varies widely.
    """
    taken = []
    with tempfile.TemporaryDirectory() as cache:
        for _ in range(4):
            with TrainingWorker(FAST, task, {"NUMBA_CACHE_DIR": cache}) as worker:
                taken.append({"from start": worker.until_first_step, "step": worker.first_step["step"]})
    cold, warm = taken[0], taken[1:]
    return {"cold": cold, "warm": {key: statistics.median(row[key] for row in warm) for key in cold}}


def meet(name: str, task: Task, steps: int) -> dict[str, Any]:
    """The contender `name` and the fast one, step by step in turn: times and facts of both, and the median ratio."""
    with TrainingWorker(FAST, task) as fast, TrainingWorker(name, task) as other:
        rows: dict[TrainingWorker, list[dict[str, float]]] = {fast: [], other: []}
        handovers = []
        for i in range(-WARM_UP, steps):
            for worker in (fast, other) if i % 2 else (other, fast):
                taken = worker.steps(SETTLE + 1)[SETTLE:]
                if i >= 0:
                    rows[worker] += taken
            if i >= 0:
                handovers.append(handover())
        ratios = [a["step"] / b["step"] for a, b in zip(rows[other], rows[fast], strict=True)]
        return {
            "seconds": summary(rows[other]),
            "fast_seconds": summary(rows[fast]),
            "ratio": statistics.median(ratios),
            "pairs": [{"ratio": a, "handover": b} for a, b in zip(ratios, handovers, strict=True)],
            "first": {"from start": other.until_first_step, "step": other.first_step["step"]},
            "facts": other.facts(),
            "fast_facts": fast.facts(),
        }


def by_handover(pairs: list[dict[str, Any]]) -> str:
    """Median ratio and number of the pairs whose cores shared a cache, then of the others; "" without handovers."""
    said = []
    for place, far in (("share a cache", False), ("share none", True)):
        found = [pair for pair in pairs if pair["handover"] is not None and (pair["handover"] > FAR) == far]
        if found:
            ratio = statistics.median(pair["ratio"] for pair in found)
            ns = 1e9 * statistics.median(pair["handover"] for pair in found)
            said.append(f"{ratio:.2f} in {len(found)} pairs whose cores {place} (a cache line passes in {ns:.0f} ns)")
    return ", ".join(said)


def summary(times: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """For each phase, in seconds: the median, the minimum and the two quartiles, which show the spread."""
    result = {}
    for phase in PHASES:
        seconds = [row[phase] for row in times]
        low, _, high = statistics.quantiles(seconds, n=4, method="inclusive") if len(seconds) > 1 else seconds * 3
        result[phase] = {"median": statistics.median(seconds), "min": min(seconds), "q1": low, "q3": high}
    return result


def rows_of(met: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Times, ratio and facts of each contender. The fast one's come from the meeting with its median step."""
    meetings = sorted(met.values(), key=lambda m: m["fast_seconds"]["step"]["median"])
    middle = meetings[len(meetings) // 2]
    fast = {"seconds": middle["fast_seconds"], "ratio": 1.0, "facts": middle["fast_facts"]}
    return {FAST: fast} | {name: {key: m[key] for key in ("seconds", "ratio", "facts")} for name, m in met.items()}


def best_torch(met: dict[str, Any]) -> str:
    """The PyTorch contender with the smallest ratio to the fast one's step."""
    return min((name for name in met if CONTENDERS[name].is_torch), key=lambda name: met[name]["ratio"])


def table(rows: dict[str, dict[str, Any]], batch_size: int) -> Iterator[str]:
    """One row per contender: median of each phase and quartiles of the step in milliseconds; peak memory; ratio."""
    columns = f"{'quartiles of step':>22}{'images/s':>10}{'peak GB':>9}{'over fast':>11}"
    yield f"{'':40}" + "".join(f"{phase:>11}" for phase in PHASES) + columns
    for name, row in rows.items():
        phase = row["seconds"]
        ms = "".join(f"{1e3 * phase[p]['median']:11.1f}" for p in PHASES)
        spread = f"{1e3 * phase['step']['q1']:.1f} .. {1e3 * phase['step']['q3']:.1f}"
        rate = batch_size / phase["step"]["median"]
        yield f"{name:40}{ms}{spread:>22}{rate:10.1f}{row['facts']['peak_gb']:9.2f}{row['ratio']:11.2f}"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_shared(parser, "--model", "--threads", "--json")
    batch_norm_needs_two = at_least(2, "batch norm needs two images")
    parser.add_argument("--batch-size", type=batch_norm_needs_two, default=10, help="images (default %(default)s)")
    parser.add_argument("--steps", type=at_least(1), default=9, help="timed steps of each side (default %(default)s)")
    others = [name for name in CONTENDERS if name not in (FAST, COURSE)]
    parser.add_argument(
        "--against", nargs="*", default=others, choices=others, metavar="CONTENDER", help="opponents (default: all)"
    )


def run(args: argparse.Namespace) -> None:
    """Check that both sides agree, then time them; print and store the table.

    SystemExit if they disagree, WorkerFailed if numpynet or the course's loop fails; others that fail are left out.
    """
    machine = describe()
    print_description(machine)
    task = Task(args.model, args.batch_size, args.threads)
    recipe = task.recipe
    rule = f"{recipe.training.loss.name}, {recipe.training.optimizer.name}"
    rule += ", average of the weights" if recipe.training.average else ""
    print(f"{args.model}, batch {args.batch_size}, {args.steps} steps of each, {rule}; milliseconds, medians")
    difference = check_agreement(recipe, args.batch_size)
    first = first_steps(task)
    for state, seconds in first.items():
        print(f"first step, caches {state}: {seconds['step']:.1f} s; from process start {seconds['from start']:.1f} s")
    met = {}
    for name in CONTENDERS:
        if name not in (COURSE, *args.against):
            continue
        try:
            met[name] = meet(name, task, args.steps)
        except WorkerFailed as failed:
            if failed.name in (FAST, COURSE):
                raise
            print(f"{name} is left out, as it fails here", flush=True)  # torch.compile needs a C++ compiler, say
        else:
            places = by_handover(met[name]["pairs"])
            print(f"{name}: {met[name]['ratio']:.2f} times the fast one's step{places and ': '}{places}", flush=True)
    rows, best = rows_of(met), best_torch(met)
    print("\n".join(table(rows, args.batch_size)))
    print(f"PyTorch at its best: {best}, {met[best]['ratio']:.2f}; {COURSE}: {met[COURSE]['ratio']:.2f}")
    if args.json is not None:
        settings = asdict(task) | {"steps": args.steps}
        results = {"loss_difference": difference, "first": first, "best": best, "rows": rows, "meetings": met}
        write_results(args.json, machine, settings, results)
