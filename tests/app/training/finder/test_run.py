"""A run of the finder: its files, that it goes on where it stopped, and that it finds faces."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from fkp_app.cli import main
from fkp_app.errors import FkpError, UsageError
from fkp_app.faces.proposals import NetDetector
from fkp_app.training.finder import run as module
from fkp_app.training.finder.recipe import SHIPPED_RECIPE, Network, load_finder_recipe
from fkp_app.training.finder.run import FinderConfig, FinderRun
from numpynet import load_net, use
from tests.app.commands.test_train_command import same_checkpoints

FILES = {"config.json", "steps.csv", "metrics.csv", "loss.png", "weights.safetensors", "checkpoint.safetensors"}


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(module, "VALIDATION_SCENES", 8)


def tiny(data, epochs=2):
    recipe = load_finder_recipe(SHIPPED_RECIPE)
    training = replace(recipe.training, epochs=epochs, steps=3, batch_size=4)
    return FinderConfig(str(data), 1, replace(recipe, network=Network(64, (2, 2, 3), (4, 4)), training=training))


def test_a_run_writes_its_files_and_weights_that_can_be_used(drawn_data, tmp_path, few):
    run = FinderRun.start(tiny(drawn_data), tmp_path)
    losses = [event.train_loss for event in run.fit() if hasattr(event, "train_loss")]
    assert len(losses) == 2
    assert {path.name for path in tmp_path.iterdir()} - {"checkpoint.previous.safetensors"} == FILES
    assert len((tmp_path / "steps.csv").read_text().splitlines()) == 7
    _, card = load_net(tmp_path / "weights.safetensors")
    assert card.training["epoch"] == 2
    assert 0 <= card.training["validation"]["found"] <= 1
    assert card.training["scenes"]["roll"] == 20
    NetDetector(tmp_path / "weights.safetensors").candidates(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(UsageError, match="holds a training run already"):
        FinderRun.start(tiny(drawn_data), tmp_path)


def test_a_resumed_run_computes_the_same(drawn_data, tmp_path, few):
    whole = FinderRun.start(tiny(drawn_data), tmp_path / "whole")
    list(whole.fit())
    begun = FinderRun.start(tiny(drawn_data), tmp_path / "begun")
    for event in begun.fit():
        if hasattr(event, "train_loss"):
            break
    resumed = FinderRun.resume(tmp_path / "begun", {})
    assert resumed.history.epochs_done == 1
    list(resumed.fit())
    for key, array in whole.trainer.weights().items():
        np.testing.assert_array_equal(resumed.trainer.weights()[key], array)
    with pytest.raises(UsageError, match=r"holds no checkpoint\.safetensors"):
        FinderRun.resume(tmp_path, {})


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("size = 128", "size = 100", "network does not work: FinderNet: size 100 must be a multiple of 8"),
        ("stem = [8, 16, 32]", "stem = [8, 16]", "network.stem must have 3 entries, got 2"),
        ("batch_size = 32", "batch_size = 1", "training.batch_size must be"),
        ("faces = 0.7", "faces = 1.7", "scenes.faces must be"),
    ],
)
def test_a_recipe_that_cannot_work_is_refused(tmp_path, old, new, words):
    text = SHIPPED_RECIPE.read_text("utf-8")
    assert old in text
    path = tmp_path / "a.toml"
    path.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(FkpError, match=words):
        load_finder_recipe(path)


def test_the_settings_of_a_run_have_the_limits_of_a_recipe(tmp_path, drawn_data):
    """Its directory may come from somebody else: a network of any size must not be made."""
    config = asdict(FinderConfig(str(drawn_data), 0, load_finder_recipe(SHIPPED_RECIPE)))
    for stem, words in (([8, 16, 10**9], "stem must be a list of at most 16"), ([8, 16], "stem must have 3 entries")):
        config["recipe"]["network"]["stem"] = stem
        (tmp_path / "config.json").write_text(json.dumps(config))
        with pytest.raises(FkpError, match=words):
            FinderRun.resume(tmp_path, {})


@pytest.mark.parametrize("name", ["_write_weights", "draw"])
@pytest.mark.parametrize("epochs", [1, 2])
def test_killed_between_two_files_of_an_epoch_it_catches_up(name, epochs, drawn_data, tmp_path, few, monkeypatch):
    """Also after the last epoch, which no other follows."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    with use("fast"):
        list(FinderRun.start(tiny(drawn_data, epochs), whole).fit())
    with monkeypatch.context() as patch, use("fast"):
        patch.setattr(module if name == "draw" else FinderRun, name, killed)
        with pytest.raises(KeyboardInterrupt):
            list(FinderRun.start(tiny(drawn_data, epochs), parts).fit())
    resumed = FinderRun.resume(parts, {})
    assert resumed.history.epochs_done == 1
    assert [path for path in FILES if not (parts / path).exists()] == []
    assert load_net(parts / "weights.safetensors")[1].training["epoch"] == 1
    with use("fast"):
        list(resumed.fit())
    assert (parts / "weights.safetensors").read_bytes() == (whole / "weights.safetensors").read_bytes()
    assert (parts / "steps.csv").read_text() == (whole / "steps.csv").read_text()


def killed(*args):
    raise KeyboardInterrupt


def test_a_run_within_an_epoch_goes_on_to_the_same_bits(drawn_data, tmp_path, few):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    list(FinderRun.start(tiny(drawn_data), whole).fit())
    run = FinderRun.start(tiny(drawn_data), parts)
    for _ in zip(range(5), run.fit(), strict=False):  # an epoch has three steps and its end
        pass
    run.save()
    resumed = FinderRun.resume(parts, {})
    assert (resumed.progress.epochs, resumed.progress.steps) == (1, 1)
    list(resumed.fit())
    same_checkpoints(whole, parts)
    assert (parts / "weights.safetensors").read_bytes() == (whole / "weights.safetensors").read_bytes()


def test_a_directory_with_somebody_elses_config_is_not_begun_in(drawn_data, tmp_path, few):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UsageError, match="holds a training run already"):
        FinderRun.start(tiny(drawn_data), tmp_path)
    assert (tmp_path / "config.json").read_text() == '{"model_type": "bert"}'


def test_a_run_that_was_stopped_before_its_first_checkpoint_begins_again(drawn_data, tmp_path, few):
    next(FinderRun.start(tiny(drawn_data), tmp_path).fit())
    assert any("before its first checkpoint; it begins again" in note for note in FinderRun.resume(tmp_path, {}).notes)
    again = FinderRun.start(tiny(drawn_data), tmp_path)
    assert any("the new run replaces it" in note for note in again.notes)


def test_resuming_keeps_what_decides_the_result(drawn_data, tmp_path, few, capsys):
    list(FinderRun.start(replace(tiny(drawn_data, 1), threads=1), tmp_path / "run").fit())
    resume = ["train-finder", "--data", str(drawn_data), "--out", str(tmp_path / "run"), "--resume"]
    assert main([*resume, "--seed", "3"]) == 2
    assert capsys.readouterr().err == "fkp: --resume: --seed cannot change in a run; leave it out\n"
    assert main([*resume, "--checkpoint-every", "1"]) == 0
    assert f"{tmp_path / 'run'} has 1 epoch already, its last" in capsys.readouterr().err
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["threads"], config["checkpoint_every"], config["seed"]) == (1, 1, 1)


def test_the_command_says_what_is_wrong_in_one_line(tmp_path, capsys, drawn_data):
    assert main(["train-finder", "--data", str(tmp_path / "no"), "--out", str(tmp_path / "a")]) != 0
    assert "no such directory" in capsys.readouterr().err
    assert main(["train-finder", "--data", str(drawn_data), "--out", str(tmp_path / "a"), "--recipe", "no.toml"]) == 2
    assert capsys.readouterr().err == "fkp: --recipe must be a TOML file of a finder, got no.toml\n"


def test_the_command_trains(tmp_path, capsys, drawn_data, few):
    recipe = tmp_path / "a.toml"
    text = (
        SHIPPED_RECIPE.read_text("utf-8")
        .replace("steps = 200", "steps = 2")
        .replace("batch_size = 32", "batch_size = 2")
    )
    recipe.write_text(text.replace("size = 128", "size = 64"), "utf-8")
    arguments = ["train-finder", "--data", str(drawn_data), "--out", str(tmp_path / "run"), "--recipe", str(recipe)]
    assert main([*arguments, "--epochs", "1", "--threads", "1"]) == 0
    lines = capsys.readouterr().err
    assert "epoch   1  training loss" in lines
    assert f"weights: {tmp_path / 'run' / 'weights.safetensors'}" in lines
    assert json.loads((tmp_path / "run" / "config.json").read_text())["recipe"]["training"]["epochs"] == 1
