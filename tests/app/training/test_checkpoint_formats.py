"""Checkpoints of other versions, damaged, or without their config.json."""

import json

import numpy as np
import pytest

from fkp_app.training.checkpoints import saved_config
from fkp_app.training.run import TrainingRun
from numpynet.checkpoint import load_tensors, save_tensors
from numpynet.training import EpochEvent
from tests.app.training.stopped import STEPS, same_runs, stopped_after
from tests.app.training.test_run_files import one_line


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
    assert saved_config(run, checked=True)[0] == before


def test_settings_of_a_damaged_checkpoint_are_not_taken(begin, train, tmp_path):
    """A flipped bit can leave other settings that are as valid."""
    run = tmp_path / "run"
    list(begin(run).fit())
    path = run / "checkpoint.safetensors"
    content = path.read_bytes()
    assert content.count(b'\\"seed\\": 1') == 1
    path.write_bytes(content.replace(b'\\"seed\\": 1', b'\\"seed\\": 3'))
    (run / "config.json").unlink()
    ended = train(run, "--resume")
    assert ended.code == 0
    assert "config.json: no such file; it is written again from checkpoint.previous.safetensors" in ended.err
    assert json.loads((run / "config.json").read_text())["settings"]["seed"] == 1


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
