"""The choice of the best epoch, for all kinds of figures."""

import math

import pytest

from fkp_app.training import run as training_run
from fkp_app.training.history import EpochRow, History
from fkp_app.training.recipe import load_recipe
from fkp_app.training.run import Settings, TrainingRun
from numpynet.checkpoint import load_weights
from tests.app.commands.test_train_command import RECIPE

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("nmes", "best"),
    [
        ([9, 7, 8], [1, 2, 2]),
        ([NAN, NAN, NAN], [1, 2, 3]),  # no validation data: the latest
        ([INF, INF, INF], [1, 2, 3]),  # no finite figure to choose by: the latest, too
        ([INF, 30, INF, NAN, 20], [1, 2, 2, 2, 5]),
        ([NAN, 5, INF, 6], [1, 2, 2, 2]),
    ],
)
def test_the_best_epoch(nmes, best):
    history = History()
    for epoch, nme in enumerate(nmes, 1):
        better = epoch if history.improves(float(nme)) else history.best_epoch
        history.epochs.append(EpochRow(epoch, 0.1, 0.1, float(nme), 0.0, 0.01, 1.0, better))
    assert [row.best_epoch for row in history.epochs] == best


def test_a_run_without_one_finite_figure_leaves_weights_all_the_same(drawn_data, tmp_path, monkeypatch):
    from dataclasses import replace

    (tmp_path / "small.toml").write_text(RECIPE)
    score = training_run.score
    monkeypatch.setattr(training_run, "score", lambda *args: replace(score(*args), nme=INF))
    settings = Settings(str(drawn_data), "small", "numpy", seed=1, threads=None, ops="fast")
    run = TrainingRun.start(settings, load_recipe(str(tmp_path / "small.toml")), tmp_path / "run")
    list(run.fit())
    assert run.history.best_epoch == 3
    assert load_weights(tmp_path / "run" / "weights.safetensors")[1].training["epoch"] == 3
