"""`python -m benchmarks scaling`: time and memory of a step against batch size, image size and threads."""

import argparse
import statistics
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.contenders import CONTENDERS, FAST
from benchmarks.machine import describe, print_description, write_results
from benchmarks.processes import Process
from benchmarks.tasks import Task
from numpynet.workers import physical_cores
from reference.arguments import MODELS

OTHER = "torch, fused, channels_last"


def measure(task: Task, other: str, steps: int) -> dict[str, Any]:
    """Both contenders on one task, in turn: median seconds of a step and peak memory in GB."""
    row: dict[str, Any] = asdict(task)
    with Process(FAST, task) as fast, Process(other, task) as rival:
        times: dict[Process, list[float]] = {fast: [], rival: []}
        for i in range(-1, steps):
            for process in times:
                taken = process.steps(1)[0]["step"]
                if i >= 0:
                    times[process].append(taken)
        for process, seconds in times.items():
            row[process.name] = {"step": statistics.median(seconds), "peak_gb": process.facts()["peak_gb"]}
        row["ratio"] = statistics.median(b / a for a, b in zip(times[fast], times[rival], strict=True))
    return row


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks scaling", description=__doc__)
    parser.add_argument("--model", choices=list(MODELS), default="net")
    parser.add_argument("--batch-sizes", type=int, nargs="*", default=[2, 4, 8, 16, 32, 64])
    parser.add_argument("--sizes", type=int, nargs="*", default=[96, 128, 160, 192, 224])
    parser.add_argument("--threads", type=int, nargs="*", default=list(range(1, physical_cores() + 1)))
    parser.add_argument("--against", default=OTHER, choices=list(CONTENDERS), metavar="CONTENDER")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    machine = describe()
    print_description(machine)
    usual = Task(args.model, 10)
    tasks = {
        "batch_size": [replace(usual, batch_size=n) for n in args.batch_sizes],
        "size": [replace(usual, size=n) for n in args.sizes],
        "threads": [replace(usual, threads=n) for n in args.threads],
    }
    print(f"{args.model}, batch 10 unless told; {FAST}: ms, GB; {args.against}: ms, GB; ratio")
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
    return 0
