"""A run that is stopped within an epoch goes on to the same bits."""

import itertools
import json
from dataclasses import replace

import pytest

from fkp_app.training import run as training_run
from fkp_app.training.run import TrainingRun
from numpynet.training import EpochEvent, StepEvent
from tests.app.commands.test_train_command import BACKENDS
from tests.app.training.stopped import STEPS, columns, same_runs, stopped_after
from tests.app.training.test_run_files import one_line


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
