"""Work in processes of their own, one message and one answer at a time.

    the benchmark                              a process that Worker starts
    -------------                              ----------------------------
    Worker(name, environment, serve, ...)  --> serve(connection, ...): load libraries, build what is measured
    worker.ask(message)                    --> connection.recv()
                                               do the work, and time it here
    the answer                             <-- connection.send(answer), then wait for the next message
    end of the `with` block                --> terminated

Each contender has its own process because BLAS, its threads and its environment variables are settings of a whole
process, and because peak memory can only be read for a whole process. The benchmark asks one process at a time: while
one works, the others wait in `recv` and use no processor time.

A Worker can run any `serve`. A TrainingWorker is the Worker whose `serve` takes training steps.
"""

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

FACTS = "facts"
"""The message to which a TrainingWorker's process answers with facts about itself; a number asks for steps."""


class WorkerFailed(SystemExit):
    """The process of the Worker of this name has failed; its error message stands on the screen."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} failed; its error message stands above")
        self.name = name


class Worker:
    """A process that runs `serve(connection, *arguments)` under these environment variables; `with` ends it."""

    def __init__(self, name: str, environment: dict[str, str], serve: Callable[..., None], *arguments: Any) -> None:
        self.name = name
        spawn = multiprocessing.get_context("spawn")
        self._connection, child_end = spawn.Pipe()
        self._process = spawn.Process(target=serve, args=(child_end, *arguments), daemon=True)
        with _environment(environment):
            self._process.start()
        child_end.close()  # otherwise recv would wait forever for a process that has ended

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()

    def ask(self, message: Any) -> Any:
        """Send the message and wait for the answer. WorkerFailed if the process has failed."""
        try:
            self._connection.send(message)
            return self._connection.recv()
        except (EOFError, OSError):
            raise WorkerFailed(self.name) from None


class TrainingWorker(Worker):
    """A contender's process, which has taken its first training step.

    first_step: the seconds of that step's phases. until_first_step: seconds from the start of the process to the end
    of that step, so imports and the building of the network are included.
    """

    def __init__(self, name: str, task: Task, environment: dict[str, str] | None = None) -> None:
        begin = time.perf_counter()
        super().__init__(name, CONTENDERS[name].environment | (environment or {}), _serve_steps, name, task)
        self.first_step = self.steps(1)[0]
        self.until_first_step = time.perf_counter() - begin

    def steps(self, count: int) -> list[dict[str, float]]:
        """Take training steps; for each, the seconds of its phases and of its `wait` for the batch."""
        rows: list[dict[str, float]] = self.ask(count)
        return rows

    def facts(self) -> dict[str, Any]:
        """peak_gb: the most memory that the process has held, in GB; pools: the thread pools of its libraries."""
        found: dict[str, Any] = self.ask(FACTS)
        return found


def _serve_steps(connection: Connection, name: str, task: Task) -> None:
    """In the process of a TrainingWorker: answer each message, a number of steps or FACTS."""
    contender = CONTENDERS[name]
    limit_threads("torch" if contender.is_torch else "numpy", task.threads)
    step, endless = contender.make(task.recipe, **contender.options), batches(task)
    while True:
        message = connection.recv()
        if message == FACTS:
            pools = [f"{pool['internal_api']} {pool.get('architecture') or ''}".strip() for pool in threadpool_info()]
            connection.send({"peak_gb": _peak_memory() / 1e9, "pools": pools})
            continue
        rows = []
        for _ in range(message):
            begin = time.perf_counter()
            images, targets = next(endless)
            wait = time.perf_counter() - begin
            rows.append(step(images, targets) | {"wait": wait})
        connection.send(rows)


def _peak_memory() -> float:
    """The most memory that this process has held, in bytes; NaN if the system does not tell."""
    with contextlib.suppress(OSError):
        # Not getrusage: its maximum includes what the process inherited from its parent.
        for line in Path("/proc/self/status").read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1]) * 1024
    return math.nan


@contextlib.contextmanager
def _environment(changes: dict[str, str]) -> Iterator[None]:
    """This process's environment with changes, which a process started meanwhile inherits."""
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
