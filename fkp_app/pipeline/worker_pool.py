"""A pool of worker processes with results in order. The job of a process that dies is done by another one.

Pebble's pool would do the same, but it is installed with the page of `fkp web` alone.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from typing import Any, Generic, TypeVar

from fkp_app.errors import one_file

Job = TypeVar("Job")
Outcome = TypeVar("Outcome")

AHEAD = 4
"""Jobs per worker that may be handed out or finished before the oldest result is taken."""
TRIES = 3
"""A job is lost if this number of processes died while they did it: then it is the job that kills them."""
GRACE = 5.0
"""Seconds that a process gets to remove its unfinished files before it is killed."""
TERMINATED = 143
"""Exit code after SIGTERM."""

IGNORED = [getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name)]
"""Signals that reach every process of a terminal. Workers ignore them; the parent handles them and ends its workers."""


class WorkerPool(Generic[Job, Outcome]):
    """Does jobs in several processes.

    start: called first in each process, or in this one if no process can be started; returns the function that does a
    job. lost: makes the outcome of a job that failed or whose processes died, from the job and the reason. `start`,
    jobs and outcomes are pickled. notes: lines on processes that could not be started, complete after the last result.
    """

    def __init__(
        self, start: Callable[[], Callable[[Job], Outcome]], workers: int, lost: Callable[[Job, str], Outcome]
    ) -> None:
        self._start, self._count, self._lost = start, workers, lost
        self._workers: list[_Worker] = []
        self._deaths = defaultdict[int, list[str]](list)
        self._reasons: list[str] = []
        self.notes: list[str] = []

    def results(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """The outcome of each job, in order. Closing this iterator ends all processes."""
        todo, done = deque(range(len(jobs))), dict[int, Outcome]()
        try:
            for _ in range(min(self._count, len(jobs))):
                self._add_worker()
            for number, job in enumerate(jobs):
                while number not in done and self._workers:
                    self._hand_out(todo, jobs, number + AHEAD * self._count)
                    self._collect(todo, jobs, done)
                # The workers go on while the caller handles what we yield.
                self._hand_out(todo, jobs, number + AHEAD * self._count)
                if number in done:
                    yield done.pop(number)
                else:  # no worker is left: none could be started, or all ended before they were ready
                    todo.remove(number)
                    # What may have killed a process must not kill this one.
                    yield self._lost(job, self._blame(number)) if self._deaths[number] else self._do_here(job)
            self._note_failures()
        finally:
            for worker in self._workers:
                worker.dismiss()
            for worker in self._workers:
                worker.end()

    def _add_worker(self) -> None:
        try:
            self._workers.append(_Worker(self._start))
        except OSError as error:  # too many processes, no memory
            self._reasons.append(error.strerror or str(error))

    def _hand_out(self, todo: deque[int], jobs: Sequence[Job], before: int) -> None:
        for worker in self._workers:
            if worker.job is None and todo and todo[0] < before:
                worker.give(todo.popleft(), jobs)

    def _collect(self, todo: deque[int], jobs: Sequence[Job], done: dict[int, Outcome]) -> None:
        """Wait until at least one worker sends a message or ends; take the messages in."""
        ready_pipes = wait([worker.pipe for worker in self._workers])
        for worker in [worker for worker in self._workers if worker.pipe in ready_pipes]:
            kind, content = worker.receive()
            if kind == "ready":
                worker.ready = True
            elif kind in ("ended", "unable"):
                self._workers.remove(worker)
                self._replace(worker, worker.end() if kind == "ended" else str(content), todo, jobs, done)
            elif worker.job is not None:
                done[worker.job] = content if kind == "done" else self._lost(jobs[worker.job], content)
                worker.job = None

    def _replace(
        self, worker: "_Worker", reason: str, todo: deque[int], jobs: Sequence[Job], done: dict[int, Outcome]
    ) -> None:
        """Replace a worker that ended. Another one does its job, unless the job has ended TRIES workers."""
        if worker.job is not None:
            if worker.ready and worker.received:
                self._deaths[worker.job].append(reason)
            if len(self._deaths[worker.job]) < TRIES:
                todo.appendleft(worker.job)
            else:
                done[worker.job] = self._lost(jobs[worker.job], self._blame(worker.job))
        if not worker.ready:  # another one would end in the same way
            self._reasons.append(reason)
        elif todo:
            self._add_worker()

    def _blame(self, number: int) -> str:
        ends = self._deaths[number]
        who = "the process that was" if len(ends) == 1 else f"each of {len(ends)} processes that were"
        return f"{who} at it ended ({ends[-1]})"

    def _do_here(self, job: Job) -> Outcome:
        if not hasattr(self, "_work"):
            self._work = self._start()
        return self._work(job)

    def _note_failures(self) -> None:
        if self._reasons:
            what = f"{len(self._reasons)} of the processes could not be started ({self._reasons[0]})"
            self.notes.append(f"--workers: {what}; {'the others' if self._workers else 'this one'} did all the work")


class _Worker:
    """One process. job: index of its job, or None; received: whether the job was sent; ready: whether it can work."""

    def __init__(self, start: Callable[[], Callable[[Any], Any]]) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.job: int | None = None
        self.received = self.ready = False
        self._process = context.Process(target=_serve, args=(start, theirs), daemon=True)
        try:
            with ignoring_signals():
                self._process.start()
        except BaseException:
            self.pipe.close()
            raise
        finally:
            theirs.close()

    def give(self, number: int, jobs: Sequence[Any]) -> None:
        self.job, self.received = number, True
        try:
            self.pipe.send(jobs[number])
        except OSError:  # the process has ended, as `receive` will report
            self.received = False

    def receive(self) -> tuple[str, Any]:
        """The next message as (kind, content); ("ended", None) if the process has ended."""
        try:
            message: tuple[str, Any] = self.pipe.recv()
        except (EOFError, OSError):
            return "ended", None
        return message

    def dismiss(self) -> None:
        """Tell the process to end: by a signal if it is doing a job, else by closing its pipe."""
        self.pipe.close()
        if self.job is not None:
            self._process.terminate()

    def end(self) -> str:
        """Wait until the process has ended; kill it after GRACE seconds. Returns how it ended."""
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


def _serve(start: Callable[[], Callable[[Any], Any]], pipe: "Connection[Any, Any]") -> None:
    """The main loop of a process: do the jobs that come through the pipe, until it closes or the parent is gone."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work: Callable[[Any], Any] | None = None
    with contextlib.suppress(EOFError, OSError):  # the parent has closed the pipe or has ended
        with one_file("--workers", problems := list[str]()):
            work = start()
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
    """End this process if its parent is killed."""
    parent = parent_process()
    if parent is None:
        return
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)  # takes effect when a library that is running returns
    time.sleep(GRACE)
    os._exit(TERMINATED)


@contextmanager
def ignoring_signals() -> Iterator[None]:
    """Ignore the signals IGNORED in the body, so that processes started there ignore them from their first moment."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread can set handlers
        yield
        return
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in IGNORED]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
