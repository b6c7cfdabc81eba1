"""`python -m benchmarks roofline`: the shortest step that this machine allows, and how near a step comes to it.

Measured are the rate of matrix products and the rate at which memory is copied or read. With the network's operations
and the bytes that a step must move, they give a lower limit of the step's time. (The roofline model: Williams, Waterman
and Patterson 2009, doi:10.1145/1498765.1498785.)
"""

import argparse
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.contenders import CONTENDERS, FAST
from benchmarks.machine import describe, print_description, write_results
from benchmarks.operations import operations, parameters
from benchmarks.options import add_shared
from benchmarks.processes import TrainingWorker, Worker
from benchmarks.tasks import Task
from fkp_app.training.recipe import Recipe
from numpynet import workers

SHAPES = ((1024, 1024, 1024), (256, 1152, 576), (128, 576, 676))
"""Matrix products (m, k, n): a large one, and two with the shapes that convolutions have."""

PRODUCTS = 9
"""Matrix products that each thread computes per timed run."""

MEMORY = 128 << 20
"""Numbers copied or read: far more than any cache holds."""


def fastest(piece: Callable[[int], None], pieces: int, repeats: int = 15) -> float:
    """Seconds of the fastest of `repeats` runs of `pieces` calls on all threads."""
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        workers.run(piece, pieces)
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def product_rate(m: int, k: int, n: int) -> float:
    """GFLOP/s of matrix products (m, k) @ (k, n), one per thread at a time."""
    threads = workers.get_threads()
    a = [np.random.default_rng(i).random((m, k), np.float32) for i in range(threads)]
    b = [np.random.default_rng(i).random((k, n), np.float32) for i in range(threads)]
    out = [np.empty((m, n), np.float32) for _ in range(threads)]

    def multiply(i: int) -> None:
        for _ in range(PRODUCTS):
            np.matmul(a[i], b[i], out=out[i])

    return 2e-9 * threads * PRODUCTS * m * k * n / fastest(multiply, threads)


def memory_rate() -> float:
    """GB/s of copying an array or of reading two, whichever is faster, on all threads."""
    source, target = np.ones(MEMORY, np.float32), np.zeros(MEMORY, np.float32)
    pieces = 16 * workers.get_threads()
    slices = [slice(MEMORY * i // pieces, MEMORY * (i + 1) // pieces) for i in range(pieces)]

    def copy(i: int) -> None:
        np.copyto(target[slices[i]], source[slices[i]])

    def read(i: int) -> None:
        np.dot(source[slices[i]], target[slices[i]])

    return 8e-9 * MEMORY / min(fastest(copy, pieces), fastest(read, pieces))


def serve_rates(connection: Connection) -> None:
    """In the worker's process: answer one message with (GFLOP/s of matrix products, GB/s of memory)."""
    connection.recv()
    threadpool_limits(1)
    connection.send((max(product_rate(*shape) for shape in SHAPES), memory_rate()))


def least(recipe: Recipe, batch_size: int) -> dict[str, float]:
    """GFLOP of the convolutions and Linears, and GB that a step must move at least.

    GFLOP: the products of the definition, once forward and twice backward; the first convolution needs no dx, so it
    counts only once backward. Winograd's rules need fewer products than the definition (F(4 x 4, 3 x 3) a quarter), so
    a step that uses them may take more than its share of the limit, even more than 100 %.
    Weights: read forward and again for dx; Adam or AdamW reads param, exp_avg and exp_avg_sq and writes them; the
    average of the weights, if the recipe has one, is read and written.
    Maps: what a convolution, a block of it with batch norm, ReLU and perhaps a pool, another pool or a Residual gives
    is written once, read by what follows, and read again on the way back. A Residual reads its x once more.
    """
    steps = [one for one in operations(recipe, batch_size) if one.kind != "conv_block"]
    flop = 3 * sum(one.flop for one in steps) - steps[0].flop
    maps = 3 * sum(one.kept for one in steps) + sum(one.kept for one in steps if one.kind == "residual")
    weights = parameters(recipe) * (1 + 1 + 6 + (2 if recipe.training.average else 0))
    return {"GFLOP": flop / 1e9, "GB": 4 * (maps + weights) / 1e9}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_shared(parser, "--model", "--json")
    parser.add_argument("--batch-size", type=int, nargs="+", default=[10, 32], help="default: 10 and 32")
    parser.add_argument("--steps", type=int, default=9, help="timed steps (default %(default)s)")


def run(args: argparse.Namespace) -> None:
    """Measure the machine's rates and a step at each batch size; print and store both beside the limit."""
    machine = describe()
    print_description(machine)
    with Worker("rates", CONTENDERS[FAST].environment, serve_rates) as worker:
        matrix, memory = worker.ask(None)
    print(f"matrix products {matrix:.0f} GFLOP/s, memory {memory:.1f} GB/s (copying or reading, the faster)")
    rows = []
    for size in args.batch_size:
        task = Task(args.model, size)
        need = least(task.recipe, size)
        limit = need["GFLOP"] / matrix + need["GB"] / memory
        with TrainingWorker(FAST, task) as fast:
            step = sorted(row["step"] for row in fast.steps(args.steps + 2)[2:])[args.steps // 2]
        rows.append({"batch": size, **need, "limit": limit, "step": step, "share": limit / step})
        print(
            f"batch {size}: {need['GFLOP']:.1f} GFLOP and {need['GB']:.2f} GB need {1e3 * limit:.0f} ms at least; "
            f"a step takes {1e3 * step:.0f} ms: {100 * limit / step:.0f} % of what the machine allows"
        )
    if args.json is not None:
        settings = {"model": args.model, "steps": args.steps}
        write_results(args.json, machine, settings, {"GFLOP/s": matrix, "GB/s": memory, "rows": rows})
