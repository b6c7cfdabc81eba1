"""`fkp_app.detect` in forked processes, which `multiprocessing` uses on Linux up to Python 3.13."""

import os
import subprocess
import sys

import pytest

from fkp_app.errors import FkpError
from fkp_app.faces import loaded

PROGRAM = """
import multiprocessing, sys
from fkp_app import detect
from fkp_app.errors import FkpError
from tests.free_pictures import hopper

before, backend = sys.argv[1:]
photo = hopper()
if before:
    detect(photo, backend=before)

def find(_):
    try:
        return [face.box for face in detect(photo, backend=backend)]
    except FkpError as error:
        return str(error)

with multiprocessing.get_context("fork").Pool(2) as pool:
    results = pool.map_async(find, range(2)).get(60)
assert results[0] == results[1]
print(results[0] if isinstance(results[0], str) else f"{len(results[0])} face")
"""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


def forked(before, backend, **environment):
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, before, backend]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.mark.parametrize("ops", ["readable", "fast"])
@pytest.mark.parametrize(("before", "backend"), [("numpy", "numpy"), ("onnx", "onnx"), ("onnx", "numpy")])
def test_a_fork_finds_what_its_parent_finds(before, backend, ops):
    if "onnx" in (before, backend):
        pytest.importorskip("onnx", reason="needs the extra `onnx`")
    assert forked(before, backend, NUMPYNET_OPS=ops) == "1 face"


@pytest.mark.torch
def test_torch_in_a_fork_raises_instead_of_waiting_for_ever():
    assert forked("torch", "torch").startswith("torch was used before this process was forked, and never answers")


@pytest.mark.torch
@pytest.mark.parametrize(("before", "backend"), [("", "torch"), ("numpy", "torch"), ("torch", "numpy")])
def test_torch_on_one_side_of_a_fork_works(before, backend):
    assert forked(before, backend) == "1 face"


@pytest.mark.torch
def test_a_fork_of_a_fork_is_refused_too(monkeypatch):
    monkeypatch.setattr(loaded, "_torch_process", os.getppid())
    for _ in range(2):
        with pytest.raises(FkpError, match=r"get_context\('spawn'\)"):
            loaded.predictor("torch", None)
