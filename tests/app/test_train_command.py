"""`fkp train` and `fkp evaluate` on drawn faces: files, resuming, both backends, and what they refuse."""

import csv
import json
import sys

import numpy as np
import pytest

from numpynet.checkpoint import load_tensors, load_weights
from tests.drawn import write_dataset


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


BACKENDS = ["numpy", pytest.param("torch", marks=pytest.mark.torch)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_leaves_its_files_and_resumes_as_if_never_stopped(backend, drawn_data, tmp_path, fkp):
    options = ("--data", drawn_data, "--backend", backend, "--batch-size", 4, "--seed", 3, "--threads", 1)
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
    assert config["settings"]["batch_size"] == 4
    assert config["settings"]["lr"] == 1e-3
    assert [row["epoch"] for row in rows(parts / "metrics.csv")] == ["1", "2"]
    assert (parts / "steps.csv").read_text() == (whole / "steps.csv").read_text()
    one, two = load_tensors(whole / "checkpoint.safetensors")[0], load_tensors(parts / "checkpoint.safetensors")[0]
    del one["history.epochs"], two["history.epochs"]  # they hold times
    assert one.keys() == two.keys()
    for key in one:
        np.testing.assert_array_equal(one[key], two[key], err_msg=key)


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
        (["--model", "resnet"], 2, "--model must be net or compact, got resnet"),
        (["--loss", "wing"], 2, "--loss must be smooth_l1 or mse, got wing"),
        (["--ops", "slow"], 2, "--ops must be readable or fast, got slow"),
        (["--backend", "jax"], 2, "--backend must be numpy or torch, got jax"),
        (["--epochs", "0"], 2, "--epochs must be at least 1, got 0"),
        (["--batch-size", "-1"], 2, "--batch-size must be at least 2, got -1"),
        (["--lr", "nan"], 2, "--lr must be a number above 0"),
        (["--seed", "-1"], 2, "--seed must not be negative"),
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


def test_resume_keeps_what_a_run_is_made_of(drawn_data, tmp_path, fkp):
    options = ("--data", drawn_data, "--out", tmp_path / "run")
    assert fkp("train", *options, "--epochs", 1, "--batch-size", 4)[0] == 0
    code, _, err = fkp("train", *options, "--resume", "--loss", "mse", "--epochs", 2)
    assert code == 2
    assert "--loss is smooth_l1 in" in err
    code, _, err = fkp("train", *options, "--resume")
    assert code == 2
    assert "has 1 epochs already; give more with --epochs" in err


@pytest.mark.parametrize("split", ["report", "all"])
def test_evaluate_refuses_an_unknown_split(split, drawn_data, fkp):
    code, _, err = fkp("evaluate", "--data", drawn_data, "--split", split)
    assert code == 2
    assert f"--split must be training, validation or test, got {split}" in err


def spoil(kind, data):
    """Make the fault in a data set: in its test labels, or in a frame of each folder."""
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
