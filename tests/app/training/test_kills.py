"""`python -m tests.kills` with a few runs of a tiny network: killed at random moments, they end with the same bits."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.app.commands.test_train_command import RECIPE

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


def test_a_few_runs_survive_their_kills(tmp_path):
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(RECIPE)
    options = ["--recipe", recipe, "--runs", 4, "--frames", 2, "--minutes", 0, "--ops", "readable"]
    command = [sys.executable, "-m", "tests.kills", *map(str, options), "--least-in-saves", "0"]
    root = Path(__file__).parents[3]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = dict(re.findall(r"^(\D+?)\s+(\d.*)$", done.stdout, re.MULTILINE))
    assert figures["runs"] == "4"
    assert figures["same hash as never killed"] == "4"
    assert int(figures["kills"].split(",")[0]) > 0
    assert re.match(r"0 of [1-9]", figures["checkpoints corrupt"])
