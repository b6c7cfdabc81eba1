"""A module of this package in a process of its own, for code of a reader that may loop for ever or end the process."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpynet

ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
"""What tells a BLAS in the environment to use one thread."""
MOST_MEMORY = 2 << 30
"""Bytes that such a process may allocate. macOS and Windows know no such limit."""

_running: set[subprocess.Popen[bytes]] = set()


def started(
    module: str, *words: str, stdout: int | None = None, stderr: int | None = None, folder: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start `python -m module words`. It reads nothing, and writes no compiled files beside a reader's.

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
        env=ONE_THREAD | os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8"},
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


def limited(seconds: float) -> None:
    """Give this process at most MOST_MEMORY, and twice this time of the processor even if nobody is there to end it."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for what, most in ((resource.RLIMIT_AS, MOST_MEMORY), (resource.RLIMIT_CPU, int(2 * seconds))):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))
