"""A module of this package in a process of its own, for code of a reader that may loop for ever or end the process."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Generic, NoReturn, TypeVar

import numpynet

Found = TypeVar("Found")

ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
"""What tells a BLAS in the environment to use one thread."""
MOST_MEMORY = 2 << 30
"""Bytes that such a process may allocate. macOS and Windows know no such limit."""
MOST_PRINTED = 1 << 16
"""Bytes that are kept of what a file prints."""

_running: set[subprocess.Popen[bytes]] = set()


@dataclass(frozen=True)
class Answer(Generic[Found]):
    """What came of a process: what it found, or else a problem in one line. printed: what the reader's file printed."""

    found: Found | None
    problem: str
    printed: str


def asked(module: str, *words: str, seconds: float, read: Callable[[Any], Found]) -> Answer[Found]:
    """Run a module that calls `answer`, for at most this time. `read` makes of its JSON what was found."""
    child = started(module, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stderr is not None
    found, printed = bytearray(), bytearray()
    readers = [
        threading.Thread(target=_drain, args=(stream, kept), daemon=True)
        for stream, kept in ((child.stdout, found), (child.stderr, printed))
    ]
    for reader in readers:
        reader.start()
    status = ended(child, seconds)
    for reader, stream in zip(readers, (child.stdout, child.stderr), strict=True):
        reader.join(0.5)  # a process that the file started may hold the pipes
        if not reader.is_alive():
            stream.close()
    said = printed.decode("utf-8", "replace")
    if status is None:
        return Answer(
            None, f"no answer within {seconds:g} seconds: does a loop never end, or work on ever larger arrays?", said
        )
    try:
        return Answer(read(json.loads(found)), "", said)
    except (ValueError, TypeError, AttributeError, KeyError):  # nothing, or something that the file wrote
        problem = f"the file ended the process (exit status {status}): it calls os._exit, or crashed"
        return Answer(None, problem, said)


def _drain(stream: IO[bytes], kept: bytearray) -> None:
    """Read to the end, so that the process never waits, and keep the beginning."""
    while chunk := stream.read1(1 << 16):  # type: ignore[attr-defined]
        kept += chunk[: max(0, MOST_PRINTED - len(kept))]


def answer(work: Callable[[], dict[str, Any]]) -> NoReturn:
    """In the process of its own: write what `work` returns as JSON to the pipe that was its standard output, and end.

    What the reader's file prints meanwhile, by whatever way, goes to the other pipe.
    """
    out = os.dup(1)
    os.dup2(2, 1)
    result = work()
    with contextlib.suppress(Exception):  # the file may have closed them
        sys.stdout.flush()
        sys.stderr.flush()
    os.write(out, json.dumps(result).encode())
    os._exit(0)  # threads that the file started do not keep it waiting


def started(
    module: str, *words: str, stdout: int | None = None, stderr: int | None = None, folder: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start `python -m module words`. It reads nothing, and writes no compiled files beside a reader's.

    Its numpynet takes the readable functions, since the reader's take the place of these.

    stdout, stderr: as for subprocess.Popen. folder: where it runs; None for the current one.
    """
    package = str(Path(numpynet.__file__).parents[1])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    sys.stdout.flush()
    child = subprocess.Popen(
        [sys.executable, "-P", "-B", "-W", "ignore", "-m", module, *words],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        cwd=folder,
        env=ONE_THREAD
        | os.environ
        | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8", "NUMPYNET_OPS": "readable"},
        start_new_session=True,
    )
    _running.add(child)
    return child


def ended(child: subprocess.Popen[bytes], seconds: float) -> int | None:
    """The exit status of a process that `started` gave; None if it took longer. It ends, and so do its children."""
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        _end(child)
        child.wait()
        _running.discard(child)


def end_all() -> None:
    """End every process that still runs. Threads that wait for one in `ended` then go on."""
    for child in list(_running):
        _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    child.kill()


def _end_after(parent: int) -> None:
    """End this process, and what it started, when its parent has ended."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os.killpg(os.getpid(), signal.SIGKILL)  # `started` made it the leader of a group


def limited(seconds: float) -> None:
    """Give this process at most MOST_MEMORY and twice this time of the processor, and let it end with its parent."""
    if os.name == "posix":
        threading.Thread(target=_end_after, args=(os.getppid(),), daemon=True).start()
    try:
        import resource
    except ImportError:  # Windows
        return
    for what, most in ((resource.RLIMIT_AS, MOST_MEMORY), (resource.RLIMIT_CPU, int(2 * seconds))):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))
