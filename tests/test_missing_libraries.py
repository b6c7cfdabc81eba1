"""Commands whose libraries are not installed say in one line how to install them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
APP = ("typer", "rich", "cv2", "PIL", "pandas", "matplotlib", "pooch", "safetensors", "threadpoolctl", "numba", "torch")


def run_without(libraries, module, *arguments):
    """`python -m MODULE ARGUMENTS` in a new process that cannot import these libraries; (status, output, errors)."""
    program = (
        "import runpy, sys\n"
        f"sys.modules.update(dict.fromkeys({libraries!r}))\n"
        f"sys.argv[1:] = {arguments!r}\n"
        f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("libraries", "module", "arguments", "line"),
    [
        (APP, "fkp_app", ["inspect", "photo.jpg"], "fkp: typer is not installed; {}pip install -e ."),
        (("threadpoolctl",), "fkp_app", ["demo"], "fkp: threadpoolctl is not installed; {}pip install -e ."),
        (("torch",), "reference.parity", [], "python -m reference.parity: torch is not installed; {}{}"),
        (APP, "reference.parity", [], "python -m reference.parity: torch is not installed; {}{}"),
        (("torch",), "benchmarks", ["profile"], "python -m benchmarks profile: torch is not installed; {}{}"),
        (("torch",), "benchmarks", ["train"], "python -m benchmarks train: torch is not installed; {}{}"),
        (("cv2",), "benchmarks", ["video"], "python -m benchmarks video: cv2 is not installed; {}{}"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_one_line_names_the_library_and_the_command(libraries, module, arguments, line):
    wanted = line.format("in the folder of the project, type: ", "pip install -e '.[torch]'") + "\n"
    assert run_without(libraries, module, *arguments) == (1, "", wanted)


@pytest.mark.parametrize(
    ("module", "ours"), [("fkp_app", "fkp_app.commands.detect"), ("benchmarks", "benchmarks.step_profile")]
)
def test_a_missing_module_of_the_project_is_no_library(module, ours):
    status, _, errors = run_without((ours,), module, "profile")
    assert status == 1
    assert "Traceback" in errors
    assert errors.splitlines()[-1].startswith("ModuleNotFoundError: ")
