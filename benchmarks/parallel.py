"""`mpiexec -n 2 python -m benchmarks parallel`: a training step of several processes, each on its part of a batch.

With one process it is the step that the others are compared with.
"""

import argparse
import statistics
import time
from pathlib import Path

from benchmarks.options import add_shared
from benchmarks.tasks import Task, batch
from fkp_app.backends.predictor import limit_threads
from fkp_app.training.trainers import get_trainer
from numpynet import use
from numpynet.parallel import Group

WARM_UP = 3
"""Steps that do not count: the first one finds out in which order gradients come."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_shared(parser, "--model", "--batch-size", "--threads")
    parser.add_argument("--sync-batch-norm", action="store_true", help="as `fkp train --sync-batch-norm`")
    parser.add_argument("--steps", type=int, default=15, help="timed steps (default %(default)s)")
    parser.add_argument(
        "--interface", metavar="NAME", help="count the bytes sent over this network interface, such as lo"
    )


def run(args: argparse.Namespace) -> int:
    """Time the steps; process 0 prints."""
    group = Group.world()
    part = size_of_part(args.batch_size, group)
    limit_threads("numpy", args.threads)
    use("fast")
    task = Task(args.model, part)
    recipe = task.recipe
    trainer = get_trainer(
        "numpy",
        recipe.network,
        recipe.training,
        steps=1,
        seed=0,
        fused=True,
        group=group,
        sync_batch_norm=args.sync_batch_norm,
    )
    images, targets = batch(recipe.framing.size, task.batch_size, seed=group.rank)
    for _ in range(WARM_UP):
        trainer.train_step(images, targets)
    group.barrier()
    sent, seconds = sent_bytes(args.interface), []
    for _ in range(args.steps):
        begin = time.perf_counter()
        trainer.train_step(images, targets)
        seconds.append(time.perf_counter() - begin)
    group.barrier()
    if group.rank == 0:
        step = statistics.median(seconds)
        line = f"{args.model}, batch {args.batch_size} in {group.size} parts: {1e3 * step:.1f} ms a step, "
        line += f"{args.batch_size / step:.1f} images/s"
        if args.interface:
            each = (sent_bytes(args.interface) - sent) / args.steps / group.size
            line += f", {each / 1e6:.3f} MB sent a step by each process"
        print(line, flush=True)
    return 0


def size_of_part(batch_size: int, group: Group) -> int:
    """The number of images of each process. SystemExit if the batch cannot be divided."""
    if batch_size % group.size:
        raise SystemExit(f"--batch-size {batch_size} cannot be divided by {group.size} processes")
    return batch_size // group.size


def sent_bytes(interface: str | None) -> int:
    """All bytes that this machine has sent over a network interface so far, headers included; 0 without one."""
    if interface is None:
        return 0
    return int(Path(f"/sys/class/net/{interface}/statistics/tx_bytes").read_text("ascii"))
