"""A run whose loss is not finite or whose files cannot be written: one line, and a checkpoint stays."""

import errno
import json
import os
import re
import shutil

import numpy as np
import pytest

from fkp_app.errors import FkpError
from numpynet.checkpoint import load_tensors, load_weights
from numpynet.training import Trainer
from tests.app.commands.test_train_command import rows
from tests.app.training.stopped import STEPS, failing_at, same_runs, spoiled_at
from tests.app.training.test_run_files import one_line


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_loss_that_becomes_nan_names_step_layer_checkpoint_and_remedy(begin, train, tmp_path, monkeypatch):
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        spoiled_at(patch, STEPS + 2, "fc1.weight")
        ended = train(run, "--checkpoint-every", 0)
    line = "training stopped: the loss became nan at step 2 of epoch 2, first in the output of fc1; lower the learning"
    one_line(ended, 1, line)
    assert "the checkpoint of step 1 of epoch 2 is kept: go on with a lower rate, such as `fkp train" in ended.err
    assert ended.err.rstrip().endswith(f"--out {run} --resume --lr 0.003`")
    ended = train(run, "--resume", "--lr", 0.003)
    assert ended.code == 0
    rates = [float(row["lr"]) for row in rows(run / "steps.csv")]
    assert max(rates[STEPS + 1 :]) <= 0.003 < max(rates[: STEPS + 1])
    config = json.loads((run / "config.json").read_text())
    assert config["recipe"]["training"]["optimizer"]["lr"] == 0.003
    change = {"epochs": 1, "steps": 1, "old": {"lr": 0.01}, "new": {"lr": 0.003}}
    assert config["changes"] == [change]
    assert load_weights(run / "weights.safetensors")[1].training["changes"] == [change]


def test_nothing_that_is_not_finite_is_saved_within_an_epoch(begin, train, tmp_path, monkeypatch):
    """The loss is still finite when the weights no longer are."""
    run, step = tmp_path / "run", Trainer.train_step

    def spoil(trainer, images, targets):
        loss = step(trainer, images, targets)
        if trainer.steps_done == STEPS + 2:
            trainer.net.state_dict()["conv1.weight"][0] = np.inf
        return loss

    monkeypatch.setattr(Trainer, "train_step", spoil)
    ended = train(run, "--checkpoint-every", 0)
    one_line(ended, 1, "net.conv1.weight is no longer finite after step 2 of epoch 2")
    assert "the checkpoint of step 1 of epoch 2 is kept" in ended.err
    assert len(load_tensors(run / "checkpoint.safetensors")[0]["history.steps"]) == STEPS + 1


def test_a_full_disk_is_one_line_and_the_last_checkpoint_stays(begin, train, tmp_path, monkeypatch):
    """A limit on the size of files, as a full disk, lets a part of a file be written."""
    resource = pytest.importorskip("resource")
    whole, run = tmp_path / "whole", tmp_path / "run"
    list(begin(whole).fit())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (whole / "checkpoint.safetensors").stat().st_size // 2
    try:
        with monkeypatch.context() as patch:
            failing_at(patch, STEPS + 2, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1])))
            ended = train(run, "--checkpoint-every", 0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    one_line(ended, 1, f"--out {run}: cannot be written (File too large); the checkpoint of step 1 of epoch 2 is kept")
    assert "make room or mend it, and go on with `fkp train" in ended.err
    assert not [path.name for path in run.iterdir() if path.name.startswith(".")]
    assert train(run, "--resume").code == 0
    same_runs(whole, run)


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "No space left on device"), (errno.EROFS, "Read-only file system")]
)
@pytest.mark.parametrize("when", ["write", "fsync", "rename"])
def test_any_failure_of_a_save_leaves_a_checkpoint(when, number, words, begin, train, tmp_path, monkeypatch):
    whole, run = tmp_path / "whole", tmp_path / "run"
    list(begin(whole).fit())

    def fail(*args, **options):
        raise OSError(number, os.strerror(number))

    def break_it():
        names = {"write": "numpynet.files.os.open", "fsync": "numpynet.files.os.fsync"}
        patch.setattr(names.get(when, "pathlib.Path.replace"), fail)

    with monkeypatch.context() as patch:
        failing_at(patch, STEPS + 2, break_it)
        ended = train(run, "--checkpoint-every", 0)
    one_line(ended, 1, f"--out {run}: cannot be written ({words}); the checkpoint of step 1 of epoch 2 is kept")
    assert train(run, "--resume").code == 0
    same_runs(whole, run)


def test_a_directory_that_cannot_be_written_is_refused_before_training(train, tmp_path, monkeypatch):
    run, opened = tmp_path / "run", os.open

    def read_only(path, flags, *args, **options):
        if str(path).startswith(str(run)) and flags & os.O_CREAT:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        return opened(path, flags, *args, **options)

    run.mkdir()
    monkeypatch.setattr(os, "open", read_only)
    one_line(train(run), 2, f"--out {run} cannot be written (Read-only file system); choose another place")


@pytest.mark.parametrize("replaced", [False, True])
def test_a_directory_that_is_deleted_meanwhile_is_one_line(replaced, train, tmp_path, monkeypatch):
    run = tmp_path / "run"

    def delete():
        shutil.rmtree(run)
        if replaced:
            run.mkdir()

    failing_at(monkeypatch, 2, delete)
    one_line(train(run, "--checkpoint-every", 0), 1, f"--out {run}: was deleted or replaced while training ran")
    assert not run.exists() or not list(run.iterdir())


@pytest.mark.parametrize("replaced", [False, True])
def test_a_directory_that_is_deleted_during_a_save_is_the_same_line(replaced, train, tmp_path, monkeypatch):
    run, sync = tmp_path / "run", os.fsync

    def delete(handle):
        shutil.rmtree(run)
        if replaced:
            run.mkdir()
        sync(handle)

    failing_at(monkeypatch, 2, lambda: monkeypatch.setattr("numpynet.files.os.fsync", delete))
    ended = train(run, "--checkpoint-every", 0)
    one_line(ended, 1, f"--out {run}: was deleted or replaced while training ran")
    assert "kept" not in ended.err


def test_data_that_are_lost_meanwhile_leave_a_checkpoint(begin, train, tmp_path, monkeypatch, drawn_data):
    """The message is the reader's; a line before it tells how to go on."""
    whole, run, moved = tmp_path / "whole", tmp_path / "run", tmp_path / "moved"
    list(begin(whole).fit())
    try:
        with monkeypatch.context() as patch:
            failing_at(patch, STEPS + 1, lambda: drawn_data.rename(moved))
            ended = train(run, "--checkpoint-every", 0)
    finally:
        moved.rename(drawn_data)
    one_line(ended, 1, ": no such file")
    assert re.search(r"training stopped; the checkpoint of step \d of epoch 2 is kept: go on with `fkp", ended.err)
    assert train(run, "--resume").code == 0
    same_runs(whole, run)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_failure_before_the_first_checkpoint_promises_none(train, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        spoiled_at(patch, 2, "fc1.weight")
        ended = train(tmp_path / "run")
    one_line(ended, 1, "at step 2 of epoch 1, first in the output of fc1; lower the learning rate; no checkpoint is wr")
    assert "is kept" not in ended.err
    assert train(tmp_path / "run", "--resume", "--lr", 0.003).code == 0


def test_a_directory_that_is_lost_is_told_by_the_run_itself(begin, tmp_path):
    run = begin(tmp_path / "run")
    events = run.fit()
    next(events)
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(FkpError, match="was deleted or replaced while training ran"):
        list(events)
