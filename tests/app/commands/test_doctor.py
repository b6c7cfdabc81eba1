"""`fkp doctor` on a sound installation and on broken ones."""

import importlib
import importlib.util
import re
import sys
from importlib.metadata import PackageNotFoundError

import pytest

from fkp_app.commands import doctor
from fkp_app.errors import FkpError
from numpynet import __version__


@pytest.fixture
def rows(fkp):
    """Runs the command; returns its exit code, and the state and text of each row by name."""

    def run(*options):
        ended = fkp("doctor", *options)
        assert ended.err == ""
        assert "\x1b" not in ended.out  # no colour if the output is no terminal
        lines = [re.fullmatch(r"(.+?) +(ok|missing|broken) +(.+)", line) for line in ended.out.splitlines()]
        assert all(lines)
        return ended.code, {line[1]: (line[2], line[3]) for line in lines}

    return run


def test_a_sound_installation(rows):
    code, found = rows("--no-camera")
    assert code == 0
    assert found["fkp"] == ("ok", __version__)
    hourglass = "hourglass.safetensors: HourglassNet, 1,397,872 weights, 2.8 MB"
    assert found["weights"] == ("ok", f"{hourglass}; finder.safetensors: FinderNet, 135,870 weights, 0.6 MB")
    assert found["cascades"][1] == "haarcascade_frontalface_alt2.xml, haarcascade_frontalface_default.xml"
    for name in ("Python", "numpy", "numba", "opencv", "threads", "BLAS"):
        assert found[name][0] != "broken"
    assert re.search(r"\d+ cores for this process", found["threads"][1])
    assert "camera" not in found


def test_a_camera_that_is_there_and_one_that_is_not(rows, monkeypatch):
    class Camera:
        width, height = 1280, 720

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    monkeypatch.setattr("fkp_app.media.video.camera.open_camera", lambda _: Camera())
    assert rows()[1]["camera"] == ("ok", "camera:0, 1280 x 720 pixels")

    def absent(_):
        raise FkpError("camera:0: is absent")

    monkeypatch.setattr("fkp_app.media.video.camera.open_camera", absent)
    code, found = rows()
    assert (code, found["camera"]) == (0, ("missing", "camera:0: is absent"))


def test_extras_that_are_missing_say_how_to_get_them(rows, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in doctor.EXTRAS else find(name))
    code, found = rows("--no-camera")
    assert code == 0
    assert found["av"][0] == "missing"
    assert found["av"][1].endswith(", written as H.264: pip install 'numpynet-fkp[video]'")
    assert [found[name][0] for name in doctor.EXTRAS] == ["missing"] * 6


def test_a_broken_part_sets_the_exit_code(rows, monkeypatch):
    def version(name):
        if name == "numba":
            raise PackageNotFoundError
        return "1.0"

    monkeypatch.setattr("fkp_app.commands.doctor.version", version)
    code, found = rows("--no-camera")
    assert code == 1
    assert found["numba"] == ("broken", "not installed: pip install numba")
    assert found["opencv"][0] == "broken"  # all four builds at once
    assert "overwrite each other" in found["opencv"][1]


def test_broken_weights_and_cascades_are_findings_and_no_traceback(rows, monkeypatch, tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"<html>")
    monkeypatch.setattr("fkp_app.backends.predictor.SHIPPED_WEIGHTS", tmp_path / "w.safetensors")
    monkeypatch.setattr("fkp_app.faces.detector.CASCADE", "gone.xml")
    code, found = rows("--no-camera")
    assert code == 1
    assert found["weights"][0] == found["cascades"][0] == "broken"
    assert "w.safetensors" in found["weights"][1]
    assert "gone.xml" in found["cascades"][1]


def test_numba_is_ok_only_where_a_kernel_runs(rows, monkeypatch):
    assert rows("--no-camera")[1]["numba"][0] == "ok"
    monkeypatch.setattr("numpynet.kernels.relu_backward", lambda dout, _: dout)
    code, found = rows("--no-camera")
    assert (code, found["numba"][0]) == (1, "broken")
    assert "computes something else" in found["numba"][1]


def test_kernels_that_cannot_be_imported_leave_the_readable_functions(rows, monkeypatch):
    monkeypatch.setitem(sys.modules, "numpynet.kernels", None)  # makes its import fail
    code, found = rows("--no-camera")
    assert (code, found["numba"][0]) == (1, "broken")
    assert "--ops readable" in found["numba"][1]


def test_no_folder_for_compiled_code_is_said_with_the_way_out(rows, monkeypatch):
    monkeypatch.setattr("numpynet.kernels.code_cache.cache_folder", lambda _: None)
    code, found = rows("--no-camera")
    assert (code, found["numba"][0]) == (0, "missing")
    assert "NUMBA_CACHE_DIR" in found["numba"][1]


@pytest.mark.parametrize(
    ("package", "module", "error"),
    [
        ("pooch", "pooch", ImportError("cannot import name 'x'")),
        ("pillow", "PIL", OSError("libjpeg.so: cannot open\nshared object file")),
        ("av", "av", AttributeError("_ARRAY_API not found")),
        ("onnx", "onnx", TypeError("Descriptors cannot be created directly")),
    ],
)
def test_an_installed_package_that_cannot_be_loaded_is_broken(rows, monkeypatch, package, module, error):
    load = importlib.import_module

    def fails(name, *rest):
        if name == module:
            raise error
        return load(name, *rest)

    monkeypatch.setattr(importlib, "import_module", fails)
    code, found = rows("--no-camera")
    assert (code, found[package][0]) == (1, "broken")
    assert " ".join(str(error).split()) in found[package][1]
    assert found[package][1].endswith(f"pip install --force-reinstall {package}")
