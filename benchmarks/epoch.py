"""`python -m benchmarks epoch`: an epoch on real frames, the data loader included, in numpynet and in PyTorch.

Both sides read their batches through the loader of `fkp train`: JPEG files, cropped and changed as the model's recipe
says, prepared by a background thread. Reported are the time of the epoch and the share of it that steps waited for
their batches.
"""

import argparse

from benchmarks.contenders import CONTENDERS, COURSE, FAST
from benchmarks.machine import describe, print_description, write_results
from benchmarks.options import add_shared
from benchmarks.processes import TrainingWorker
from benchmarks.tasks import Task, loader
from fkp_app.training.recipe import load_recipe

CHUNK = 10
"""Steps that a contender takes before the other's turn."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_shared(parser, "--data", "--model", "--json")
    parser.add_argument("--batch-size", type=int, help="images per batch (default: that of the model's recipe)")
    parser.add_argument("--steps", type=int, help="take only this many steps (default: the whole epoch)")
    parser.add_argument("--against", nargs="*", default=[COURSE], choices=list(CONTENDERS), metavar="CONTENDER")


def run(args: argparse.Namespace) -> None:
    """Take the steps of the epoch, numpynet and each contender in turn; print and store the times."""
    machine = describe()
    print_description(machine)
    size = args.batch_size or load_recipe(args.model).training.batch_size
    task = Task(args.model, size, data=str(args.data))
    whole = len(loader(task, 1))
    steps = min(args.steps or whole, whole)
    print(f"{args.model}, batch {size}, {steps} of the epoch's {whole} steps, real frames; seconds")
    results = {}
    for name in (FAST, *args.against):
        results[name] = {"seconds": 0.0, "wait": 0.0, "steps": 0}
    with TrainingWorker(FAST, task) as fast:
        for name in args.against or [None]:
            rows: dict[str, list[dict[str, float]]] = {}
            if name is None:
                rows[FAST] = fast.steps(steps)
            else:
                with TrainingWorker(name, task) as other:
                    for begin in range(0, steps, CHUNK):
                        for worker in (fast, other) if begin // CHUNK % 2 else (other, fast):
                            rows.setdefault(worker.name, []).extend(worker.steps(min(CHUNK, steps - begin)))
            for contender, taken in rows.items():
                seconds, wait = (sum(row[key] for row in taken) for key in ("step", "wait"))
                results[contender] = {"seconds": seconds + wait, "wait": wait, "steps": len(taken)}
    for name, row in results.items():
        share = 100 * row["wait"] / row["seconds"]
        ratio = row["seconds"] / results[FAST]["seconds"]
        print(f"{name:40}{row['seconds']:9.1f} s, waiting {share:.2f} %, {ratio:.2f} times the fast one's")
    if args.json is not None:
        settings = {"model": args.model, "batch_size": size, "steps": steps, "whole": whole}
        write_results(args.json, machine, settings, {"epochs": results})
