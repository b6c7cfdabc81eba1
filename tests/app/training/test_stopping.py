"""A run that a signal or a closed terminal ends: what it says, and what it saves."""

import os
import select
import signal
import subprocess
import sys

import pytest

from numpynet.checkpoint import load_tensors
from numpynet.training import Trainer
from tests.app.training.stopped import NUMBERS, STEPS, same_runs


def sent_at(monkeypatch, step, numbers):
    """Send signals to this process within that step of the training."""
    train_step = Trainer.train_step

    def signalling(trainer, images, targets):
        if trainer.steps_done == step - 1:
            for number in numbers:
                os.kill(os.getpid(), number)
        return train_step(trainer, images, targets)

    monkeypatch.setattr(Trainer, "train_step", signalling)


def ended_by(train, number, *options):
    """`fkp train` with the exit code that its process would have."""
    try:
        return train(*options)
    except SystemExit as error:
        assert number != signal.SIGINT
        return error.code


def code_and_text(ended, number, capfd):
    """The exit code and what stood on standard error, of what `ended_by` returned."""
    return (ended.code, ended.err) if number == signal.SIGINT else (ended, capfd.readouterr().err)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_finishes_the_step_and_saves(number, begin, train, tmp_path, monkeypatch, capfd):
    whole, run = tmp_path / "whole", tmp_path / "run"
    list(begin(whole).fit())
    before = {each: signal.getsignal(each) for each in NUMBERS}
    with monkeypatch.context() as patch:
        sent_at(patch, STEPS + 2, [number])
        ended = ended_by(train, number, run)
    code, text = code_and_text(ended, number, capfd)
    assert code == NUMBERS[number]
    assert "\nstopping: this step is finished and saved; press Ctrl-C again to stop at once" in text
    assert "stopped; the checkpoint of step 2 of epoch 2 is kept: go on with `fkp train --data " in text
    assert f"--out {run} --resume`" in text
    assert {each: signal.getsignal(each) for each in NUMBERS} == before
    assert len(load_tensors(run / "checkpoint.safetensors")[0]["history.steps"]) == STEPS + 2
    assert train(run, "--resume").code == 0
    same_runs(whole, run)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_second_signal_stops_at_once(number, begin, train, tmp_path, monkeypatch, capfd):
    whole, run = tmp_path / "whole", tmp_path / "run"
    list(begin(whole).fit())
    with monkeypatch.context() as patch:
        sent_at(patch, STEPS + 2, [signal.SIGINT, number])
        ended = ended_by(train, number, run)
    code, text = code_and_text(ended, number, capfd)
    assert code == NUMBERS[number]
    assert "stopped at once; the checkpoint of epoch 1 is kept: go on with `fkp train" in text
    assert len(load_tensors(run / "checkpoint.safetensors")[0]["history.steps"]) == STEPS
    assert train(run, "--resume").code == 0
    same_runs(whole, run)


def test_a_signal_in_the_last_step_leaves_the_validation_to_resume(train, tmp_path, monkeypatch):
    sent_at(monkeypatch, 3 * STEPS, [signal.SIGTERM])
    code = ended_by(train, signal.SIGTERM, tmp_path / "run")
    assert code == 143
    assert train(tmp_path / "run", "--resume").code == 0


def test_an_ignored_signal_stays_ignored(train, tmp_path, monkeypatch):
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        sent_at(monkeypatch, 2, [signal.SIGHUP])
        assert train(tmp_path / "run").code == 0
    finally:
        signal.signal(signal.SIGHUP, before)


SLOW = """
import sys, time
from numpynet.training import Trainer
from fkp_app.cli import main
step = Trainer.train_step
def slow(*args):
    time.sleep(0.2)
    return step(*args)
Trainer.train_step = slow
sys.exit(main())
"""
"""`fkp` with steps of a fifth of a second."""


def test_a_terminal_that_is_closed_ends_the_run_with_a_checkpoint(begin, train, tmp_path, drawn_data, small):
    """The system then sends SIGHUP, and nothing can be printed any more: not the live bar, not the last line."""
    pty, termios, fcntl = (pytest.importorskip(name) for name in ("pty", "termios", "fcntl"))
    whole, run = tmp_path / "whole", tmp_path / "run"
    list(begin(whole).fit())
    ours, theirs = pty.openpty()
    options = ["--recipe", small, "--seed", 1, "--ops", "readable", "--checkpoint-every", 0]
    command = [sys.executable, "-c", SLOW, "train", "--data", drawn_data, "--out", run, *options]
    process = subprocess.Popen(
        [str(word) for word in command],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    try:
        while not (run / "checkpoint.previous.safetensors").exists():  # two steps
            assert process.poll() is None
            if select.select([ours], [], [], 0.05)[0]:
                os.read(ours, 4096)
        os.close(ours)
        assert process.wait(timeout=60) == NUMBERS[signal.SIGHUP]
    finally:
        process.kill()
        process.wait()
    assert not [path.name for path in run.iterdir() if path.name.startswith(".")]
    assert 2 <= len(load_tensors(run / "checkpoint.safetensors")[0]["history.steps"]) < 3 * STEPS
    assert train(run, "--resume").code == 0
    same_runs(whole, run)
