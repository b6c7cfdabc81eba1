"""A run's directory after a kill, with two processes, or damaged: the run continues, or one line tells what to do."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from fkp_app.errors import FkpError, UsageError
from fkp_app.locks import LOCK, locked
from fkp_app.training import results, resumable
from fkp_app.training import run as training_run
from fkp_app.training.recipe import load_recipe
from fkp_app.training.run import TrainingRun
from fkp_app.training.run_files import Config, Settings, read_config
from numpynet.checkpoint import load_tensors, load_weights, save_tensors
from numpynet.training import EpochEvent
from tests.app.commands.test_train_command import rows, same_checkpoints
from tests.hostile import spoiled

FILES = {"config.json", "metrics.csv", "steps.csv", "loss.png", "weights.safetensors", "checkpoint.safetensors"}
SUBSTANCE = FILES - {"loss.png"}


def one_line(ended, code, words):
    """Checks that the command failed and that its errors are one line, which contains these words."""
    lines = [line for line in ended.err.splitlines() if line.startswith("fkp: ")]
    assert (ended.code, len(lines), ended.out) == (code, 1, "")
    assert words in lines[0]


class Killed(BaseException):
    """Like a signal that cannot be caught: no cleanup runs."""


def killed_at(monkeypatch, run, module, name):
    """Train until the second call of the function `name` of a module, which never returns."""
    original, calls = getattr(module, name), []

    def stop(*args, **options):
        calls.append(name)
        if len(calls) == 2:
            raise Killed
        return original(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, stop)
        with pytest.raises(Killed):
            list(run.fit())


# Killed


@pytest.mark.parametrize("resume", [True, False])
def test_a_run_that_was_stopped_in_its_first_epoch_begins_again(resume, begin, train, tmp_path):
    whole, early = tmp_path / "whole", tmp_path / "early"
    list(begin(whole).fit())
    next(begin(early).fit())  # one step
    assert {path.name for path in early.iterdir()} == {"config.json"}
    ended = train(early, *(["--resume"] if resume else []))
    assert ended.code == 0
    said = "it begins again" if resume else "the new run replaces it"
    assert f"before its first checkpoint; {said}" in ended.err
    same_checkpoints(whole, early)


def test_begun_again_it_starts_with_the_weights_that_it_was_given(begin, train, tmp_path, small, drawn_data):
    list(begin(tmp_path / "first", epochs=1).fit())
    start = tmp_path / "first" / "weights.safetensors"
    settings = Settings(str(drawn_data), str(small), "numpy", 1, None, "readable", str(start))
    early = TrainingRun.start(settings, load_recipe(str(small)).with_options(lr=1e-9), tmp_path / "early")
    next(early.fit())
    assert train(tmp_path / "early", "--resume", "--epochs", 1).code == 0
    (first, _), (second, _) = load_weights(start), load_weights(tmp_path / "early" / "weights.safetensors")
    np.testing.assert_allclose(second["fc1.weight"], first["fc1.weight"], atol=1e-6)
    next(TrainingRun.start(settings, load_recipe(str(small)), tmp_path / "again").fit())
    start.unlink()
    one_line(train(tmp_path / "again", "--resume"), 1, f"{start}: no such file")


def test_a_directory_with_somebody_elses_config_is_not_begun_in(train, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"model_type": "bert"}')
    one_line(train(tmp_path / "model"), 2, "holds a training run already")
    assert (tmp_path / "model" / "config.json").read_text() == '{"model_type": "bert"}'
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "weights.safetensors").write_bytes(b"precious")
    one_line(train(tmp_path / "weights"), 2, "holds weights.safetensors already")
    assert (tmp_path / "weights" / "weights.safetensors").read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("module", "name"),
    [(resumable, "save_checkpoint"), (training_run, "save_weights"), (results, "plot_losses")],
)
@pytest.mark.parametrize("last", [False, True])
def test_killed_between_two_files_of_an_epoch_it_catches_up(module, name, last, begin, train, tmp_path, monkeypatch):
    """last: the epoch is the run's last, so no later epoch renews the files."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    list(begin(whole, epochs=2 if last else 3).fit())
    assert [row["best_epoch"] for row in rows(whole / "metrics.csv")][:2] == [
        "1",
        "2",
    ]  # otherwise nothing is tested
    killed_at(monkeypatch, begin(parts, epochs=2 if last else 3), module, name)
    ended = train(parts, "--resume")
    assert ended.code == 0
    same_checkpoints(whole, parts)
    assert (parts / "steps.csv").read_text() == (whole / "steps.csv").read_text()
    assert [row["best_epoch"] for row in rows(parts / "metrics.csv")] == [
        row["best_epoch"] for row in rows(whole / "metrics.csv")
    ]
    (one, card), (two, other) = (load_weights(run / "weights.safetensors") for run in (whole, parts))
    assert card.training["epoch"] == other.training["epoch"]
    assert card.training["validation"] == other.training["validation"]
    for key, array in one.items():
        np.testing.assert_array_equal(array, two[key], err_msg=key)


def test_a_finished_run_that_is_resumed_says_so(begin, train, tmp_path):
    list(begin(tmp_path / "run", epochs=1).fit())
    ended = train(tmp_path / "run", "--resume")
    assert (ended.code, ended.err.count("\n")) == (0, 2)
    assert "has 1 epoch already; give more with --epochs" in ended.err
    assert f"weights of epoch 1: {tmp_path}/run/weights.safetensors" in ended.err


def test_missing_weights_are_written_again_or_reported(begin, train, tmp_path, monkeypatch):
    nmes = iter([5.0, 4.0, 6.0, 5.5])
    score = training_run.score
    monkeypatch.setattr(training_run, "score", lambda *args: training_run.replace(score(*args), nme=next(nmes)))
    run, weights = tmp_path / "run", tmp_path / "run" / "weights.safetensors"
    for event in begin(run, epochs=3).fit():
        if isinstance(event, EpochEvent) and event.epoch == 2:
            before = weights.read_bytes()
            (tmp_path / "at2").mkdir()
            for path in run.iterdir():
                (tmp_path / "at2" / path.name).write_bytes(path.read_bytes())
    weights.unlink()
    ended = train(run, "--resume")
    one_line(ended, 1, f"{weights}: the weights of the best epoch, 2, are lost")
    assert "weights of epoch" not in ended.err
    ended = train(run, "--resume", "--epochs", 4)  # worse than the best, but the best that is left
    assert ended.code == 0
    assert f"weights of epoch 4: {weights}" in ended.err
    assert load_weights(weights)[1].training["epoch"] == 4
    assert [row["best_epoch"] for row in rows(run / "metrics.csv")] == ["1", "2", "2", "4"]
    # If the checkpoint is of the best epoch, it still has the weights.
    nmes = iter([4.0])
    (tmp_path / "at2" / "weights.safetensors").write_bytes(b"damaged")
    resumed = TrainingRun.resume(tmp_path / "at2", {}, {})
    assert "written again from the checkpoint, of epoch 2" in resumed.notes[0]
    assert (tmp_path / "at2" / "weights.safetensors").read_bytes() == before


def test_what_killed_processes_left_is_removed_and_nothing_else(begin, train, tmp_path):
    run = tmp_path / "run"
    list(begin(run, epochs=1).fit())
    left = [".checkpoint.abcd_123.safetensors", ".weights.00000000.safetensors", ".metrics.a1b2c3d4.csv"]
    left += [".loss.a1b2c3d4.png", ".config.a1b2c3d4.json", ".numpynet-0123456789abcdef.safetensors"]
    left += [".tmpJDN1iY"]
    kept = [
        ".tmp",
        ".weights.a1b2c3d4.onnx",
        ".notes.a1b2c3d4.csv",
        ".config.json",
        "mine.safetensors",
        ".loss.a1b2.png",
    ]
    for name in left + kept:
        (run / name).write_bytes(b"x")
    ended = train(run, "--resume", "--epochs", 2)
    assert "7 unfinished files of a killed process are removed" in ended.err
    assert {path.name for path in run.iterdir()} == FILES | {"checkpoint.previous.safetensors", *kept}


# Twice


def test_a_second_process_is_refused_while_the_first_lives(begin, train, tmp_path):
    run = tmp_path / "run"
    list(begin(run, epochs=1).fit())
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    with locked(run, "fkp train"):
        for options in (["--resume", "--epochs", 2], []):
            one_line(train(run, *options), 2, f"{run}: another fkp train is at work there")
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    assert train(run, "--resume", "--epochs", 2).code == 0
    assert not (run / LOCK).exists()


def test_a_lock_of_a_killed_process_does_not_hold(tmp_path):
    program = (
        "import os, signal, sys; from pathlib import Path; from fkp_app.locks import locked\n"
        "with locked(Path(sys.argv[1]), 'fkp train'): os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path / "run")], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert (tmp_path / "run" / LOCK).exists()
    again = locked(tmp_path / "run", "fkp train")
    with locked(tmp_path / "run", "fkp train"), pytest.raises(UsageError, match="another fkp train is at work"):
        again.__enter__()
    assert not (tmp_path / "run").exists() or not list((tmp_path / "run").iterdir())


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="the system has no such flag")
def test_a_lock_that_is_a_link_makes_no_file_elsewhere(train, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOCK).symlink_to(tmp_path / "elsewhere")
    one_line(train(tmp_path / "run"), 2, f"--out {tmp_path / 'run'} cannot be written (Too many levels of symbolic")
    assert not (tmp_path / "elsewhere").exists()


def test_a_lock_removes_the_empty_directories_that_it_made(tmp_path):
    (tmp_path / "a").mkdir()
    with locked(tmp_path / "a" / "b" / "c", "fkp train"):
        assert (tmp_path / "a" / "b" / "c").is_dir()
    assert list((tmp_path / "a").iterdir()) == []
    with locked(tmp_path / "a" / "b", "fkp train"):
        (tmp_path / "a" / "b" / "file").write_text("x")
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["file"]


# Damaged


def flip(path):
    data = bytearray(path.read_bytes())
    data[-len(data) // 3] ^= 8
    path.write_bytes(data)


DAMAGE = {
    "a flipped bit": flip,
    "a zeroed block": lambda path: path.write_bytes(path.read_bytes()[:-4096] + bytes(4096)),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "empty": lambda path: path.write_bytes(b""),
    "gone": lambda path: path.unlink(),
    "a directory": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("kind", [kind for kind in DAMAGE if kind != "a directory"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(kind, begin, train, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    list(begin(whole).fit())
    for event in begin(parts).fit():
        if isinstance(event, EpochEvent) and event.epoch == 2:
            break
    DAMAGE[kind](parts / "checkpoint.safetensors")
    ended = train(parts, "--resume")
    assert ended.code == 0
    assert "going on from the checkpoint before it" in ended.err
    assert "epoch   2" in ended.err
    same_checkpoints(whole, parts)


@pytest.mark.parametrize("kind", DAMAGE)
def test_without_another_checkpoint_damage_is_one_line(kind, begin, train, tmp_path):
    run = tmp_path / "run"
    list(begin(run, epochs=1).fit())
    if kind != "gone":
        DAMAGE[kind](run / "checkpoint.safetensors")
        one_line(train(run, "--resume", "--epochs", 2), 1, f"{run}/checkpoint.safetensors: ")


def test_killed_between_the_names_of_two_checkpoints(begin, train, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    list(begin(whole).fit())
    for event in begin(parts).fit():
        if isinstance(event, EpochEvent) and event.epoch == 2:
            break
    (parts / "checkpoint.safetensors").rename(parts / "checkpoint.next.safetensors")
    ended = train(parts, "--resume")
    assert "epoch   2" not in ended.err  # this epoch's checkpoint was whole
    same_checkpoints(whole, parts)
    assert {path.name for path in parts.iterdir()} == FILES | {"checkpoint.previous.safetensors"}


CHANGES = {
    "a moment of another type": lambda state: state.update(
        {"optimizer.exp_avg.0": np.zeros((4, 1, 3, 3), "U4").view("i4")[..., :3]}
    ),
    "a moment as whole numbers": lambda state: state.update(
        {"optimizer.exp_avg.0": state["optimizer.exp_avg.0"].astype(np.int64)}
    ),
    "a moment missing": lambda state: state.pop("optimizer.exp_avg_sq.1"),
    "a moment of nobody": lambda state: state.update({"optimizer.exp_avg.999": np.zeros(3, np.float32)}),
    "a moment of another shape": lambda state: state.update(
        {"optimizer.exp_avg.0": np.zeros((4, 1, 3, 2), np.float32)}
    ),
    "progress in an epoch without steps": lambda state: state.update({"progress.steps": np.array(2)}),
    "a loss of the epoch that is NaN": lambda state: state.update({"progress.loss": np.array(np.nan)}),
    "progress as a list": lambda state: state.update({"progress.images": np.zeros(3, np.int64)}),
    "steps missing": lambda state: state.pop("optimizer.step.0"),
    "huge steps": lambda state: state.update({"optimizer.step.0": np.array(2**62)}),
    "more steps than the run has": lambda state: state.update({"optimizer.step.0": np.array(1000)}),
    "negative steps": lambda state: state.update({"optimizer.step.0": np.array(-5)}),
    "steps that are a fraction": lambda state: state.update({"optimizer.step.0": np.array(1.5)}),
    "a huge step of the run": lambda state: state.update({"step": np.array(2**62)}),
    "steps of the run as a list": lambda state: state.update({"step": np.array([1, 2])}),
    "huge updates of the average": lambda state: state.update({"average.updates": np.array(2**62)}),
    "a weight missing": lambda state: state.pop("net.fc1.weight"),
    "a weight more": lambda state: state.update({"net.fc9.weight": np.zeros(3, np.float32)}),
    "a weight of another type": lambda state: state.update({"net.fc1.bias": np.zeros(16, "c8")}),
    "no history": lambda state: state.pop("history.epochs"),
    "a history without rows": lambda state: state.update({"history.epochs": np.zeros((0, 8))}),
    "a history of other columns": lambda state: state.update({"history.epochs": np.zeros((1, 3))}),
    "a history of whole numbers": lambda state: state.update({"history.steps": np.zeros((3, 4), np.int64)}),
    "a history of NaN": lambda state: state.update({"history.steps": np.full((3, 4), np.nan)}),
    "a history that counts to 10^30": lambda state: state["history.epochs"].__setitem__((0, 0), 1e30),
    "a best epoch without end": lambda state: state["history.epochs"].__setitem__((0, -1), np.inf),
    "a best epoch to come": lambda state: state["history.epochs"].__setitem__((0, -1), 7),
    "a step twice": lambda state: state["history.steps"].__setitem__((1, 1), 1),
    "random numbers of no generator": lambda state: state.update({"rng.0": np.frombuffer(b'{"a": 1}', np.uint8)}),
    "random numbers nested deep": lambda state: state.update({"rng.0": np.frombuffer(b"[" * 90_000, np.uint8)}),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_checkpoint_of_something_else_is_one_line(kind, begin, train, tmp_path):
    """Its checksum is right, as if another program had written it."""
    run = tmp_path / "run"
    list(begin(run, epochs=1).fit())
    state, _ = load_tensors(run / "checkpoint.safetensors")
    CHANGES[kind](state)
    save_tensors(run / "checkpoint.safetensors", state, {})
    one_line(train(run, "--resume", "--epochs", 2), 1, f"{run}/checkpoint.safetensors: ")


# Not finite


def test_weights_that_become_nan_in_an_epochs_last_step_are_not_saved(begin, train, tmp_path, monkeypatch):
    """The loss of that step was still finite, so no other check sees it."""
    run = begin(tmp_path / "run", epochs=3)
    events, step = run.fit(), run.trainer.train_step

    def spoil(images, targets):
        loss = step(images, targets)
        if run.trainer.steps_done == 2 * run.steps_per_epoch():
            run.trainer.net.state_dict()["conv1.weight"][0] = np.nan
        return loss

    monkeypatch.setattr(run.trainer, "train_step", spoil)
    with pytest.raises(FloatingPointError, match=r"net\.conv1\.weight is no longer finite after epoch 2"):
        list(events)
    assert len(rows(tmp_path / "run" / "metrics.csv")) == 1
    assert train(tmp_path / "run", "--resume").code == 0


@pytest.mark.parametrize("key", ["net.fc1.weight", "optimizer.exp_avg_sq.2", "average.net.conv1.bias"])
def test_a_checkpoint_that_holds_nan_says_what_to_do(key, begin, train, tmp_path):
    run = tmp_path / "run"
    list(begin(run, epochs=2).fit())
    state, _ = load_tensors(run / "checkpoint.safetensors")
    state[key].flat[1] = np.inf
    save_tensors(run / "checkpoint.safetensors", state, {})
    previous = run / "checkpoint.previous.safetensors"
    kept = previous.read_bytes()
    previous.unlink()
    one_line(train(run, "--resume", "--epochs", 3), 1, f"{key} holds NaN or infinity, so training had failed")
    previous.write_bytes(kept)
    ended = train(run, "--resume", "--epochs", 3, "--lr", 1e-4)
    assert ended.code == 0
    assert "going on from the checkpoint before it" in ended.err


# Settings


def test_settings_are_read_strictly(begin, tmp_path):
    directory = tmp_path / "run"
    begin(directory)
    config, rng, refusals = json.loads((directory / "config.json").read_text()), np.random.default_rng(0), []
    for _ in range(1500):
        (directory / "config.json").write_text(spoiled(config, rng), "utf-8", "surrogateescape")
        try:
            read_config(Config, directory, []).recipe.check(directory / "config.json")
        except FkpError as error:
            refusals.append(str(error))
    assert all(line.startswith(f"{directory}/config.json: ") and len(line) < 800 for line in refusals)
    assert not any("\n" in line for line in refusals)
    assert 800 < len(refusals) < 1450


CONFIGS = {
    "nested deep": lambda text: text.replace('"seed"', '"x": ' + "[" * 100_000 + "]" * 100_000 + ', "seed"'),
    "a number of 5,000 digits": lambda text: text.replace('"seed": 1', f'"seed": {"1" * 5000}'),
    "filters for 131 PiB": lambda text: text.replace('"hidden": [', '"hidden": [1000000000000000, '),
    "filters for 128 TiB": lambda text: text.replace('"hidden": [', '"hidden": [' + "65536, " * 14),
    "another kind of kernels": lambda text: text.replace('"ops": "readable"', '"ops": ["fast"]'),
    "NaN": lambda text: text.replace('"seed": 1', '"seed": NaN'),
    "a key twice": lambda text: text.replace('"seed": 1', '"seed": 1, "seed": 2'),
    "a loss that is a list": lambda text: text.replace('"name": "wing"', '"name": ["wing"]'),
    "too long": lambda text: text + " " * 2_000_000,
    "no text": lambda text: "\udcff",
}


@pytest.mark.parametrize("kind", CONFIGS)
def test_an_invalid_config_is_one_line(kind, begin, train, tmp_path):
    list(begin(tmp_path / "run", epochs=1).fit())
    path = tmp_path / "run" / "config.json"
    text = CONFIGS[kind](path.read_text())
    assert text != path.read_text()
    path.write_text(text, "utf-8", "surrogateescape")
    one_line(train(tmp_path / "run", "--resume", "--epochs", 2), 1, f"{path}: ")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
@pytest.mark.parametrize("name", ["config.json", "checkpoint.safetensors"])
def test_a_pipe_in_a_run_is_not_read(name, begin, train, tmp_path):
    list(begin(tmp_path / "run", epochs=1).fit())
    (tmp_path / "run" / name).unlink()
    os.mkfifo(tmp_path / "run" / name)
    one_line(train(tmp_path / "run", "--resume", "--epochs", 2), 1, f"{name}: is a pipe, not a file")
