"""Fixtures that begin and go on with a run of a small recipe on drawn faces."""

import pytest

from fkp_app.training.recipe import load_recipe
from fkp_app.training.run import TrainingRun
from fkp_app.training.run_files import Settings
from tests.app.commands.test_train_command import RECIPE


@pytest.fixture
def small(tmp_path):
    (tmp_path / "small.toml").write_text(RECIPE)
    return tmp_path / "small.toml"


@pytest.fixture
def begin(drawn_data, small):
    """Start a run in a directory, without training."""

    def start(directory, backend="numpy", **options):
        settings = Settings(str(drawn_data), str(small), backend, seed=1, threads=None, ops="readable")
        return TrainingRun.start(settings, load_recipe(str(small)).with_options(**options), directory)

    return start


@pytest.fixture
def train(drawn_data, small, fkp):
    """`fkp train` of the small recipe into a directory."""

    def run(directory, *options):
        recipe = () if "--resume" in options else ("--recipe", small, "--seed", 1, "--ops", "readable")
        return fkp("train", "--data", drawn_data, "--out", directory, *recipe, *options)

    return run
