"""The learning area needs NumPy alone: with everything else blocked, its commands run in a new process."""

import subprocess
import sys

import pytest

BLOCKED = (
    *("torch", "numba", "cv2", "matplotlib", "safetensors", "threadpoolctl", "rich", "pandas", "typer", "PIL"),
    *("scipy", "pooch", "skimage", "fkp_app", "reference", "benchmarks", "tests"),
)


def run(program, cwd, timeout=60):
    """A new Python process in which importing one of BLOCKED fails, after this program; (status, output, errors)."""
    head = f"import sys\nfor name in {BLOCKED!r}: sys.modules[name] = None\n"
    done = subprocess.run(
        [sys.executable, "-c", head + program], capture_output=True, text=True, cwd=cwd, timeout=timeout, check=False
    )
    return done.returncode, done.stdout, done.stderr


def learn(*arguments):
    return f"from numpynet.learn.__main__ import main\nsys.exit(main({list(arguments)!r}))"


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ((), "01-one-point"),
        (("one-point",), "conv.weight.grad"),
        (("one-point", "--nudge", "x[2,3]"), "slope from the backward pass"),
        (("jacobian", "conv2d"), "Jacobian (9, 16)"),
        (("same", "conv2d"), "All ways are the same sum."),
        (("adam",), "First move"),
        (("settle", "--steps", "2"), "by heart"),
    ],
)
def test_the_commands_run(arguments, wanted, tmp_path):
    status, out, errors = run(learn(*arguments), tmp_path)
    assert (status, errors) == (0, "")
    assert wanted in out
    assert list(tmp_path.iterdir()) == []


def test_every_public_name_of_numpynet_is_there(tmp_path):
    program = "import numpynet as n, numpynet.gradcheck\nprint(*[name for name in n.__all__ if not hasattr(n, name)])"
    assert run(program, tmp_path) == (0, "\n", "")


def test_without_safetensors_weights_can_be_saved_and_reading_them_names_it(tmp_path):
    program = (
        "import numpynet\n"
        "net = numpynet.HourglassNet(16, (3,), (4, 5, 6), rng=0)\n"
        "card = numpynet.WeightsCard(architecture='HourglassNet', arguments=net.arguments, input_size=16)\n"
        "numpynet.save_weights('weights.safetensors', net.state_dict(), card)\n"
        "numpynet.load_net('weights.safetensors')\n"
    )
    status, _, errors = run(program, tmp_path)
    assert status == 1
    assert "safetensors" in errors.splitlines()[-1]
    assert (tmp_path / "weights.safetensors").stat().st_size > 1000
