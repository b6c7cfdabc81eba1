"""`python -m numpynet.learn break --table`: what each mistake does to the loss, as text and as pictures."""

import importlib.util
import json
import re
import sys

import numpy as np
import pytest

from numpynet.learn.lessons import loss_table
from numpynet.learn.lessons.loss_chart import chart
from numpynet.learn.lessons.plant import bugs
from numpynet.learn.lessons.trials import crops, small_net, trial
from tests.learn.copies import DOCS, ROOT


def test_the_table_names_what_gradcheck_says():
    found = {row.name: row for row in loss_table.rows(2, 8, ["linear_bias_averaged", "zero_grad_forgotten"])}
    assert list(found) == ["nothing", "linear_bias_averaged", "zero_grad_forgotten"]
    assert found["nothing"].losses[0][-1] < found["nothing"].losses[0][0] / 3
    assert found["linear_bias_averaged"].losses[1] == pytest.approx(found["nothing"].losses[1], rel=0.01)
    assert found["zero_grad_forgotten"].losses[0][-1] > found["nothing"].losses[0][-1]
    assert "0.25 times" in found["linear_bias_averaged"].gradcheck
    assert found["zero_grad_forgotten"].gradcheck.endswith("zero_grad is missing")
    text = loss_table.text(list(found.values()))
    mean = np.mean([losses[4] for losses in found["nothing"].losses])
    assert f"{mean:.5f}±" in text.splitlines()[3]
    assert "mean over 2 seeds," in text
    single = loss_table.text(loss_table.rows(1, 1, []))
    assert single.splitlines()[0].endswith("with one seed")
    assert "±" not in single
    assert max(map(len, text.splitlines())) <= 100


def test_the_measured_table_is_of_these_mistakes_and_of_what_gradcheck_says_today():
    rows = json.loads((DOCS / "planted.json").read_text("utf-8"))["rows"]
    assert [row["name"] for row in rows] == ["nothing", *(bug.name for bug in bugs().values() if bug.table)]
    for row in rows[1:]:
        assert row["gradcheck"] == loss_table.verdict(bugs()[row["name"]])
    assert trial(None, 0, 4).losses == pytest.approx(rows[0]["losses"][0][:5], rel=1e-3)
    assert {(len(row["losses"]), len(row["new_crops"]), len(row["losses"][4])) for row in rows} == {(5, 5, 81)}


def test_a_mistake_changes_the_training_and_ends_with_it():
    right = trial(None, 0, 3).losses
    wrong = trial(bugs()["relu_drops_upstream"], 0, 3).losses
    assert wrong[0] == right[0]
    assert wrong[1:] != right[1:]
    assert trial(None, 0, 3).losses == right


def test_new_crops_are_the_same_faces_elsewhere():
    """Moved by 4 pixels, which are 2 of the halved crop and 4 * 2 / 96 of a target."""
    images, targets, new_images, new_targets = crops()
    np.testing.assert_allclose(new_images[1][:, :, :-2], images[1][:, :, 2:], rtol=1e-6)
    np.testing.assert_allclose(targets[1] - new_targets[1], np.tile([8 / 96, 0], 68), atol=1e-6)
    np.testing.assert_allclose(new_images[2][:, 2:], images[2][:, :-2], rtol=1e-6)
    np.testing.assert_allclose(targets[2] - new_targets[2], np.tile([0, -8 / 96], 68), atol=1e-6)
    assert small_net(0)(images).shape == targets.shape


def test_chart_draws_each_curve_and_marks_where_they_meet():
    lines = chart({"A": [1.0, 0.1, 0.01], "B": [1.0, 0.1, 0.1]}).splitlines()
    assert lines[0] == "  1.00000 |*"
    assert lines[6].rstrip().endswith("*" + " " * 31 + "B")
    assert lines[12].rstrip().endswith("A")
    assert "0.01000 |" in lines[12]
    assert lines[15].strip() == "The scale is logarithmic: each line down divides the loss by 1.47."  # 100 ** (1 / 12)


@pytest.fixture
def make_planted_curves(monkeypatch):
    """The module docs/make_planted_curves.py."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    specification = importlib.util.spec_from_file_location(
        "make_planted_curves", ROOT / "docs" / "make_planted_curves.py"
    )
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_picture_of_the_curves_is_that_of_the_measured_losses_in_light_and_dark(make_planted_curves):
    """`python docs/make_planted_curves.py --draw` draws it anew."""
    data = json.loads((DOCS / "planted.json").read_text("utf-8"))
    svg = (DOCS / "figures" / "planted-curves.svg").read_text("utf-8")
    assert svg == make_planted_curves.drawn(data).svg()
    assert "prefers-color-scheme:dark" in svg
    assert len(re.findall('<path d="M[^"]*" class="ink cool"', svg)) == len(data["rows"])
    data["rows"][3]["losses"][0][40] *= 2
    assert svg != make_planted_curves.drawn(data).svg()
