"""Wrong options, outputs that cannot be written and libraries that are missing are one line each; also the help."""

import os
import stat
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from fkp_app.media.images import write_image


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["detect"], "Missing argument 'SOURCE"),
        (["detect", "a.png", "--backend", "jax"], "--backend must be one of numpy, torch, onnx, got jax"),
        (["detect", "a.png", "--threads", "0"], "Invalid value for '--threads': must be at least 1, got 0"),
        (["detect", "a.png", "--threads", "two"], "--threads"),
        (
            ["detect", "a.png", "--min-confidence", "1.5"],
            "Invalid value for '--min-confidence': must be between 0 and 1, got 1.5",
        ),
        (
            ["detect", "a.png", "--min-confidence", "nan"],
            "Invalid value for '--min-confidence': must be between 0 and 1, got nan",
        ),
        (["detect", "a.png", "--quality", "good"], "Invalid value for '--quality': must be fast or best, got good"),
        (["detect", "a.png", "--json", "-", "--csv", "-"], "cannot both write to standard output"),
        (["detect", "a.png", "--json", "nowhere/a.json"], "--json nowhere/a.json: there is no folder nowhere"),
        (["detect", "a.png", "--csv", "."], "--csv .: is a folder; name a file"),
        (["detect", "--json", "a.png", "a.png"], "--json a.png: is an image or a video, which is not written over"),
        (["detect", "--csv", "a.png", "b.png"], "--csv a.png: is an image or a video, which is not written over"),
        (["detect", "a.png", "--json", "b", "--csv", "./b"], "--json and --csv name one file, b; give each its own"),
        (["detect", "a.png", "--colour", "red"], "--colour"),
        (["filter", "a.png"], "--out"),
        (["filter", "a.png", "--out", "out", "--style", "hat"], "--style must be one of sunglasses, aviator, "),
        (["demo", "--backend", "jax"], "--backend must be one of numpy, torch, onnx, got jax"),
        (["dance"], "dance"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments, words, portrait, tmp_path, monkeypatch, fkp):
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "a.png", portrait[0])
    ended = fkp(*arguments)
    assert ended.code == 2
    assert ended.err.startswith("fkp: ")
    assert words in ended.err
    assert ended.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("command", ["detect", "filter", "demo"])
def test_an_output_folder_that_cannot_be_written(command, portrait, tmp_path, monkeypatch, fkp):
    write_image(tmp_path / "a.png", portrait[0])
    source = [] if command == "demo" else [tmp_path / "a.png"]
    (tmp_path / "file").write_text("kept")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        ended = fkp(command, *source, "--out", out)
        assert (ended.code, ended.out) == (2, "")
        assert ended.err == f"fkp: --out {out}: is a file or lies in one; name a folder\n"
    assert (tmp_path / "file").read_text() == "kept"
    # Permissions do not stop the superuser, so the system's error is imitated.
    (tmp_path / "locked").mkdir()
    monkeypatch.setattr(
        "fkp_app.pipeline.outputs.os", SimpleNamespace(access=lambda *_: False, W_OK=os.W_OK, X_OK=os.X_OK)
    )
    ended = fkp(command, *source, "--out", tmp_path / "locked")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"fkp: --out {tmp_path / 'locked'}: cannot be written to; choose another place\n"


def test_a_read_only_folder_for_a_common_user(portrait, tmp_path, fkp):
    if os.geteuid() == 0:
        pytest.skip("the superuser may write everywhere")
    write_image(tmp_path / "a.png", portrait[0])
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert "cannot be written to" in fkp("detect", tmp_path / "a.png", "--out", locked).err


def test_sources_are_never_overwritten(portrait, tmp_path, fkp):
    """Pictures beside the sources, names that collide, and the same command twice."""
    (tmp_path / "other").mkdir()
    for name in ("a.png", "a.jpg", "a.png.png", "other/a.png"):
        write_image(tmp_path / name, portrait[0])
    sources = [tmp_path / name for name in ("a.png", "a.jpg", "a.png.png", "other/a.png")]
    before = [path.read_bytes() for path in sources]
    for _ in range(2):
        ended = fkp("filter", *sources, "--out", tmp_path)
        assert ended.code == 0
        assert [path.read_bytes() for path in sources] == before
        written = [line.rpartition(" -> ")[2] for line in ended.out.splitlines()[:-1]]
        assert len(set(written)) == 4
        assert not set(written) & {str(path) for path in sources}


@pytest.mark.torch
def test_torch_that_is_not_there(portrait, tmp_path, monkeypatch, fkp):
    """As if PyTorch were not installed; test_imports.py tests that no other backend needs it."""
    write_image(tmp_path / "a.png", portrait[0])
    for name in [name for name in sys.modules if name.partition(".")[0] in ("torch", "reference")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    ended = fkp("detect", tmp_path / "a.png", "--backend", "torch")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "fkp: --backend torch needs PyTorch: pip install 'numpynet-fkp[torch]'\n"


def test_a_cluster_without_dask_is_one_line(tmp_path, monkeypatch, fkp):
    monkeypatch.setitem(sys.modules, "distributed", None)
    write_image(tmp_path / "a.png", np.full((50, 40, 3), 90, np.uint8))
    ended = fkp("detect", tmp_path / "a.png", "--cluster", "local")
    assert (ended.code, ended.err) == (2, "fkp: --cluster needs Dask: pip install 'numpynet-fkp[cluster]'\n")


def test_an_unknown_implementation_in_the_environment_is_one_line(tmp_path):
    command = [sys.executable, "-m", "fkp_app", "demo", "--out", tmp_path / "demo"]
    environment = os.environ | {"NUMPYNET_OPS": "slow"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr == "fkp: NUMPYNET_OPS: choose one of 'readable', 'fast', got 'slow'\n"


def test_a_closed_pipe_on_stdout_prints_nothing(portrait, tmp_path):
    write_image(tmp_path / "a.png", portrait[0])
    command = [sys.executable, "-m", "fkp_app", "detect", tmp_path / "a.png", "--json", "-"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert process.wait() == 1


COMMANDS = ("demo", "detect", "filter", "web", "export", "doctor", "train", "evaluate", "data", "data download")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_and_version(command, fkp):
    ended = fkp(*command.split(), "--help")
    assert ended.code == 0
    assert "Usage: " in ended.out
    assert len(ended.out.splitlines()) > 8
    assert fkp("--version").out.startswith("fkp 0.")
