"""`mpiexec -n 2 fkp train`: the same steps as in one process, who writes, and how a failure ends all processes."""

import csv
import shutil
import signal
import sys
import time

import numpy as np
import pytest

from fkp_app.data.dataset import load_split
from fkp_app.errors import FkpError, UsageError
from fkp_app.training import parallel
from fkp_app.training.recipe import load_recipe
from numpynet.checkpoint import load_tensors, load_weights
from tests import mpi

RECIPE = """
[network]
architecture = "HourglassNet"
arguments = { size = 32, stem = [8], levels = [8, 16] }
[framing]
kind = "face"
size = 32
scale = 1.3
[augmentation]
AUGMENTATION
[training]
epochs = 3
batch_size = 8
average = 0.9
loss = { name = "l1" }
optimizer = { name = "adamw", lr = 0.002 }
schedule = { name = "one_cycle" }
"""
CHANGES = "rotate = 20.0\nflip = true\nnoise = { probability = 0.5 }"


@pytest.fixture
def recipe(tmp_path):
    """Writes a recipe with these changes of the pictures; its file."""

    def write(changes=""):
        (tmp_path / "small.toml").write_text(RECIPE.replace("AUGMENTATION", changes))
        return tmp_path / "small.toml"

    return write


def train(data, recipe, *more):
    return ("-m", "fkp_app", "train", "--data", data, "--recipe", recipe, "--seed", 4, "--threads", 1, *more)


def losses(run):
    with (run / "steps.csv").open(newline="") as file:
        return np.array([float(row["loss"]) for row in csv.DictReader(file)])


def same_results(one, two):
    """Whether two runs saved the same numbers; those of the epochs hold the time that they took."""
    one, two = (load_tensors(run / "checkpoint.safetensors")[0] for run in (one, two))
    for key in one.keys() - {"history.epochs"}:
        np.testing.assert_array_equal(one[key], two[key], err_msg=key)


def only_ours(printed):
    """The lines of `fkp` itself, without those of mpiexec."""
    return [line for line in printed.splitlines() if line.startswith("fkp: ")]


@pytest.mark.parametrize("ops", ["readable", "fast"])
def test_two_processes_follow_one(ops, drawn_data, recipe, tmp_path, fkp):
    alone, both = tmp_path / "alone", tmp_path / "both"
    options = train(drawn_data, recipe(), "--ops", ops)
    status, printed = mpi.run(2, *options, "--out", both, "--sync-batch-norm")
    assert status == 0, printed
    assert printed.count("epoch   3") == 1  # process 0 alone prints
    assert fkp(*options[2:], "--out", alone).code == 0
    np.testing.assert_allclose(losses(both), losses(alone), rtol=5e-5)
    one, two = (load_weights(run / "weights.safetensors")[0] for run in (alone, both))
    for key in one:
        # Adam turns rounding into parts of a step of up to 2e-3: with NumPy 2.0's BLAS a weight differed by 8.6e-5.
        np.testing.assert_allclose(two[key], one[key], rtol=0, atol=2e-4, err_msg=key)
    assert not [path.name for path in both.iterdir() if path.name.startswith(".")]


def test_without_sync_batch_norm_the_steps_differ(drawn_data, recipe, tmp_path, fkp):
    """The tolerances above would notice a batch norm that sees a part of the batch only."""
    alone, both = tmp_path / "alone", tmp_path / "both"
    options = train(drawn_data, recipe())
    assert mpi.run(2, *options, "--out", both)[0] == 0
    assert fkp(*options[2:], "--out", alone).code == 0
    assert np.abs(losses(both) / losses(alone) - 1).max() > 5e-4
    one, two = (load_weights(run / "weights.safetensors")[0] for run in (alone, both))
    assert max(np.abs(two[key] - one[key]).max() for key in one) > 5e-4


def test_a_resumed_run_of_two_processes_ends_with_the_same_bits(drawn_data, recipe, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    options = train(drawn_data, recipe(CHANGES))
    assert mpi.run(2, *options, "--out", whole)[0] == 0
    assert mpi.run(2, *options, "--out", parts, "--epochs", 3, "--quiet")[0] == 0
    np.testing.assert_array_equal(losses(whole), losses(parts))
    for name in ("checkpoint", "checkpoint.previous"):
        (parts / f"{name}.safetensors").unlink()
    (whole / "checkpoint.previous.safetensors").rename(parts / "checkpoint.safetensors")
    status, printed = mpi.run(2, "-m", "fkp_app", "train", "--data", drawn_data, "--out", parts, "--resume")
    assert status == 0, printed
    same_results(whole, parts)


def test_every_number_of_processes_makes_the_same_pictures(drawn_data, recipe):
    frames = load_split(drawn_data, "training")
    changed = [parallel.OwnDraws(frames, load_recipe(str(recipe(CHANGES))), 4, epoch) for epoch in (1, 1, 2)]
    again = [changed[0][i] for i in (3, 0, 1)]
    for i, sample in zip((3, 0, 1), again, strict=True):
        np.testing.assert_array_equal(sample["image"], changed[1][i]["image"])
        assert not np.array_equal(sample["image"], changed[2][i]["image"])


def test_a_failure_of_all_is_told_once(drawn_data, recipe, tmp_path):
    options = train(drawn_data, recipe(), "--out", tmp_path / "run")
    status, printed = mpi.run(2, *options, "--batch-size", 9)
    assert status == 2
    (line,) = only_ours(printed)
    assert "--batch-size 9 cannot be divided by the 2 processes" in line
    assert "choose 8" in line
    assert "Traceback" not in printed


FAILING = """
import os, signal, sys
from fkp_app import cli
from fkp_app.errors import FkpError
from numpynet.parallel import ParallelTrainer

step = ParallelTrainer.train_step
def failing(self, images, targets):
    if self.group.rank == 1 and self.steps_done == STEP - 1:
        FAIL
    return step(self, images, targets)
ParallelTrainer.train_step = failing
sys.exit(cli.main())
"""


def failing(tmp_path, statement, step=4):
    """A program that is `fkp`, in which process 1 comes to this statement in that step; an epoch has two."""
    (tmp_path / "failing.py").write_text(FAILING.replace("FAIL", statement).replace("STEP", str(step)))
    return tmp_path / "failing.py"


def test_a_failure_of_one_process_ends_all_with_its_message(drawn_data, recipe, tmp_path):
    program = failing(tmp_path, 'raise FkpError("the disk of this machine has gone")')
    status, printed = mpi.run(2, program, *train(drawn_data, recipe(), "--out", tmp_path / "run")[2:], timeout=120)
    assert status == 1
    assert only_ours(printed) == ["fkp: process 1 of 2: the disk of this machine has gone"]
    assert "Traceback" not in printed


def test_a_killed_process_ends_all_and_the_run_goes_on(drawn_data, recipe, tmp_path):
    program, out = failing(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)"), tmp_path / "run"
    options = train(drawn_data, recipe(), "--out", out)
    assert mpi.run(2, program, *options[2:], timeout=120)[0] != 0
    assert len(losses(out)) == 2  # those of the first epoch
    status, printed = mpi.run(2, "-m", "fkp_app", "train", "--data", drawn_data, "--out", out, "--resume")
    assert status == 0, printed
    assert len(losses(out)) == 6


def test_a_signal_to_one_process_lets_all_finish_the_step_and_process_0_save(drawn_data, recipe, tmp_path, fkp):
    """It goes on to the same bits; and in one process, within an epoch, to the same numbers."""
    program = failing(tmp_path, "os.kill(os.getpid(), signal.SIGTERM)", step=3)
    whole, stopped, alone = tmp_path / "whole", tmp_path / "stopped", tmp_path / "alone"
    options = train(drawn_data, recipe(CHANGES), "--sync-batch-norm", "--out")
    status, printed = mpi.run(2, program, *options[2:], stopped, timeout=120)
    assert status == 128 + signal.SIGTERM
    assert "stopped; the checkpoint of step 1 of epoch 2 is kept: go on with `fkp train --data " in printed
    assert printed.count("stopped; ") == 1
    assert len(load_tensors(stopped / "checkpoint.safetensors")[0]["history.steps"]) == 3
    shutil.copytree(stopped, alone)
    assert mpi.run(2, *options, whole)[0] == 0
    assert mpi.run(2, *train(drawn_data, recipe(CHANGES))[:5], "--out", stopped, "--resume")[0] == 0
    same_results(whole, stopped)
    assert fkp("train", "--data", drawn_data, "--out", alone, "--resume").code == 0
    np.testing.assert_allclose(losses(alone), losses(whole), rtol=5e-5)
    with (alone / "metrics.csv").open(newline="") as one, (whole / "metrics.csv").open(newline="") as two:
        rows = [[float(row["train_loss"]) for row in csv.DictReader(file)] for file in (one, two)]
    np.testing.assert_allclose(*rows, rtol=5e-5)  # images are counted in the whole batch, whatever the processes


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_mpiexec_reaches_the_processes(number, drawn_data, recipe, tmp_path):
    out = tmp_path / "run"
    with mpi.started(2, *train(drawn_data, recipe(), "--epochs", 10_000, "--out", out)) as process:
        while not (out / "steps.csv").exists():  # of the first epoch
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(number)
        printed = process.communicate(timeout=60)[0]
    assert process.returncode == 128 + number
    assert "stopped; the checkpoint of " in printed
    status, printed = mpi.run(2, *train(drawn_data, recipe())[:5], "--out", out, "--resume", "--epochs", 1)
    assert status == 0, printed
    assert "already; give more with --epochs" in printed


def test_a_loss_that_is_nan_in_one_process_is_told_by_it(drawn_data, recipe, tmp_path):
    program, out = failing(tmp_path, "targets = targets * float('nan')"), tmp_path / "run"
    status, printed = mpi.run(2, program, *train(drawn_data, recipe(), "--out", out)[2:], timeout=120)
    assert status == 1
    (line,) = only_ours(printed)
    assert line.startswith(
        "fkp: process 1 of 2: training stopped: the loss became nan at step 2 of epoch 2, first in the"
    )
    assert "; the checkpoint of epoch 1 is kept: go on with a lower rate, such as `fkp train " in line


class Two:
    """A group of two, for what needs no messages."""

    rank, size, neighbours = 0, 2, 2


@pytest.mark.parametrize(
    ("batch_size", "frames", "backend", "reason"),
    [
        (9, 100, "numpy", "choose 8"),
        (2, 100, "numpy", "choose 4"),
        (8, 7, "numpy", "more than the 7 training frames"),
        (8, 100, "torch", "--backend torch trains in one process"),
    ],
)
def test_what_cannot_be_divided_is_refused(batch_size, frames, backend, reason):
    with pytest.raises(UsageError, match=reason):
        parallel.check_parts(batch_size, frames, backend, Two())


def test_cores_are_shared_by_the_processes_of_a_machine(monkeypatch):
    monkeypatch.setattr(parallel, "physical_cores", lambda: 5)
    assert parallel.threads_of(None, Two()) == 2
    assert parallel.threads_of(3, Two()) == 3
    assert parallel.threads_of(None, None) is None


def test_weights_that_differ_between_processes_are_noticed():
    class Second(Two):
        def broadcast(self, array):
            array[...] = first

    state = {"a": np.arange(3.0), "b": np.ones((2, 2), np.float32)}
    first = 0

    class First(Two):
        def broadcast(self, array):
            nonlocal first
            first = int(array)

    parallel.check_same(state, 1, First())
    parallel.check_same(state, 1, Second())
    state["b"][1, 1] = np.nextafter(np.float32(1), np.float32(2))
    with pytest.raises(FkpError, match="after epoch 1 the weights differ"):
        parallel.check_same(state, 1, Second())


def test_without_mpi4py_processes_of_mpiexec_say_what_is_missing(monkeypatch):
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(FkpError, match="pip install mpi4py mpich"):
        parallel.find_group()


def test_without_mpiexec_there_is_no_group(monkeypatch):
    for name in parallel.STARTED:
        monkeypatch.delenv(name, raising=False)
    assert parallel.find_group() is None
