"""A run that is stopped or fails within an epoch: what it says, what it keeps, and that it goes on to the same bits."""

import errno
import itertools
import json
import os
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest

from fkp_app.errors import FkpError
from fkp_app.training import run as training_run
from fkp_app.training.checkpoints import saved_config
from fkp_app.training.run import TrainingRun
from numpynet.checkpoint import load_tensors, load_weights, save_tensors
from numpynet.training import EpochEvent, StepEvent, Trainer
from tests.app.commands.test_train_command import BACKENDS, rows, same_checkpoints
from tests.app.training.test_run_files import one_line

STEPS = 4
"""Of an epoch of the small recipe on the drawn data."""


def stopped_after(run, steps):
    """Train so many steps of the run, and save."""
    for event in run.fit():
        if isinstance(event, StepEvent) and len(run.history.steps) == steps:
            break
    run.save()


def same_runs(one, two):
    same_checkpoints(one, two)
    assert (one / "steps.csv").read_text() == (two / "steps.csv").read_text()
    assert (one / "weights.safetensors").read_bytes() == (two / "weights.safetensors").read_bytes()


def columns(path):
    """metrics.csv without the seconds."""
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows(path)]


# Within an epoch


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("steps", [1, STEPS - 1, STEPS, STEPS + 2])
def test_a_run_goes_on_within_an_epoch_to_the_same_bits(steps, backend, begin, tmp_path):
    """Also after the last step of an epoch, before its validation."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    list(begin(whole, backend).fit())
    run = begin(parts, backend)
    assert run.steps_per_epoch() == STEPS
    stopped_after(run, steps)
    resumed = TrainingRun.resume(parts, {}, {})
    assert resumed.notes == []
    events = [event for event in resumed.fit() if isinstance(event, StepEvent)]
    assert len(events) == 3 * STEPS - steps
    same_runs(whole, parts)
    assert columns(parts / "metrics.csv") == columns(whole / "metrics.csv")


def test_it_may_be_stopped_after_every_single_step(begin, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    list(begin(whole).fit())
    run = begin(parts)
    for steps in range(1, 3 * STEPS + 1):
        stopped_after(run, steps)
        run = TrainingRun.resume(parts, {}, {})
    list(run.fit())
    same_runs(whole, parts)


def test_a_stop_within_a_validation_repeats_the_validation_alone(begin, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    list(begin(whole).fit())
    run = begin(parts)
    asked = itertools.count()
    run.stop = lambda: next(asked) >= STEPS  # once per step, then once per batch of the validation
    assert [type(event) for event in run.fit()] == [StepEvent] * STEPS
    resumed = TrainingRun.resume(parts, {}, {})
    events = resumed.fit()
    assert isinstance(next(events), EpochEvent)
    list(events)
    same_runs(whole, parts)


@pytest.mark.parametrize(("minutes", "saves"), [(0, 3 * STEPS + 3), (1e6, 3)])
def test_checkpoints_come_every_so_many_minutes(minutes, saves, begin, tmp_path, monkeypatch):
    run, count = begin(tmp_path / "run"), []
    run.minutes = minutes
    save = run.save
    monkeypatch.setattr(run, "save", lambda: (count.append(run.progress), save()))
    list(run.fit())
    assert len(count) == saves


def test_the_option_is_a_setting_that_resume_keeps_and_changes(train, tmp_path):
    run, config = tmp_path / "run", tmp_path / "run" / "config.json"
    assert train(run, "--epochs", 1, "--checkpoint-every", 0.5).code == 0
    assert json.loads(config.read_text())["settings"]["checkpoint_every"] == 0.5
    assert train(run, "--resume", "--epochs", 2).code == 0
    assert json.loads(config.read_text())["settings"]["checkpoint_every"] == 0.5
    assert train(run, "--resume", "--checkpoint-every", 2).code == 0
    assert json.loads(config.read_text())["settings"]["checkpoint_every"] == 2
    one_line(train(run, "--resume", "--checkpoint-every", -1), 2, "'--checkpoint-every': must be between 0 and")
    one_line(train(run, "--resume", "--checkpoint-every", "nan"), 2, "'--checkpoint-every': must be between 0 and")


def test_another_batch_size_divides_the_rest_of_the_epoch(begin, tmp_path):
    run = begin(tmp_path / "run")
    stopped_after(run, 1)
    resumed = TrainingRun.resume(tmp_path / "run", {}, {"batch_size": 2})
    frames = len(resumed.training_data)
    steps = [event for event in resumed.fit() if isinstance(event, StepEvent)]
    first = [event for event in steps if event.epoch == 1]
    assert len(first) == (frames - 4) // 2
    assert [event.step for event in first] == list(range(2, 2 + len(first)))
    assert first[-1].progress.images == 4 + 2 * len(first)


# Signals

NUMBERS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


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


# A loss that is not finite


def spoiled_at(monkeypatch, step, key):
    """Fill an array of the network so that its layer overflows in that step."""
    train_step = Trainer.train_step

    def spoiling(trainer, images, targets):
        if trainer.steps_done == step - 1:
            trainer.net.state_dict()[key][...] = 3e38
        return train_step(trainer, images, targets)

    monkeypatch.setattr(Trainer, "train_step", spoiling)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_becomes_nan_names_step_layer_checkpoint_and_remedy(begin, train, tmp_path, monkeypatch):
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        spoiled_at(patch, STEPS + 2, "fc1.weight")
        ended = train(run, "--checkpoint-every", 0)
    line = "training stopped: the loss became nan at step 2 of epoch 2, first in the output of fc1; lower the learning"
    one_line(ended, 1, line)
    assert (
        "the checkpoint of step 1 of epoch 2 is kept: go on from it with a lower rate, such as `fkp train" in ended.err
    )
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


# Files that cannot be written


def failing_at(monkeypatch, step, fail):
    """Call `fail` before that step of the training."""
    train_step = Trainer.train_step

    def failing(trainer, images, targets):
        if trainer.steps_done == step - 1:
            fail()
        return train_step(trainer, images, targets)

    monkeypatch.setattr(Trainer, "train_step", failing)


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


# Formats


def rewritten(path, metadata):
    """Write a checkpoint again, with a valid checksum and these metadata."""
    state, found = load_tensors(path)
    save_tensors(path, state, metadata(found))
    return state


def test_a_checkpoint_of_the_first_version_loads(begin, train, tmp_path):
    """It had no description, no progress and no loader, and its config.json no changes."""
    whole, run = tmp_path / "whole", tmp_path / "run"
    list(begin(whole).fit())
    for event in begin(run).fit():
        if isinstance(event, EpochEvent):
            break
    path = run / "checkpoint.safetensors"
    state, _ = load_tensors(path)
    save_tensors(path, {key: array for key, array in state.items() if not key.startswith("progress.")}, {})
    config = json.loads((run / "config.json").read_text())
    del config["changes"], config["settings"]["checkpoint_every"]
    (run / "config.json").write_text(json.dumps(config))
    assert train(run, "--resume").code == 0
    same_runs(whole, run)


def test_a_checkpoint_of_a_later_version_says_what_to_do(begin, train, tmp_path):
    run = tmp_path / "run"
    list(begin(run, epochs=2).fit())
    path = run / "checkpoint.safetensors"
    rewritten(path, lambda found: {"training_run": json.dumps({"format_version": 3})})
    before = {each.name: each.read_bytes() for each in run.iterdir()}
    one_line(
        train(run, "--resume", "--epochs", 3), 1, f"{path}: is of format version 3, and this fkp reads up to 2; upd"
    )
    assert {each.name: each.read_bytes() for each in run.iterdir()} == before


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format_version": "2"}', '{"format_version": NaN}', "{" * 9000])
def test_a_damaged_description_gives_way_to_the_checkpoint_before(text, begin, train, tmp_path):
    run = tmp_path / "run"
    list(begin(run, epochs=2).fit())
    rewritten(run / "checkpoint.safetensors", lambda found: {"training_run": text})
    ended = train(run, "--resume", "--epochs", 3)
    assert ended.code == 0
    assert "its description is damaged" in ended.err
    assert "going on from the checkpoint before it" in ended.err


def test_a_lost_config_is_written_again_from_the_checkpoint(begin, train, tmp_path):
    whole, run = tmp_path / "whole", tmp_path / "run"
    list(begin(whole).fit())
    stopped_after(begin(run), STEPS + 1)
    config = run / "config.json"
    before = json.loads(config.read_text())
    config.unlink()
    ended = train(run, "--resume")
    assert ended.code == 0
    assert f"{config}: no such file; it is written again from checkpoint.safetensors" in ended.err
    assert json.loads(config.read_text()) == before
    same_runs(whole, run)
    assert saved_config(run)[0] == before


@pytest.mark.parametrize("key", ["loader.position", "loader.rng.0", "loader.rng.order", "progress.steps"])
def test_a_checkpoint_within_an_epoch_that_lacks_a_part_is_refused(key, begin, train, tmp_path):
    run = tmp_path / "run"
    stopped_after(begin(run), 2)
    state, metadata = load_tensors(run / "checkpoint.safetensors")
    save_tensors(
        run / "checkpoint.safetensors", {name: array for name, array in state.items() if name != key}, metadata
    )
    one_line(train(run, "--resume"), 1, f"{run}/checkpoint.safetensors: does not fit this run")


def test_a_flipped_bit_anywhere_within_an_epochs_checkpoint_is_noticed(begin, train, tmp_path):
    whole, run = tmp_path / "whole", tmp_path / "run"
    list(begin(whole).fit())
    stopped_after(begin(run), STEPS + 1)
    resumed = TrainingRun.resume(run, {}, {})
    stopped_after(resumed, STEPS + 2)
    path = run / "checkpoint.safetensors"
    content, rng = bytearray(path.read_bytes()), np.random.default_rng(4)
    for place in rng.integers(len(content), size=25):
        changed = content.copy()
        changed[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        kept = (run / "checkpoint.previous.safetensors").read_bytes()
        resumed = TrainingRun.resume(run, {}, {})
        assert "going on from the checkpoint before it" in " ".join(resumed.notes)
        assert len(resumed.history.steps) == STEPS + 1
        (run / "checkpoint.previous.safetensors").write_bytes(kept)
    list(resumed.fit())
    same_runs(whole, run)


def test_the_patience_of_a_run_counts_whole_epochs_after_a_stop(begin, tmp_path, monkeypatch):
    nmes = iter([5.0, 6.0, 7.0])
    score = training_run.score
    monkeypatch.setattr(training_run, "score", lambda *args: replace(score(*args), nme=next(nmes)))
    run = begin(tmp_path / "run")
    stopped_after(run, STEPS + 2)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["recipe"]["training"]["patience"] = 1
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    resumed = TrainingRun.resume(tmp_path / "run", {}, {})
    assert not resumed.ended
    list(resumed.fit())
    assert resumed.ended
    assert resumed.history.epochs_done == 2


def test_a_directory_that_is_lost_is_told_by_the_run_itself(begin, tmp_path):
    run = begin(tmp_path / "run")
    events = run.fit()
    next(events)
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(FkpError, match="was deleted or replaced while training ran"):
        list(events)
