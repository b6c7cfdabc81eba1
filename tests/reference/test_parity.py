"""`python -m reference.parity`: its output and its JSON, and that it can fail."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from numpynet import functional
from numpynet.functional import smooth_l1_loss_backward
from reference import parity
from reference.arguments import MODELS
from reference.batches import drawn_batches

SMALL = {"size": 32, "channels": (4, 6), "hidden": (12,), "padding": 1, "dropout": 0.3}


@pytest.fixture
def small(monkeypatch):
    """Replace the model "compact" by a network that trains quickly."""
    monkeypatch.setitem(MODELS, "compact", SMALL)


@pytest.mark.parametrize(("dtype", "lr"), [("float32", "1e-5"), ("float64", "1e-3")])
def test_both_sides_stay_together(small, capsys, tmp_path, dtype, lr):
    arguments = ["--steps", "6", "--dtype", dtype, "--lr", lr, "--floor", "--json", str(tmp_path / "parity.json")]
    assert parity.main(arguments) == 0
    printed = capsys.readouterr().out
    assert printed.rstrip().endswith("passed")
    stored = json.loads((tmp_path / "parity.json").read_text())
    assert [row["step"] for row in stored["losses"]] == list(range(1, 7))
    assert len({row["numpynet"] for row in stored["losses"]}) == 6, "the batches must differ"
    assert all(row["floor"] < stored["tolerance"] for row in stored["losses"])
    rows = {(row["kind"], row["name"]): row for row in stored["tensors"]}
    assert {name for (kind, name), row in rows.items() if row["apart"] and kind == "gradient"} == {
        "conv1.bias",
        "conv2.bias",
        "fc1.bias",
    }
    limit = 1e-3 if dtype == "float32" else 1e-8
    assert all(row["relative"] < limit for row in stored["tensors"] if not row["apart"])
    assert all(name in printed for _, name in rows)


def test_a_wrong_gradient_fails(small, capsys, monkeypatch):
    """A backward pass that is wrong by 1 % changes the second loss, so the exit code is 1."""
    monkeypatch.setattr(
        "numpynet.functional.smooth_l1_loss_backward", lambda dloss, cache: smooth_l1_loss_backward(1.01, cache)[::-1]
    )
    assert parity.main(["--steps", "3", "--lr", "1e-3"]) == 1
    assert capsys.readouterr().out.rstrip().endswith("FAILED")


@pytest.mark.parametrize(
    ("function", "culprit"),
    [
        ("linear_backward", "gradient fc2.weight"),
        ("conv2d_backward", "gradient conv2.weight"),
        ("batch_norm_backward", "gradient fc1_bn.weight"),
    ],
)
def test_the_first_wrong_tensor_is_named(small, capsys, monkeypatch, function, culprit):
    """The mistake is in the weight's gradient, so the net's last layer of this kind shows it first."""
    right = getattr(functional, function)

    def wrong(dout, cache):
        dx, dweight, dbias = right(dout, cache)
        return dx, 1.001 * dweight, dbias

    monkeypatch.setattr(functional, function, wrong)
    parity.main(["--steps", "2"])
    assert f"first to exceed its tolerance: {culprit} at step 1" in capsys.readouterr().out


def test_a_batch_norm_without_its_weight_shows_at_the_first_step_of_a_perturbed_start(small, capsys, monkeypatch):
    """The weight starts at 1, so a backward pass without it is right at step 1, unless the start is perturbed."""
    right = functional.batch_norm_backward
    monkeypatch.setattr(functional, "batch_norm_backward", lambda dout, cache: right(dout, cache._replace(weight=None)))
    parity.main(["--steps", "2"])
    assert "first to exceed its tolerance: gradient fc1.weight at step 2" in capsys.readouterr().out
    parity.main(["--steps", "2", "--perturb", "0.5"])
    assert "first to exceed its tolerance: gradient fc1.weight at step 1" in capsys.readouterr().out


def test_both_sides_start_from_the_same_perturbed_weights(small, capsys, tmp_path):
    losses = []
    for share in ("0", "0.5"):
        assert parity.main(["--steps", "2", "--perturb", share, "--json", str(tmp_path / "parity.json")]) == 0
        losses.append(json.loads((tmp_path / "parity.json").read_text())["losses"][0]["numpynet"])
    assert losses[0] != losses[1]
    assert "start perturbed on both sides alike" in capsys.readouterr().out


def test_the_gradients_of_dead_biases_do_not_look_like_a_failure(small, capsys, tmp_path):
    """They are noise beside the gradient of the weight of the same layer, and the output says so."""
    parity.main(["--steps", "2", "--json", str(tmp_path / "parity.json"), "--floor"])
    rows = json.loads((tmp_path / "parity.json").read_text())["tensors"]
    noise = [row for row in rows if row["apart"] and row["kind"] == "gradient"]
    assert len(noise) == 3
    assert all(row["relative"] < 1e-12 and row["floor"] < 1e-12 for row in noise)
    assert "apart, no failure: " in capsys.readouterr().out


def test_drawn_batches_depend_on_the_seed_alone():
    first, again = (next(drawn_batches(40, 3, seed=5)) for _ in range(2))
    other = next(drawn_batches(40, 3, seed=6))
    assert (first[0].shape, first[1].shape) == ((3, 1, 40, 40), (3, 136))
    assert first[0].dtype == first[1].dtype == np.float32
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize(
    "wrong", [["--steps", "0"], ["--batch-size", "1"], ["--model", "huge"], ["--perturb", "-1"], ["--perturb", "nan"]]
)
def test_usage_errors(wrong):
    with pytest.raises(SystemExit) as error:
        parity.main(wrong)
    assert error.value.code == 2


def test_importing_the_package_loads_no_torch():
    code = "import reference, sys; sys.exit('torch' in sys.modules or 'numpynet' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
