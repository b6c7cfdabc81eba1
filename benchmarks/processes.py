"""A contender in a process of its own, which takes steps when asked."""

import contextlib
import math
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

from threadpoolctl import threadpool_info

from benchmarks.contenders import CONTENDERS
from benchmarks.tasks import Task, batches
from fkp_app.backends.predictor import limit_threads


class Worker:
    """A process that answers messages: `serve(line, *arguments)` runs there. Leaving the context ends it."""

    def __init__(self, name: str, environment: dict[str, str], serve: Callable[..., None], *arguments: Any) -> None:
        self.name = name
        spawn = multiprocessing.get_context("spawn")
        self._line, far = spawn.Pipe()
        self._process = spawn.Process(target=serve, args=(far, *arguments), daemon=True)
        with _environment(environment):
            self._process.start()
        far.close()  # so that the process's end is noticed here

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()

    def ask(self, message: Any) -> Any:
        """The answer. SystemExit where the process has failed."""
        try:
            self._line.send(message)
            return self._line.recv()
        except (EOFError, OSError):
            raise SystemExit(f"{self.name} failed; what it said stands above") from None


class Process(Worker):
    """A contender's process, which has taken its first step."""

    def __init__(self, name: str, task: Task, environment: dict[str, str] | None = None) -> None:
        begin = time.perf_counter()
        super().__init__(name, CONTENDERS[name].environment | (environment or {}), _serve, name, task)
        self.first_step = self.steps(1)[0]
        self.until_first_step = time.perf_counter() - begin
        """Seconds from the process's start, imports and a new network included."""

    def steps(self, count: int) -> list[dict[str, float]]:
        """Take steps; the seconds of each one's phases, and what it waited for its batch."""
        rows: list[dict[str, float]] = self.ask(count)
        return rows

    def facts(self) -> dict[str, Any]:
        """The most memory that the process has held, in GB, and which BLAS it uses."""
        found: dict[str, Any] = self.ask(0)
        return found


def _serve(line: Connection, name: str, task: Task) -> None:
    """In the process: so many steps for a number, facts for 0."""
    limit_threads("torch" if CONTENDERS[name].is_torch else "numpy", task.threads)
    step, endless = CONTENDERS[name].make(task.arguments(), **CONTENDERS[name].options), batches(task)
    while True:
        count = line.recv()
        if not count:
            blas = [f"{pool['internal_api']} {pool.get('architecture') or ''}".strip() for pool in threadpool_info()]
            line.send({"peak_gb": _peak_memory() / 1e9, "pools": blas})
            continue
        rows = []
        for _ in range(count):
            begin = time.perf_counter()
            images, targets = next(endless)
            wait = time.perf_counter() - begin
            rows.append(step(images, targets) | {"wait": wait})
        line.send(rows)


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
