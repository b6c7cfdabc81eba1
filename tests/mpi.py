"""Runs commands in several processes of MPI. Without mpi4py or an mpiexec, the tests that need it are skipped."""

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


def command(processes, *arguments):
    """The words that start `python ARGUMENTS` in this many processes."""
    return [mpiexec(), "-n", str(processes), sys.executable, *(str(argument) for argument in arguments)]


def run(processes, *arguments, timeout=240):
    """`python ARGUMENTS` in this many processes: the exit code, and what all of them printed, output and errors."""
    environment = os.environ | {"NUMBA_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command(processes, *arguments), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout
    )
    return done.returncode, done.stdout + done.stderr
