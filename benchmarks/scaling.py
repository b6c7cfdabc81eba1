"""`python -m benchmarks scaling`: time and memory of a step against batch size, image size and threads."""

import argparse
import statistics
from dataclasses import asdict, replace
from typing import Any

from benchmarks.contenders import CONTENDERS, FAST
from benchmarks.machine import describe, print_description, write_results
from benchmarks.options import add_shared
from benchmarks.processes import TrainingWorker
from benchmarks.tasks import Task
from numpynet.workers import physical_cores

OTHER = "torch, fused, channels_last"


def measure(task: Task, other: str, steps: int) -> dict[str, Any]:
    """numpynet and the `other` contender on one task, step by step in turn: median seconds of a step, peak GB, ratio.

    One step more than `steps` is taken first and does not count.
    """
    row: dict[str, Any] = asdict(task)
    with TrainingWorker(FAST, task) as fast, TrainingWorker(other, task) as rival:
        times: dict[TrainingWorker, list[float]] = {fast: [], rival: []}
        for i in range(-1, steps):
            for worker in times:
                taken = worker.steps(1)[0]["step"]
                if i >= 0:
                    times[worker].append(taken)
        for worker, seconds in times.items():
            row[worker.name] = {"step": statistics.median(seconds), "peak_gb": worker.facts()["peak_gb"]}
        row["ratio"] = statistics.median(b / a for a, b in zip(times[fast], times[rival], strict=True))
    return row


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_shared(parser, "--model", "--json")
    parser.add_argument("--batch-sizes", type=int, nargs="*", default=[2, 4, 8, 16, 32, 64], help="rows of the table")
    parser.add_argument("--sizes", type=int, nargs="*", default=[96, 128, 160, 192, 224], help="of images, in pixels")
    parser.add_argument("--threads", type=int, nargs="*", default=list(range(1, physical_cores() + 1)))
    parser.add_argument("--against", default=OTHER, choices=list(CONTENDERS), metavar="CONTENDER")
    parser.add_argument("--steps", type=int, default=5, help="timed steps of each side (default %(default)s)")


def run(args: argparse.Namespace) -> None:
    """Measure a row for each batch size, image size and number of threads; print and store them."""
    machine = describe()
    print_description(machine)
    usual = Task(args.model, 10)
    tasks = {
        "batch_size": [replace(usual, batch_size=n) for n in args.batch_sizes],
        "size": [replace(usual, size=n) for n in args.sizes],
        "threads": [replace(usual, threads=n) for n in args.threads],
    }
    print(f"{args.model}, batch 10 unless the row says otherwise; {FAST}: ms, GB; {args.against}: ms, GB; ratio")
    rows: dict[str, list[dict[str, Any]]] = {}
    for what, several in tasks.items():
        rows[what] = []
        for task in several:
            row = measure(task, args.against, args.steps)
            rows[what].append(row)
            ours, theirs = row[FAST], row[args.against]
            print(
                f"{what:10} {row[what]:4}{1e3 * ours['step']:10.1f}{ours['peak_gb']:7.2f}"
                f"{1e3 * theirs['step']:10.1f}{theirs['peak_gb']:7.2f}{row['ratio']:7.2f}",
                flush=True,
            )
    if args.json is not None:
        write_results(args.json, machine, {"model": args.model, "against": args.against, "steps": args.steps}, rows)
