"""`fkp export`: its files and its errors; it leaves a whole and correct file, or none."""

import copy
import os
import sys

import numpy as np
import pytest

from fkp_app.backends.onnx import export as onnx_export
from fkp_app.backends.onnx.predictor import OnnxPredictor
from fkp_app.backends.predictor import SHIPPED_WEIGHTS
from fkp_app.geometry.crop_card import CropCard
from numpynet.checkpoint import load_net, save_weights
from numpynet.models import KeypointNet

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed (the extra `onnx`)")


@pytest.fixture
def weights(tmp_path):
    """A small network's weights file."""
    net = KeypointNet(16, (3, 4), (5,), padding=1, rng=0)
    card = CropCard.describe(net.arguments, 16, {"kind": "face", "size": 16, "scale": 1.5}, 7.5, 8.0)
    save_weights(tmp_path / "small.safetensors", net.state_dict(), card)
    return tmp_path / "small.safetensors"


def test_the_shipped_network(tmp_path, fkp):
    file = tmp_path / "net.onnx"
    ended = fkp("export", "--onnx", file)
    assert (ended.code, ended.err) == (0, "")
    size = file.stat().st_size / 1e6
    assert ended.out.startswith(
        f"{file}: {size:.1f} MB, HourglassNet, crops (N, 1, 96, 96) -> keypoints (N, 136); "
        "OpenCV and numpynet differ by at most "
    )
    assert ended.out.count("\n") == 1
    onnx.checker.check_model(str(file))
    net, card = load_net(SHIPPED_WEIGHTS)
    assert OnnxPredictor(file).card == CropCard.of(card, SHIPPED_WEIGHTS)
    assert size == pytest.approx(sum(array.nbytes for array in net.state_dict().values()) / 1e6, rel=0.01)
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


def test_weights_of_ones_own(weights, tmp_path, fkp):
    file = tmp_path / "net.onnx"
    assert fkp("export", "--weights", weights, "--onnx", file).out.startswith(f"{file}: 0.0 MB, KeypointNet, crops (N")
    net, card = load_net(weights)
    crops = np.random.default_rng(0).random((2, 1, 16, 16), np.float32)
    predictor = OnnxPredictor(file)
    assert predictor.card == CropCard.of(card, weights)
    np.testing.assert_allclose(predictor(crops), net(crops), atol=1e-5)
    first = file.read_bytes()
    assert fkp("export", "--weights", weights, "--onnx", file).code == 0
    assert file.read_bytes() == first


def test_half_the_size(weights, tmp_path, fkp):
    file = tmp_path / "half.safetensors"
    net, card = load_net(weights)
    ended = fkp("export", "--weights", weights, "--half", file)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(
        f"{file}: 0.0 MB, KeypointNet, weights in float16; on random crops its points differ by "
    )
    assert ended.out.count("\n") == 1
    assert file.stat().st_size < 0.8 * weights.stat().st_size  # most of so small a file are its names
    half, its_card = load_net(file)
    assert its_card == card
    for key, array in half.state_dict().items():
        np.testing.assert_allclose(array, net.state_dict()[key], rtol=2**-11, atol=1e-7)


def test_the_shipped_weights_have_half_the_size_already(tmp_path, fkp):
    for file in sorted(SHIPPED_WEIGHTS.parent.glob("hourglass*.safetensors")):
        ended = fkp("export", "--weights", file, "--half", tmp_path / file.name)
        assert ended.out == (
            f"{tmp_path / file.name}: 2.8 MB, HourglassNet, weights in float16; "
            "on random crops its points differ by at most 0 pixels of the crop\n"
        )
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()


def test_weights_too_large_for_half_the_size(weights, tmp_path, fkp):
    net, card = load_net(weights)
    net.fc1.weight.data[0, 0] = 1e6
    save_weights(weights, net.state_dict(), card)
    ended = fkp("export", "--weights", weights, "--half", tmp_path / "half.safetensors")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == f"fkp: {weights}: fc1.weight holds 1e+06, which float16 cannot hold; keep the file as it is\n"
    assert [path.name for path in tmp_path.iterdir()] == ["small.safetensors"]


def spoilt(change):
    """An export that writes a changed network."""
    plain = onnx_export.to_onnx

    def to_onnx(net, card):
        changed = copy.deepcopy(net)
        change(changed)
        return plain(changed, card)

    return to_onnx


def negate(net):
    net.fc2.weight.data *= -1


def move_one_number(net):
    net.fc2.bias.data[5] += 0.01


@pytest.mark.parametrize("change", [negate, move_one_number])
@pytest.mark.parametrize("before", [None, b"an older file"])
def test_a_file_that_computes_something_else_is_thrown_away(before, change, weights, tmp_path, monkeypatch, fkp):
    file = tmp_path / "net.onnx"
    if before is not None:
        file.write_bytes(before)
    monkeypatch.setattr(onnx_export, "to_onnx", spoilt(change))
    ended = fkp("export", "--weights", weights, "--onnx", file)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"fkp: {file}: not written, as OpenCV differs from numpynet by ")
    assert ended.err.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"small.safetensors"} | ({"net.onnx"} if before else set())
    assert before is None or file.read_bytes() == before


def not_a_number(net):
    net.fc2.bias.data[0] = np.nan


def test_points_that_are_no_numbers_are_no_agreement(weights, tmp_path, monkeypatch, fkp):
    monkeypatch.setattr(onnx_export, "to_onnx", spoilt(not_a_number))
    ended = fkp("export", "--weights", weights, "--onnx", tmp_path / "net.onnx")
    assert ended.code == 1
    assert "holds NaN or infinity" in ended.err
    assert not (tmp_path / "net.onnx").exists()


def test_a_file_that_opencv_cannot_run_is_thrown_away(weights, tmp_path, monkeypatch, fkp):
    file = tmp_path / "net.onnx"
    monkeypatch.setattr(onnx_export, "to_onnx", lambda net, card: b"\x08\x08 no model")
    ended = fkp("export", "--weights", weights, "--onnx", file)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"fkp: {file}: not written (is truncated, damaged or no ONNX file")
    assert [path.name for path in tmp_path.iterdir()] == ["small.safetensors"]


def test_ctrl_c_leaves_nothing(weights, tmp_path, monkeypatch, fkp):
    def stopped(path, net):
        assert path.read_bytes()
        raise KeyboardInterrupt

    monkeypatch.setattr("fkp_app.backends.onnx.check.largest_difference", stopped)
    ended = fkp("export", "--weights", weights, "--onnx", tmp_path / "net.onnx")
    assert (ended.code, ended.out) == (130, "")
    assert [path.name for path in tmp_path.iterdir()] == ["small.safetensors"]


def test_without_the_package_onnx(tmp_path, monkeypatch, fkp):
    for name in [name for name in sys.modules if name.partition(".")[0] == "onnx"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    ended = fkp("export", "--onnx", tmp_path / "net.onnx")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "fkp: writing ONNX needs the package onnx: pip install 'numpynet-fkp[onnx]'\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "name one file to write: --onnx FILE.onnx or --half FILE.safetensors"),
        (["--onnx", "a.onnx", "--half", "b.safetensors"], 2, "name one file to write"),
        (["--half", "net.onnx"], 2, "--half net.onnx: end the name in .safetensors"),
        (["--half", "nowhere/net.safetensors"], 2, "--half nowhere/net.safetensors: there is no folder nowhere"),
        (["--half", "net.safetensors", "--weights", "text.safetensors"], 1, "text.safetensors: is not a .safetensors"),
        (["--half", "net.safetensors", "--weights", "other.onnx"], 2, "--weights other.onnx: is an ONNX file already"),
        (
            ["--half", "small.safetensors", "--weights", "small.safetensors"],
            2,
            "--half small.safetensors: would take the place of --weights",
        ),
        (["--onnx", "net.safetensors"], 2, "--onnx net.safetensors: end the name in .onnx"),
        (["--onnx", "-"], 2, "--onnx -: end the name in .onnx"),
        (["--onnx", "nowhere/net.onnx"], 2, "--onnx nowhere/net.onnx: there is no folder nowhere"),
        (["--onnx", "folder.onnx"], 2, "--onnx folder.onnx: is a folder; name a file"),
        (["--onnx", "net.onnx", "--weights", "nothing.safetensors"], 1, "nothing.safetensors: no such file"),
        (["--onnx", "net.onnx", "--weights", "text.safetensors"], 1, "text.safetensors: is not a .safetensors file"),
        (["--onnx", "net.onnx", "--weights", "other.onnx"], 2, "--weights other.onnx: is an ONNX file already"),
        (["--onnx", "same.onnx", "--weights", "same.onnx"], 2, "--onnx same.onnx: would take the place of --weights"),
    ],
)
def test_what_is_refused(arguments, code, words, weights, tmp_path, monkeypatch, fkp):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "text.safetensors").write_text("words and words\n")
    (tmp_path / "other.onnx").write_bytes(b"\x08\x08")
    os.link(weights, tmp_path / "same.onnx")  # weights, whatever their suffix
    before = sorted(path.name for path in tmp_path.iterdir())
    ended = fkp("export", *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert words in ended.err
    assert ended.err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert (tmp_path / "same.onnx").read_bytes() == weights.read_bytes()


def test_a_full_disk_is_one_line(weights, tmp_path, monkeypatch, fkp):
    from pathlib import Path

    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    ended = fkp("export", "--weights", weights, "--onnx", tmp_path / "net.onnx")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == f"fkp: --onnx {tmp_path / 'net.onnx'}: cannot be written (No space left on device)\n"
    assert [path.name for path in tmp_path.iterdir()] == ["small.safetensors"]
