"""Modules that a command does not need are not loaded: sys.modules of a new process shows it."""

import subprocess
import sys

import pytest

from fkp_app.media.images import write_image
from tests.free_pictures import hopper

HEAVY = ("torch", "pandas", "matplotlib", "scipy", "skimage", "numba", "gradio", "av", "onnx")


def loaded(program, cwd):
    """The top-level modules in a new process after this Python program, which may print nothing else."""
    program += "\nimport sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.fixture
def here():
    from pathlib import Path

    return Path(__file__).parent.parent.parent


def test_numpynet_needs_numpy_alone(here):
    modules = loaded("import numpynet, numpynet.gradcheck, numpynet.checkpoint, numpynet.learn", here)
    assert "numpynet" in modules
    others = {"cv2", "PIL", "typer", "rich", "safetensors", "threadpoolctl", "fkp_app", "reference", "hypothesis"}
    assert not modules & {*HEAVY, *others}


def test_the_api_loads_opencv_only_when_called(here):
    assert not loaded("from fkp_app import detect", here) & {*HEAVY, "cv2", "PIL", "reference"}


@pytest.mark.parametrize("command", ["detect", "filter"])
def test_detecting_loads_no_torch_pandas_or_matplotlib(command, here, tmp_path):
    write_image(tmp_path / "photo.png", hopper())
    arguments = [command, str(tmp_path / "photo.png"), "--out", str(tmp_path / "out")]
    modules = loaded(f"from fkp_app.cli import main; assert main({arguments!r}) == 0", here)
    assert {"cv2", "fkp_app", "numpynet"} <= modules
    assert not modules & {*HEAVY, "reference"}
    assert (tmp_path / "out" / "photo.png.png").is_file()


def test_the_demo_loads_none_either(here, tmp_path):
    modules = loaded(f"from fkp_app.cli import main; assert main(['demo', '--out', {str(tmp_path)!r}]) == 0", here)
    assert not modules & {*HEAVY, "reference"}


def test_help_loads_hardly_anything(here):
    assert not loaded("from fkp_app.cli import main; assert main(['--help']) == 0", here) & {*HEAVY, "cv2", "PIL"}


@pytest.mark.torch
def test_the_torch_backend_does_load_it(here, tmp_path):
    """The counterpart: it shows that the tests above would notice torch."""
    program = (
        f"from fkp_app.cli import main; assert main(['demo', '--backend', 'torch', '--out', {str(tmp_path)!r}]) == 0"
    )
    assert {"torch", "reference"} <= loaded(program, here)
