"""`fkp train` and `fkp evaluate` on drawn faces: files, resuming, both backends, and their errors."""

import csv
import json
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
from PIL import Image

from fkp_app.backends.predictor import SHIPPED_WEIGHTS
from fkp_app.training.curves import plot_losses
from fkp_app.training.recipe import load_recipe
from fkp_app.training.run import Settings, TrainingRun
from numpynet.checkpoint import load_tensors, load_weights
from numpynet.training import EpochEvent
from tests.drawn import write_dataset


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


BACKENDS = ["numpy", pytest.param("torch", marks=pytest.mark.torch)]

RECIPE = """
[network]
architecture = "KeypointNet"
arguments = { size = 32, channels = [4, 8], hidden = [16], padding = 1, dropout = 0.2 }
[framing]
kind = "face"
size = 32
scale = 1.3
[augmentation]
rotate = 20
flip = true
noise = { probability = 0.5 }
[training]
epochs = 3
batch_size = 4
average = 0.9
loss = { name = "wing" }
optimizer = { name = "adamw", lr = 0.01 }
schedule = { name = "one_cycle" }
"""


@pytest.fixture
def small(tmp_path):
    """The file of a recipe that trains quickly."""
    (tmp_path / "small.toml").write_text(RECIPE)
    return tmp_path / "small.toml"


def same_checkpoints(one, two):
    one, two = (load_tensors(run / "checkpoint.safetensors")[0] for run in (one, two))
    times = [state.pop("history.epochs") for state in (one, two)]
    assert one.keys() == two.keys()
    for key in one:
        np.testing.assert_array_equal(one[key], two[key], err_msg=key)
    np.testing.assert_array_equal(*(np.delete(rows, -2, axis=1) for rows in times))  # all columns but the seconds


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_leaves_its_files_and_resumes_as_if_never_stopped(backend, drawn_data, tmp_path, fkp):
    options = ("--data", drawn_data, "--backend", backend, "--batch-size", 4, "--seed", 3, "--threads", 1)
    options += ("--recipe", "compact")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert fkp("train", *options, "--out", whole, "--epochs", 2)[0] == 0
    assert fkp("train", *options, "--out", parts, "--epochs", 1)[0] == 0
    np.random.default_rng(0).random(100)
    assert fkp("train", "--data", drawn_data, "--out", parts, "--epochs", 2, "--resume")[0] == 0

    for name in (
        "config.json",
        "metrics.csv",
        "steps.csv",
        "loss.png",
        "weights.safetensors",
        "checkpoint.safetensors",
    ):
        assert (parts / name).stat().st_size > 0
    assert not [path.name for path in parts.iterdir() if path.name.startswith(".")]
    config = json.loads((parts / "config.json").read_text())
    assert config["recipe"]["training"]["batch_size"] == 4
    assert config["recipe"]["training"]["epochs"] == 2
    assert config["recipe"]["training"]["optimizer"] == asdict(load_recipe("compact").training.optimizer)
    assert config["settings"]["recipe"] == "compact"
    assert [row["epoch"] for row in rows(parts / "metrics.csv")] == ["1", "2"]
    assert (parts / "steps.csv").read_text() == (whole / "steps.csv").read_text()
    same_checkpoints(whole, parts)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_with_a_schedule_and_an_average_resumes_exactly(backend, drawn_data, small, tmp_path):
    """Stopped within an epoch: the resumed run repeats the steps since the last whole epoch."""
    settings = Settings(str(drawn_data), str(small), backend, seed=1, threads=None, ops="fast")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    list(TrainingRun.start(settings, load_recipe(str(small)), whole).fit())
    for event in TrainingRun.start(settings, load_recipe(str(small)), parts).fit():
        if event.epoch == 2:
            break
    small.unlink()
    list(TrainingRun.resume(parts, {}, {}).fit())
    same_checkpoints(whole, parts)
    assert (parts / "steps.csv").read_text() == (whole / "steps.csv").read_text()
    one, two = (load_weights(run / "weights.safetensors") for run in (whole, parts))
    assert one[1] == two[1]
    for key, array in one[0].items():
        np.testing.assert_array_equal(array, two[0][key], err_msg=key)
    rates = [float(row["lr"]) for row in rows(whole / "steps.csv")]
    assert rates[0] < max(rates) > rates[-1]
    assert len(set(rates)) == len(rates)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_may_start_with_the_weights_of_another(backend, drawn_data, small, tmp_path, fkp):
    options = ("--data", drawn_data, "--recipe", small, "--backend", backend, "--epochs", 1)
    assert fkp("train", *options, "--out", tmp_path / "first").code == 0
    first = tmp_path / "first" / "weights.safetensors"
    trained, _ = load_weights(first)
    # With tiny steps the weights hardly change, which shows their origin.
    again = ("--start", first, "--lr", 1e-9, "--seed", 5)
    assert fkp("train", *options, *again, "--out", tmp_path / "second").code == 0
    state, card = load_weights(tmp_path / "second" / "weights.safetensors")
    assert card.training["settings"]["start"] == "weights.safetensors"
    for key, array in trained.items():
        if key.endswith(("weight", "bias")):
            np.testing.assert_allclose(state[key], array, rtol=0, atol=1e-6, err_msg=key)
    first.unlink()  # the checkpoint alone is enough to continue
    resumed = ("--data", drawn_data, "--out", tmp_path / "second", "--resume", "--epochs", 2)
    assert fkp("train", *resumed).code == 0
    ended = fkp("train", *resumed, "--start", "other.safetensors")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "--start is " in ended.err


def test_weights_to_start_with_must_be_of_the_recipes_network(drawn_data, small, tmp_path, fkp):
    options = ("--data", drawn_data, "--recipe", small, "--out", tmp_path / "run")
    ended = fkp("train", *options, "--start", SHIPPED_WEIGHTS)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"fkp: --start {SHIPPED_WEIGHTS}: is a HourglassNet with arguments")
    assert ended.err.count("\n") == 1
    ended = fkp("train", *options, "--start", tmp_path / "none.safetensors")
    assert (ended.code, ended.err) == (1, f"fkp: {tmp_path}/none.safetensors: no such file\n")
    assert not (tmp_path / "run").exists()


def test_a_run_may_start_with_the_shipped_weights(drawn_data, tmp_path, fkp):
    options = ("--data", drawn_data, "--recipe", "hourglass-finish", "--epochs", 1, "--lr", 1e-9, "--batch-size", 4)
    assert fkp("train", *options, "--start", "shipped", "--out", tmp_path / "run").code == 0
    state, card = load_weights(tmp_path / "run" / "weights.safetensors")
    assert card.training["settings"]["start"] == "shipped"
    for key, array in load_weights(SHIPPED_WEIGHTS)[0].items():
        if key.endswith(("weight", "bias")):
            np.testing.assert_allclose(state[key], array, rtol=0, atol=1e-6, err_msg=key)


def test_metrics_tell_the_best_epoch_and_its_weights_are_kept(drawn_data, small, tmp_path, monkeypatch):
    """With invented NMEs."""
    settings = Settings(str(drawn_data), str(small), "numpy", seed=1, threads=None, ops="fast")
    recipe = load_recipe(str(small)).with_options(epochs=7)
    recipe = replace(recipe, training=replace(recipe.training, validate_every=2))
    nmes = iter([9.0, 7.0, 8.0, 7.0])  # after epochs 2, 4, 6, and 7, the last

    from fkp_app.training import run as training_run

    score = training_run.score
    monkeypatch.setattr(training_run, "score", lambda *args: replace(score(*args), nme=next(nmes), failures=50.0))
    run = TrainingRun.start(settings, recipe, tmp_path / "run")
    kept = {}
    for event in run.fit():
        if isinstance(event, EpochEvent):
            kept[event.epoch] = {key: array.copy() for key, array in run.trainer.weights().items()}
    table = rows(tmp_path / "run" / "metrics.csv")
    assert [row["validation_nme"] for row in table] == ["", "9", "", "7", "", "8", "7"]
    assert [row["validation_failures"] for row in table] == ["", "50", "", "50", "", "50", "50"]
    assert [row["best_epoch"] for row in table] == ["1", "2", "2", "4", "4", "4", "4"]
    assert [bool(row["validation_loss"]) for row in table] == [False, True, False, True, False, True, True]
    assert all(float(row[name]) > 0 for row in table for name in ("train_loss", "lr", "seconds"))
    weights, card = load_weights(tmp_path / "run" / "weights.safetensors")
    assert card.training["epoch"] == 4
    assert card.training["validation"]["nme"] == 7.0
    assert card.training["training"]["loss"] == {"name": "wing", "w": 0.2, "eps": 0.05}
    assert card.training["augmentation"]["rotate"] == 20.0
    for key, array in weights.items():
        np.testing.assert_array_equal(array, kept[4][key])


def test_a_run_that_no_longer_improves_ends(drawn_data, small, tmp_path, monkeypatch, fkp):
    small.write_text(RECIPE.replace("epochs = 3", "epochs = 9\npatience = 2"))

    from fkp_app.training import run as training_run

    score, nmes = training_run.score, iter([5.0, 4.0, 4.0, 6.0])
    monkeypatch.setattr(training_run, "score", lambda *args: replace(score(*args), nme=next(nmes)))
    options = ("--data", drawn_data, "--out", tmp_path / "run")
    ended = fkp("train", *options, "--recipe", small)
    assert ended.code == 0
    assert [row["best_epoch"] for row in rows(tmp_path / "run" / "metrics.csv")] == ["1", "2", "2", "2"]
    assert ended.err.count("the best so far") == 2
    assert "weights of epoch 2: " in ended.err
    ended = fkp("train", *options, "--resume", "--epochs", 20)
    assert (ended.code, ended.err.count("\n")) == (0, 2)
    assert "has ended: after 4 epochs the best is still 2" in ended.err
    assert f"weights of epoch 2: {tmp_path}/run/weights.safetensors" in ended.err


def test_without_validation_people_the_latest_weights_are_kept(small, tmp_path, monkeypatch):
    monkeypatch.setattr("tests.drawn.VALIDATION_PEOPLE", ("Eva_Arc",))
    data = write_dataset(tmp_path / "data", people=2, videos=1, frames=3)
    settings = Settings(str(data), str(small), "numpy", seed=1, threads=None, ops="fast")
    list(TrainingRun.start(settings, load_recipe(str(small)), tmp_path / "run").fit())
    assert [row["best_epoch"] for row in rows(tmp_path / "run" / "metrics.csv")] == ["1", "2", "3"]
    card = load_weights(tmp_path / "run" / "weights.safetensors")[1]
    assert card.training["epoch"] == 3
    assert "validation" not in card.training


def test_curves_show_nme_where_there_is_one(tmp_path):
    """And they are renewed after each epoch, from the files alone."""
    for name, nme in {"with": "7.5", "without": ""}.items():
        run = tmp_path / name
        run.mkdir()
        (run / "steps.csv").write_text("epoch,step,loss,lr\n1,1,0.5,0.1\n1,2,0.4,0.1\n2,1,0.3,0.1\n2,2,0.2,0.1\n")
        (run / "metrics.csv").write_text(f"epoch,train_loss,validation_loss,validation_nme\n1,0.4,,\n2,0.3,0.3,{nme}\n")
        plot_losses({name: run}, tmp_path / f"{name}.png")
    wide, narrow = (Image.open(tmp_path / f"{name}.png").width for name in ("with", "without"))
    assert wide > 1.4 * narrow


@pytest.mark.torch
def test_both_backends_begin_alike_and_score_the_same_weights_alike(drawn_data, tmp_path, fkp):
    losses, scores = [], []
    for backend in ("numpy", "torch"):
        out = tmp_path / backend
        arguments = ("--data", drawn_data, "--backend", backend, "--epochs", 1, "--batch-size", 4, "--out", out)
        assert fkp("train", *arguments)[0] == 0
        losses.append(float(rows(out / "steps.csv")[0]["loss"]))
        weights = tmp_path / "numpy" / "weights.safetensors"
        arguments = ("--data", drawn_data, "--split", "test", "--weights", weights, "--backend", backend, "--json", "-")
        code, report, _ = fkp("evaluate", *arguments)
        assert code == 0
        scores.append(json.loads(report)["model"]["nme"])
    # Same weights and images; only the dropout masks differ, so the first losses are near but not equal.
    assert losses[0] == pytest.approx(losses[1], rel=0.1)
    assert scores[0] == pytest.approx(scores[1], abs=0.01)


def test_evaluate_prints_the_figures_beside_the_mean_face(drawn_data, tmp_path, fkp):
    out = tmp_path / "run"
    assert fkp("train", "--data", drawn_data, "--out", out, "--epochs", 1, "--batch-size", 4)[0] == 0
    report = tmp_path / "report.json"
    code, text, _ = fkp(
        "evaluate",
        "--data",
        drawn_data,
        "--split",
        "test",
        "--weights",
        out / "weights.safetensors",
        "--json",
        report,
    )
    assert code == 0
    figures = json.loads(report.read_text())
    for name in ("model", "mean_face"):
        assert f"{figures[name]['nme']:.3f} %" in text
        assert f"{figures[name]['mse']:.5f}" in text
    assert figures["split"] == "test"
    card = load_weights(out / "weights.safetensors")[1]
    assert "data" not in card.training["settings"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--recipe", "resnet"], 2, "--recipe must be compact, hourglass, hourglass-finish, net, net-good or a TOML "),
        (["--loss", "huber"], 2, "Invalid value for '--loss': must be smooth_l1, l1, mse or wing, got huber"),
        (["--ops", "slow"], 2, "Invalid value for '--ops': must be readable or fast, got slow"),
        (["--backend", "jax"], 2, "Invalid value for '--backend': must be numpy or torch, got jax"),
        (["--backend", "onnx"], 2, "Invalid value for '--backend': must be numpy or torch, got onnx"),
        (["--epochs", "0"], 2, "Invalid value for '--epochs': must be at least 1, got 0"),
        (["--batch-size", "-1"], 2, "Invalid value for '--batch-size': must be at least 2, got -1"),
        (["--lr", "nan"], 2, "Invalid value for '--lr': must be a number above 0"),
        (["--lr", "100"], 1, "training.optimizer.lr must be a number in 1e-09 .. 10, got 100.0"),
        (["--seed", "-1"], 2, "Invalid value for '--seed': must be between 0 and 9007199254740992, got -1"),
        (["--epochs", "many"], 2, "--epochs"),
        (["--resume"], 2, "holds no checkpoint.safetensors"),
    ],
)
def test_train_refuses_in_one_line(arguments, code, words, drawn_data, tmp_path, fkp):
    result, out, err = fkp("train", "--data", drawn_data, "--out", tmp_path / "run", *arguments)
    assert result == code
    assert words in err
    assert err.count("\n") == 1
    assert not out
    assert not (tmp_path / "run").exists()


def test_train_refuses_data_that_is_not_there_and_a_directory_in_use(drawn_data, tmp_path, fkp):
    code, _, err = fkp("train", "--data", tmp_path / "nothing", "--out", tmp_path / "run")
    assert (code, err.count("\n")) == (1, 1)
    assert "nothing: no such directory" in err
    (tmp_path / "file").write_text("")
    code, _, err = fkp("train", "--data", drawn_data, "--out", tmp_path / "file")
    assert (code, err.count("\n")) == (2, 1)
    assert "file cannot be made" in err
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    code, _, err = fkp("train", "--data", drawn_data, "--out", tmp_path / "run")
    assert code == 2
    assert "holds a training run already" in err


def test_resume_keeps_the_settings_of_the_run(drawn_data, tmp_path, fkp):
    options = ("--data", drawn_data, "--out", tmp_path / "run")
    assert fkp("train", *options, "--epochs", 1, "--batch-size", 4, "--loss", "smooth_l1")[0] == 0
    code, _, err = fkp("train", *options, "--resume", "--loss", "mse", "--epochs", 2)
    assert code == 2
    assert "--loss is smooth_l1 in" in err
    code, _, err = fkp("train", *options, "--resume", "--recipe", "net", "--epochs", 2)
    assert code == 2
    assert "--recipe is hourglass in" in err
    code, _, err = fkp("train", *options, "--resume")
    assert code == 0
    assert "has 1 epoch already; give more with --epochs" in err
    assert "weights of epoch 1: " in err


@pytest.mark.parametrize("damage", ["not json", '{"settings": {}}', None])
def test_resume_of_a_damaged_run_is_one_line(damage, drawn_data, small, tmp_path, fkp):
    options = ("--data", drawn_data, "--out", tmp_path / "run")
    assert fkp("train", *options, "--recipe", small)[0] == 0
    path = tmp_path / "run" / "config.json"
    config = json.loads(path.read_text())
    config["recipe"]["training"]["batch_size"] = 1
    path.write_text(damage or json.dumps(config))
    code, _, err = fkp("train", *options, "--resume", "--epochs", 5)
    assert (code, err.count("\n")) == (1, 1)
    assert "config.json: " in err
    if damage is None:
        assert "training.batch_size must be a whole number in 2 .. 65536, got 1" in err


def test_a_slip_in_a_recipe_ends_the_command_in_one_line(drawn_data, small, tmp_path, fkp):
    small.write_text(RECIPE.replace("rotate", "rotation"))
    code, out, err = fkp("train", "--data", drawn_data, "--out", tmp_path / "run", "--recipe", small)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert f"{small}: augmentation.rotation is not a known key; expected rotate, " in err
    assert not (tmp_path / "run").exists()


def test_evaluate_refuses_an_unknown_split(drawn_data, fkp):
    code, _, err = fkp("evaluate", "--data", drawn_data, "--split", "all")
    assert code == 2
    assert "Invalid value for '--split': must be training, validation, report or test, got all" in err


def spoil(kind, data):
    """Damage a data set: its test labels, or one frame of each folder."""
    path = data / "test_frames_keypoints.csv"
    table = cells(path)
    if kind == "frame truncated":
        for folder in ("training", "test"):
            frame = data / folder / cells(data / f"{folder}_frames_keypoints.csv")[1][0]
            frame.write_bytes(frame.read_bytes()[:700])
    elif kind == "columns missing":
        table = [row[:-3] for row in table]
    elif kind == "NaN":
        table[2][5] = "nan"
    elif kind == "frame missing":
        table[1][0] = "Nobody_00.jpg"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(table)


def cells(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("command", ["train", "evaluate", "data show"])
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("columns missing", "test_frames_keypoints.csv"),
        ("NaN", "test_frames_keypoints.csv"),
        ("frame missing", "Nobody_00.jpg"),
        ("frame truncated", "is truncated or damaged"),
    ],
)
def test_faulty_data_is_one_line(kind, words, command, tmp_path, fkp):
    data = write_dataset(tmp_path / "data", people=2, videos=1, frames=2, test_frames=2)
    spoil(kind, data)
    arguments = {
        "train": ["--data", data, "--out", tmp_path / "run", "--batch-size", 2],
        "evaluate": ["--data", data, "--split", "test", "--json", tmp_path / "a.json"],
        "data show": [data, "--out", tmp_path / "a.png", "--count", 6],
    }[command]
    ended = fkp(*command.split(), *arguments)
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert words in ended.err
    assert not any((tmp_path / name).exists() for name in ("a.json", "a.png", "run/weights.safetensors"))


@pytest.mark.torch
@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_torch_that_is_not_there(command, drawn_data, tmp_path, monkeypatch, fkp):
    for name in [name for name in sys.modules if name.partition(".")[0] in ("torch", "reference")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    options = ["--out", tmp_path / "run"] if command == "train" else ["--split", "test"]
    ended = fkp(command, "--data", drawn_data, "--backend", "torch", *options)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "fkp: --backend torch needs PyTorch: pip install 'numpynet-fkp[torch]'\n"
    assert not (tmp_path / "run").exists()


def test_kernels_that_cannot_be_loaded_are_one_line_with_the_way_out(fkp, drawn_data, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "numpynet.kernels", None)  # makes its import fail
    ended = fkp("train", "--data", drawn_data, "--out", tmp_path / "run")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.count("\n") == 1
    assert ended.err.startswith("fkp: --ops fast: ")
    assert "give --ops readable" in ended.err
    assert not (tmp_path / "run").exists()
