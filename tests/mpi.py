"""Runs commands in several processes of MPI. Without mpi4py or an mpiexec, the tests that need it are skipped."""

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def mpiexec():
    """The program that starts processes: that beside this Python, or on the path. Skips the test if it is missing."""
    if importlib.util.find_spec("mpi4py") is None:
        pytest.skip("mpi4py is not installed (the extra `mpi`)")
    found = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        pytest.skip("there is no mpiexec: pip install mpich")
    return found


@contextlib.contextmanager
def started(processes, *arguments):
    """`python ARGUMENTS` in this many processes: the mpiexec that runs them; its output holds what all print."""
    environment = os.environ | {"NUMBA_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    words = [mpiexec(), "-n", str(processes), sys.executable, *(str(argument) for argument in arguments)]
    with subprocess.Popen(
        words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()  # if it still runs; then its processes end, too


def run(processes, *arguments, timeout=240):
    """The same, to its end: the exit code, and what was printed."""
    with started(processes, *arguments) as process:
        printed = process.communicate(timeout=timeout)[0]
    return process.returncode, printed
