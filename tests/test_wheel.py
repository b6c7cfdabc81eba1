"""The wheel holds what it should, and works from a directory that is not the project's."""

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("numpynet", "reference", "fkp_app")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    if int(version("setuptools").partition(".")[0]) < 77:
        pytest.skip(f"setuptools {version('setuptools')} cannot build the project: 77 or later, as in the extra `test`")
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in (*PACKAGES, "tests", "benchmarks"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", target, source]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    (path,) = target.glob("numpynet_fkp-*.whl")
    return path


def test_contents(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    for name in (
        "weights/finder.safetensors",
        "weights/hourglass.safetensors",
        "weights/hourglass-1.safetensors",
        "weights/hourglass-2.safetensors",
        "weights/README.md",
        "training/finder/finder.toml",
        "training/recipes/compact.toml",
        "training/recipes/hourglass.toml",
        "training/recipes/hourglass-finish.toml",
        "training/recipes/net.toml",
        "training/recipes/net-good.toml",
        "assets/sunglasses.png",
        "assets/ytf68_manifest.csv.gz",
    ):
        assert f"fkp_app/{name}" in names
    assert "numpynet/py.typed" in names
    assert wheel.stat().st_size < 12e6


def test_installed_it_runs_elsewhere(wheel, tmp_path):
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)  # what an installer does with a pure wheel
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-m", "fkp_app", "demo", "--out", "out"]
    result = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in (elsewhere / "out").iterdir()) == [
        "faces.json",
        "keypoints.png",
        "sunglasses.png",
    ]
    where = [sys.executable, "-c", "import fkp_app; print(fkp_app.__file__)"]
    result = subprocess.run(where, cwd=elsewhere, env=environment, capture_output=True, text=True)
    assert Path(result.stdout.strip()).is_relative_to(site)
