"""Work in forks of this process, several at a time."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any


def in_forks(
    jobs: list[tuple[Any, Callable[[], Iterator[str]]]], workers: int, wait: int
) -> Iterator[tuple[Any, list[str], int]]:
    """Each job with the lines that it gave and the status with which its process ended, in the order of the ends."""
    running: dict[int, tuple[Any, int]] = {}
    waiting = iter(jobs)
    while True:
        while len(running) < workers and (job := next(waiting, None)) is not None:
            out = os.memfd_create("lines")
            child = os.fork()
            if child == 0:
                _in_child(job[1], out, wait)
            running[child] = (job[0], out)
        if not running:
            return
        child, status = os.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)  # what its tests have left behind
        about, out = running.pop(child)
        os.lseek(out, 0, os.SEEK_SET)
        with os.fdopen(out, encoding="utf-8") as file:
            yield about, file.read().splitlines(), status


def _in_child(work: Callable[[], Iterator[str]], out: int, wait: int) -> None:
    code = 1
    try:
        os.setpgrp()
        signal.alarm(wait)  # whose signal ends the process; 0 is none
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        for line in work():
            os.write(out, f"{line}\n".encode())
        code = 0
    finally:
        os._exit(code)
