"""A contender in a process of its own, which takes steps when asked."""

import contextlib
import math
import multiprocessing
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

from threadpoolctl import threadpool_info, threadpool_limits

from benchmarks.contenders import CONTENDERS, batch
from numpynet.typing import Array
from numpynet.workers import set_threads


@dataclass(frozen=True)
class Task:
    """What all contenders of a run train on, and with how many threads (what each library chooses where None)."""

    model: str
    batch_size: int
    threads: int | None = None
    data: str | None = None  # a data set in the published layout; random numbers where None


@dataclass(eq=False)
class Process:
    """A contender's process. Leaving the context ends it."""

    name: str
    task: Task
    environment: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        begin = time.perf_counter()
        spawn = multiprocessing.get_context("spawn")
        self._line, far = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(far, self.name, self.task), daemon=True)
        with _environment(CONTENDERS[self.name].environment | self.environment):
            self._process.start()
        far.close()  # so that the process's end is noticed here
        self.first_step = self.steps(1)[0]
        self.until_first_step = time.perf_counter() - begin
        """Seconds from the process's start, imports and a new network included."""
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()

    def steps(self, count: int) -> list[dict[str, float]]:
        """Take steps; the seconds of each one's phases, and what it waited for its batch."""
        return self._ask(count)

    def facts(self) -> dict[str, Any]:
        """The most memory that the process has held, in GB, and which BLAS it uses."""
        return self._ask(0)

    def _ask(self, message: int) -> Any:
        self._line.send(message)
        try:
            return self._line.recv()
        except EOFError:
            raise SystemExit(f"{self.name} failed; what it said stands above") from None


def _serve(line: Connection, name: str, task: Task) -> None:
    """In the process: so many steps for a number, facts for 0."""
    if task.threads is not None:
        if CONTENDERS[name].is_torch:
            import torch

            torch.set_num_threads(task.threads)
        threadpool_limits(limits=task.threads)
        set_threads(task.threads)
    step, batches = CONTENDERS[name].make(task.model, **CONTENDERS[name].options), _batches(task)
    while True:
        count = line.recv()
        if not count:
            blas = [f"{pool['internal_api']} {pool.get('architecture') or ''}".strip() for pool in threadpool_info()]
            line.send({"peak_gb": _peak_memory() / 1e9, "pools": blas})
            continue
        rows = []
        for _ in range(count):
            begin = time.perf_counter()
            images, targets = next(batches)
            wait = time.perf_counter() - begin
            rows.append(step(images, targets) | {"wait": wait})
        line.send(rows)


def _batches(task: Task) -> Iterator[tuple[Array, Array]]:
    """One batch again and again; of real data, epoch after epoch as `fkp train` prepares them."""
    if task.data is None:
        always = batch(task.model, task.batch_size)
        while True:
            yield always
    from benchmarks.epoch import loader

    for epoch in range(1, 1000):
        yield from loader(task, epoch)


def _peak_memory() -> float:
    """The most memory that this process has held, in bytes; NaN where the system does not tell."""
    with contextlib.suppress(OSError):
        # Not getrusage: what it says a process has inherited from the one that started it.
        for line in Path("/proc/self/status").read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1]) * 1024
    return math.nan


@contextlib.contextmanager
def _environment(changes: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
