"""`python -m benchmarks roofline`: what this machine could do at best, and how near a training step comes to it.

The rate of matrix products and that of copying memory are measured; with the network's operations and the bytes that
must move at least, they give the shortest time that a step could take.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.contenders import CONTENDERS, FAST
from benchmarks.layers import operations
from benchmarks.machine import describe, print_description, write_results
from benchmarks.processes import Process, Worker
from benchmarks.tasks import Task
from numpynet.workers import get_threads, run
from reference.arguments import MODELS

SHAPES = ((1024, 1024, 1024), (256, 1152, 576), (128, 576, 676))
"""Of matrix products: a large one, and two as the convolutions have them."""

MEMORY = 128 << 20
"""Numbers copied or read: far more than any cache holds."""


def best(call: Callable[[int], object], pieces: int, repeats: int = 15) -> float:
    """Seconds of the fastest of several runs of `call` on all threads."""
    seconds = []

    def piece(i: int) -> None:
        call(i)

    for _ in range(repeats):
        begin = time.perf_counter()
        run(piece, pieces)
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def rates(line: Any) -> None:
    """In a process: GFLOP/s of matrix products, one a thread at a time, and GB/s of memory, all threads."""
    line.recv()
    threadpool_limits(1)
    threads = get_threads()
    flops = []
    for m, k, n in SHAPES:
        a = [np.random.default_rng(i).random((m, k), np.float32) for i in range(threads)]
        b = [np.random.default_rng(i).random((k, n), np.float32) for i in range(threads)]
        out = [np.empty((m, n), np.float32) for _ in range(threads)]
        seconds = best(lambda i, a=a, b=b, out=out: [np.matmul(a[i], b[i], out=out[i]) for _ in range(9)], threads)  # type: ignore[misc]
        flops.append(2e-9 * threads * 9 * m * k * n / seconds)
    source, target = np.ones(MEMORY, np.float32), np.zeros(MEMORY, np.float32)
    parts = 16 * threads
    share = [slice(MEMORY * i // parts, MEMORY * (i + 1) // parts) for i in range(parts)]
    copying = best(lambda i: np.copyto(target[share[i]], source[share[i]]), parts)
    reading = best(lambda i: np.dot(source[share[i]], target[share[i]]), parts)
    line.send((max(flops), 8e-9 * MEMORY / min(copying, reading)))


def least(model: str, batch_size: int) -> dict[str, float]:
    """GFLOP of the convolutions and GB that a step must move at least.

    Convolutions: forward, and twice that backward (the first needs no dx). Weights of Linear: read forward, read for
    dx; Adam reads param, exp_avg and exp_avg_sq and writes them. Activations: each convolution's result is written,
    read to be pooled, and read and replaced on the way back; a quarter of it, pooled, is written and read twice.
    """
    flop = traffic = 0.0
    for number, operation in enumerate(operations(model, batch_size)):
        if operation.kind == "conv2d":
            flop += operation.flop * (2 if number == 0 else 3)
            pixels = operation.flop / (2 * np.prod(operation.weight[1:]))
            traffic += 4 * pixels * (1 + 1 + 1 + 0.75)
        elif operation.kind == "linear":
            flop += operation.flop * 3
            traffic += 4 * np.prod(operation.weight) * (1 + 1 + 6)
    return {"GFLOP": flop / 1e9, "GB": traffic / 1e9}


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks roofline", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--model", choices=list(MODELS), default="net")
    parser.add_argument("--batch-size", type=int, nargs="+", default=[10, 32])
    parser.add_argument("--steps", type=int, default=9)
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    machine = describe()
    print_description(machine)
    with Worker("rates", CONTENDERS[FAST].environment, rates) as worker:
        matrix, memory = worker.ask(None)
    print(f"matrix products {matrix:.0f} GFLOP/s, memory {memory:.1f} GB/s (copying or reading, the faster)")
    rows = []
    for size in args.batch_size:
        need = least(args.model, size)
        limit = need["GFLOP"] / matrix + need["GB"] / memory
        with Process(FAST, Task(args.model, size)) as fast:
            step = sorted(row["step"] for row in fast.steps(args.steps + 2)[2:])[args.steps // 2]
        rows.append({"batch": size, **need, "limit": limit, "step": step, "share": limit / step})
        print(
            f"batch {size}: {need['GFLOP']:.1f} GFLOP and {need['GB']:.2f} GB need {1e3 * limit:.0f} ms at least; "
            f"a step takes {1e3 * step:.0f} ms: {100 * limit / step:.0f} % of what the machine allows"
        )
    if args.json is not None:
        settings = {"model": args.model, "steps": args.steps}
        write_results(args.json, machine, settings, {"GFLOP/s": matrix, "GB/s": memory, "rows": rows})
    return 0
