"""Jobs shared out to processes, with results in order; a process that dies takes with it the one job that it was at."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from typing import Any, Generic, TypeVar

from fkp_app.errors import one_file

J = TypeVar("J")
R = TypeVar("R")

AHEAD = 4
"""How many jobs a worker are handed out before the first of them is back."""
GRACE = 5.0
"""Seconds in which a process that must end may remove its unfinished files."""
TERMINATED = 143

_IGNORED = [getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name)]
"""They reach every process of a terminal; the first one deals with them and ends its workers."""


class WorkerPool(Generic[J, R]):
    """make: what a process does first, and here where no process can be started; it gives what does a job. It and the
    jobs travel to other processes. lost: the result of a job whose process ended, or failed, for this reason.

    notes: what one should know of the processes, a line each, complete after the last result.
    """

    def __init__(self, make: Callable[[], Callable[[J], R]], workers: int, lost: Callable[[J, str], R]) -> None:
        self._make, self._workers, self._lost = make, workers, lost
        self._staff: list[_Worker] = []
        self._reasons: list[str] = []
        self.notes: list[str] = []

    def results(self, jobs: Sequence[J]) -> Iterator[R]:
        """The result of each job, in order. Closing it ends all processes."""
        todo, done = deque(range(len(jobs))), dict[int, R]()
        try:
            for _ in range(min(self._workers, len(jobs))):
                self._hire()
            for number, job in enumerate(jobs):
                while number not in done and self._staff:
                    self._hand_out(todo, jobs, number + AHEAD * self._workers)
                    self._collect(todo, jobs, done)
                self._hand_out(todo, jobs, number + AHEAD * self._workers)  # nobody waits for whom we yield to
                if number in done:
                    yield done.pop(number)
                else:  # nobody is left: no process could be started, or they ended before they were ready
                    todo.remove(number)
                    yield self._here(job)
            self._say_who_failed()
        finally:
            for worker in self._staff:
                worker.dismiss()
            for worker in self._staff:
                worker.end()

    def _hire(self) -> None:
        try:
            self._staff.append(_Worker(self._make))
        except OSError as error:  # too many processes, no memory
            self._reasons.append(error.strerror or str(error))

    def _hand_out(self, todo: deque[int], jobs: Sequence[J], before: int) -> None:
        for worker in self._staff:
            if worker.job is None and todo and todo[0] < before:
                worker.give(todo.popleft(), jobs)

    def _collect(self, todo: deque[int], jobs: Sequence[J], done: dict[int, R]) -> None:
        """Wait until workers say something or end, and take it down."""
        talking = wait([worker.pipe for worker in self._staff])
        for worker in [worker for worker in self._staff if worker.pipe in talking]:
            what, content = worker.hear()
            if what == "ready":
                worker.ready = True
            elif what in ("ended", "unable"):
                self._staff.remove(worker)
                self._replace(worker, worker.end() if what == "ended" else str(content), todo, jobs, done)
            elif worker.job is not None:
                done[worker.job] = content if what == "done" else self._lost(jobs[worker.job], content)
                worker.job = None

    def _replace(self, worker: "_Worker", reason: str, todo: deque[int], jobs: Sequence[J], done: dict[int, R]) -> None:
        """After a worker that ended: its job is lost if it had begun it, and else somebody else's."""
        if worker.job is not None and worker.ready and worker.given:
            done[worker.job] = self._lost(jobs[worker.job], f"the process that was at it ended ({reason})")
        elif worker.job is not None:
            todo.appendleft(worker.job)
        if not worker.ready:  # the next one would end as well
            self._reasons.append(reason)
        elif todo:
            self._hire()

    def _here(self, job: J) -> R:
        if not hasattr(self, "_work"):
            self._work = self._make()
        return self._work(job)

    def _say_who_failed(self) -> None:
        if self._reasons:
            what = f"{len(self._reasons)} of the processes could not be started ({self._reasons[0]})"
            self.notes.append(f"--workers: {what}; {'the others' if self._staff else 'this one'} did all the work")


class _Worker:
    """A process; job: the number of the one that it is at; given: whether it has got it; ready: whether it works."""

    def __init__(self, make: Callable[[], Callable[[Any], Any]]) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.job: int | None = None
        self.given = self.ready = False
        self._process = context.Process(target=_serve, args=(make, theirs), daemon=True)
        try:
            with _deaf():
                self._process.start()
        except BaseException:
            self.pipe.close()
            raise
        finally:
            theirs.close()

    def give(self, number: int, jobs: Sequence[Any]) -> None:
        self.job, self.given = number, True
        try:
            self.pipe.send(jobs[number])
        except OSError:  # it has ended, which `hear` will tell
            self.given = False

    def hear(self) -> tuple[str, Any]:
        """What it says, or that it has ended."""
        try:
            message: tuple[str, Any] = self.pipe.recv()
        except (EOFError, OSError):
            return "ended", None
        return message

    def dismiss(self) -> None:
        """Have it end: at once where it has something to do."""
        self.pipe.close()
        if self.job is not None:
            self._process.terminate()

    def end(self) -> str:
        """Wait until it has ended, and say how."""
        self.pipe.close()
        self._process.join(GRACE)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        code = self._process.exitcode or 0
        if code >= 0:
            return f"exit code {code}"
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
        return f"signal {-code}"


def _serve(make: Callable[[], Callable[[Any], Any]], pipe: "Connection[Any, Any]") -> None:
    """What a process does: jobs that come through the pipe, until it closes or the process's parent is gone."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work: Callable[[Any], Any] | None = None
    with contextlib.suppress(EOFError, OSError):  # whoever is at the other end has gone
        with one_file("--workers", problems := list[str]()):
            work = make()
        pipe.send(("unable", problems[0]) if work is None else ("ready", None))
        while work is not None:
            job = pipe.recv()
            with one_file("its result", problems := list[str]()):
                message = ForkingPickler.dumps(("done", work(job)))
            pipe.send_bytes(ForkingPickler.dumps(("failed", problems[0])) if problems else message)


def _stop(number: int, frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(TERMINATED)  # so that unfinished files are removed


def _end_with_parent() -> None:
    """No process works on where the one that started it was killed."""
    parent = parent_process()
    if parent is None:
        return
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)  # which ends what it is at, if a library comes back
    time.sleep(GRACE)
    os._exit(TERMINATED)


@contextmanager
def _deaf() -> Iterator[None]:
    """Processes that are started in the body inherit that these signals are ignored, from their first moment on."""
    if threading.current_thread() is not threading.main_thread():  # where handlers cannot be set
        yield
        return
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in _IGNORED]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
