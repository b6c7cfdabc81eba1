"""`python -m benchmarks layers`: each operation of the network, forward and backward, in numpynet and in PyTorch.

Each side runs in a process of its own, and the two take turns. The rates count only the operations and the bytes that
the mathematics needs: each argument is read once, each result written once. An operation that the network has several
times with the same shapes comes once. A Residual is measured with a body that changes nothing, so as its additions.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from benchmarks.contenders import CONTENDERS, FAST
from benchmarks.machine import describe, print_description, write_results
from benchmarks.operations import Operation, operations
from benchmarks.options import add_shared
from benchmarks.processes import Worker
from benchmarks.tasks import Task
from fkp_app.backends.predictor import limit_threads
from numpynet.typing import Array

Sides = tuple[Callable[[], Any], Callable[[Any], Any]]
"""forward() returns what backward needs, its cache or PyTorch's output; backward(cache)."""


def arrays(operation: Operation) -> tuple[Array, Array, Array]:
    """Random x, weight and a vector (channels,) that serves as bias, or as batch norm's weight and bias."""
    rng = np.random.default_rng(0)
    weight = 0.1 * rng.standard_normal(operation.weight or (1,), np.float32)
    channels = operation.weight[0] if operation.weight else operation.x[1]
    return rng.standard_normal(operation.x, np.float32), weight, rng.random(channels, np.float32) + np.float32(0.5)


def numpynet_sides(operation: Operation) -> Sides:
    """The operation by numpynet's fast kernels."""
    from numpynet import Residual, use
    from numpynet.dispatch import F

    use("fast")
    x, weight, vector = arrays(operation)
    bias, padding, identity = vector if operation.bias else None, operation.padding, Residual()
    dout: list[Array] = []
    calls: dict[str, tuple[Callable[[], Any], Callable[[Array, Any], Any]]] = {
        "conv2d": (lambda: F.conv2d(x, weight, bias, padding=padding), F.conv2d_backward),
        "batch_norm": (lambda: F.batch_norm(x, vector, vector), F.batch_norm_backward),
        "relu": (lambda: F.relu(x), F.relu_backward),
        "max_pool2d": (lambda: F.max_pool2d(x, 2), F.max_pool2d_backward),
        "conv_block": (
            lambda: F.conv_block(x, weight, bias, vector, vector, padding=padding, pool=operation.pool),
            F.conv_block_backward,
        ),
        "linear": (lambda: F.linear(x, weight, vector), F.linear_backward),
        "smooth_l1_loss": (lambda: F.smooth_l1_loss(x, x[::-1]), F.smooth_l1_loss_backward),
        "l1_loss": (lambda: F.smooth_l1_loss(x, x[::-1], beta=0.0), F.smooth_l1_loss_backward),
        "upsample_nearest2d": (lambda: F.upsample_nearest2d(x, 2), F.upsample_nearest2d_backward),
        "residual": (lambda: identity.forward(x), identity.backward),
        "soft_argmax2d": (lambda: F.soft_argmax2d(x), F.soft_argmax2d_backward),
    }
    call, call_backward = calls[operation.kind]

    def forward() -> Any:
        out, cache = call()
        if not dout:
            dout.append(np.random.default_rng(1).standard_normal(out.shape).astype(np.float32))
        return cache

    def backward(cache: Any) -> Any:
        result = call_backward(dout[0], cache)
        if operation.kind == "linear" and not isinstance(result[1], np.ndarray):
            return result[1].product()  # PyTorch makes it whole, too
        return result

    return forward, backward


def torch_sides(operation: Operation) -> Sides:
    """The operation by PyTorch, in its default memory format."""
    import torch
    from torch.nn import functional as f

    from reference.models import SoftArgmax2d

    numbers = arrays(operation)
    x, weight, vector = (torch.from_numpy(a).requires_grad_() for a in numbers)
    other, padding = torch.from_numpy(numbers[0][::-1].copy()), operation.padding
    bias, soft_argmax = vector if operation.bias else None, SoftArgmax2d()

    def batch_norm(y: torch.Tensor) -> torch.Tensor:
        return f.batch_norm(y, None, None, vector, vector, training=True)

    def conv_block() -> torch.Tensor:
        out = f.relu(batch_norm(f.conv2d(x, weight, bias, padding=padding)))
        return f.max_pool2d(out, 2) if operation.pool else out

    calls: dict[str, Callable[[], torch.Tensor]] = {
        "conv2d": lambda: f.conv2d(x, weight, bias, padding=padding),
        "batch_norm": lambda: batch_norm(x),
        "relu": lambda: f.relu(x),
        "max_pool2d": lambda: f.max_pool2d(x, 2),
        "conv_block": conv_block,
        "linear": lambda: f.linear(x, weight, vector),
        "smooth_l1_loss": lambda: f.smooth_l1_loss(x, other),
        "l1_loss": lambda: f.l1_loss(x, other),
        "upsample_nearest2d": lambda: f.interpolate(x, scale_factor=2),
        "residual": lambda: x + x,
        "soft_argmax2d": lambda: soft_argmax(x),
    }
    dout: list[torch.Tensor] = []

    def forward() -> torch.Tensor:
        out = calls[operation.kind]()
        if not dout:
            dout.append(torch.from_numpy(np.random.default_rng(1).standard_normal(out.shape).astype(np.float32)))
        x.grad = weight.grad = vector.grad = None
        return out

    def backward(out: torch.Tensor) -> torch.Tensor | None:
        out.backward(dout[0])
        return x.grad

    return forward, backward


def serve(connection: Connection, side: str, threads: int | None) -> None:
    """In the worker's process. Messages: an Operation to prepare, the first of all; None to run it once.

    The answer to None is (seconds of forward, seconds of backward).
    """
    limit_threads(side, threads)
    make = torch_sides if side == "torch" else numpynet_sides
    while True:
        message = connection.recv()
        if message is not None:
            forward, backward = make(message)
            connection.send(None)
            continue
        begin = time.perf_counter()
        cache = forward()
        middle = time.perf_counter()
        backward(cache)
        connection.send((middle - begin, time.perf_counter() - middle))


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_shared(parser, "--model", "--batch-size", "--threads", "--json")
    parser.add_argument("--rounds", type=int, default=9, help="timed runs of each operation (default %(default)s)")


def run(args: argparse.Namespace) -> None:
    """Measure every operation of the model on both sides in turn; print and store the medians."""
    machine = describe()
    print_description(machine)
    print(f"{args.model}, batch {args.batch_size}; milliseconds, medians of {args.rounds} rounds; rates of both passes")
    print(f"{'':44}{'numpynet':>18}{'torch':>18}{'torch/numpynet':>16}{'GFLOP/s':>16}{'GB/s':>14}")
    task, rows = Task(args.model, args.batch_size), []
    environments = {"numpy": CONTENDERS[FAST].environment, "torch": {}}
    with (
        Worker("numpynet", environments["numpy"], serve, "numpy", args.threads) as ours,
        Worker("torch", environments["torch"], serve, "torch", args.threads) as theirs,
    ):
        for operation in {one.name: one for one in operations(task.recipe, args.batch_size)}.values():
            times: dict[Worker, list[tuple[float, float]]] = {ours: [], theirs: []}
            for worker in times:
                worker.ask(operation)
            for i in range(-2, args.rounds):
                for worker in times:
                    taken = worker.ask(None)
                    if i >= 0:
                        times[worker].append(taken)
            row: dict[str, Any] = {"operation": operation.name}
            for worker, found in times.items():
                row[worker.name] = [statistics.median(column) for column in zip(*found, strict=True)]
                row[f"{worker.name} GFLOP/s"] = 3e-9 * operation.flop / sum(row[worker.name])
                row[f"{worker.name} GB/s"] = 12e-9 * operation.floats / sum(row[worker.name])
            row["ratio"] = statistics.median(sum(a) / sum(b) for a, b in zip(times[theirs], times[ours], strict=True))
            rows.append(row)
            print(line_of(row), flush=True)
    if args.json is not None:
        settings = {"model": args.model, "batch_size": args.batch_size, "rounds": args.rounds}
        write_results(args.json, machine, settings, {"rows": rows})


def line_of(row: dict[str, Any]) -> str:
    """A row of the printed table."""
    (f, b), (tf, tb) = row["numpynet"], row["torch"]
    flops = f"{row['numpynet GFLOP/s']:.0f} / {row['torch GFLOP/s']:.0f}" if row["numpynet GFLOP/s"] else ""
    gb = f"{row['numpynet GB/s']:.1f} / {row['torch GB/s']:.1f}"
    return (
        f"{row['operation']:44}{1e3 * f:9.2f}{1e3 * b:9.2f}{1e3 * tf:9.2f}{1e3 * tb:9.2f}"
        f"{row['ratio']:16.2f}{flops:>16}{gb:>14}"
    )
