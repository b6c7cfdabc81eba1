"""`python -m benchmarks epoch`: an epoch on real frames, the loader included, in numpynet and in PyTorch.

Both get their batches from the same loader, the one of `fkp train`: JPEG files, cropped with jitter, prepared in the
background. What is reported is the epoch's time and how much of it a step waited for its batch.
"""

import argparse
from pathlib import Path

from benchmarks.contenders import CONTENDERS, COURSE, FAST
from benchmarks.machine import describe, print_description, write_results
from benchmarks.processes import Process
from benchmarks.tasks import Task, loader
from reference.arguments import MODELS

CHUNK = 10
"""Steps that a contender takes before it is the other's turn."""


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks epoch", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the data set, as for `fkp train`")
    parser.add_argument("--model", choices=list(MODELS), default="net")
    parser.add_argument("--batch-size", type=int, default=10)
    parser.add_argument("--steps", type=int, help="only so many; without it, the whole epoch")
    parser.add_argument("--against", nargs="*", default=[COURSE], choices=list(CONTENDERS), metavar="CONTENDER")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    machine = describe()
    print_description(machine)
    task = Task(args.model, args.batch_size, data=str(args.data))
    whole = len(loader(task, 1))
    steps = min(args.steps or whole, whole)
    print(f"{args.model}, batch {args.batch_size}, {steps} of the epoch's {whole} steps, real frames; seconds")
    results = {}
    for name in (FAST, *args.against):
        results[name] = {"seconds": 0.0, "wait": 0.0, "steps": 0}
    with Process(FAST, task) as fast:
        for name in args.against or [None]:
            rows: dict[str, list[dict[str, float]]] = {}
            if name is None:
                rows[FAST] = fast.steps(steps)
            else:
                with Process(name, task) as other:
                    for begin in range(0, steps, CHUNK):
                        for process in (fast, other) if begin // CHUNK % 2 else (other, fast):
                            rows.setdefault(process.name, []).extend(process.steps(min(CHUNK, steps - begin)))
            for who, taken in rows.items():
                seconds, wait = (sum(row[key] for row in taken) for key in ("step", "wait"))
                results[who] = {"seconds": seconds + wait, "wait": wait, "steps": len(taken)}
    for name, row in results.items():
        share = 100 * row["wait"] / row["seconds"]
        ratio = row["seconds"] / results[FAST]["seconds"]
        print(f"{name:40}{row['seconds']:9.1f} s, waiting {share:.2f} %, {ratio:.2f} times the fast one's")
    if args.json is not None:
        settings = {"model": args.model, "batch_size": args.batch_size, "steps": steps, "whole": whole}
        write_results(args.json, machine, settings, {"epochs": results})
    return 0
