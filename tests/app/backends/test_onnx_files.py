"""Backend onnx and its files: it works without the package onnx and with threads, and refuses all other files."""

import json
import pickle
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fkp_app.backends.onnx.card import is_onnx, load_onnx, with_checksum
from fkp_app.backends.onnx.export import to_onnx
from fkp_app.backends.onnx.predictor import OnnxPredictor
from fkp_app.backends.predictor import SHIPPED_WEIGHTS, get_predictor, limit_threads
from fkp_app.data.crops import evaluation_transform
from fkp_app.data.dataset import load_split
from fkp_app.data.transforms import collate
from fkp_app.errors import UsageError
from fkp_app.evaluation.scores import predict_all, score
from fkp_app.geometry.crop_card import CropCard
from fkp_app.media.images import write_image
from fkp_app.training.recipe import load_recipe
from fkp_app.training.trainers import get_trainer
from numpynet.checkpoint import CheckpointError, load_net
from numpynet.data import DataLoader
from numpynet.models import HourglassNet
from tests.free_pictures import hopper

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed (the extra `onnx`)")

ARGUMENTS = {"size": 16, "stem": [2], "levels": [2]}
CARD = CropCard.describe(ARGUMENTS, 16, {"kind": "face", "size": 16, "scale": 1.5}, 7.5, 8.0, "HourglassNet")
CROPS = np.random.default_rng(0).random((5, 1, 16, 16), np.float32)


@pytest.fixture(scope="module")
def small():
    """The bytes of a small network's ONNX file."""
    return to_onnx(HourglassNet(**ARGUMENTS, rng=0).eval(), CARD)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """The shipped network's ONNX file."""
    path = tmp_path_factory.mktemp("onnx") / "shipped.onnx"
    path.write_bytes(to_onnx(*load_net(SHIPPED_WEIGHTS)))
    return path


@pytest.fixture
def photo(tmp_path):
    write_image(tmp_path / "a.png", hopper()[60:360, 115:415])
    return tmp_path / "a.png"


def test_the_card_is_read_back(small, tmp_path):
    (tmp_path / "a.onnx").write_bytes(small)
    assert load_onnx(tmp_path / "a.onnx") == (small, CARD)


def test_detect_needs_no_package_onnx_for_an_onnx_file(shipped, photo, tmp_path):
    """In a new process in which importing onnx fails. It loads no other heavy package either."""
    arguments = [
        "detect",
        str(photo),
        "--backend",
        "onnx",
        "--weights",
        str(shipped),
        "--json",
        str(tmp_path / "a.json"),
    ]
    program = (
        "import sys; sys.modules['onnx'] = None\n"
        f"from fkp_app.cli import main; assert main({arguments!r}) == 0\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    modules = set(ended.stdout.splitlines()[-1].split())
    assert "cv2" in modules
    assert not modules & {"torch", "reference", "numba", "pandas", "matplotlib", "onnxruntime"}
    (result,) = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert len(result["faces"]) == 1


@pytest.mark.parametrize("with_file", [True, False])
def test_detect_by_onnx_gives_what_numpy_gives(with_file, shipped, photo, fkp):
    def faces(*options):
        ended = fkp("detect", photo, "--json", "-", *options)
        assert (ended.code, ended.err) == (0, "")
        return json.loads(ended.out)[0]["faces"]

    (ours,), (theirs,) = faces(), faces("--backend", "onnx", *(("--weights", shipped) if with_file else ()))
    assert theirs["box"] == ours["box"]
    assert theirs["confidence"] == pytest.approx(ours["confidence"], abs=1e-3)
    assert np.abs(np.array(theirs["keypoints"]) - np.array(ours["keypoints"])).max() < 0.05


def test_evaluate_by_onnx_gives_what_numpy_gives(shipped, drawn_data, fkp):
    options = ("--split", "report", "--backend", "onnx", "--weights", shipped, "--json", "-")
    ended = fkp("evaluate", "--data", drawn_data, *options)
    assert (ended.code, ended.err) == (0, "")
    figures, numpy = json.loads(ended.out), get_predictor("numpy")
    crops = DataLoader(load_split(drawn_data, "report", evaluation_transform(numpy.card)), 10, collate_fn=collate)
    scores = score(*predict_all(numpy, crops), numpy.card)
    assert figures["backend"] == "onnx"
    assert figures["model"]["images"] == scores.images == 10
    assert figures["model"]["nme"] == pytest.approx(scores.nme, rel=1e-4)


def test_without_the_package_onnx_weights_are_a_line(photo, monkeypatch, fkp):
    for name in [name for name in sys.modules if name.partition(".")[0] == "onnx"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    ended = fkp("detect", photo, "--backend", "onnx")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "fkp: --backend onnx needs the package onnx for a .safetensors file: pip install 'numpynet-fkp[onnx]', "
        "or give --weights a file that `fkp export --onnx` wrote\n"
    )


@pytest.mark.parametrize("backend", ["numpy", pytest.param("torch", marks=pytest.mark.torch)])
def test_other_backends_refuse_an_onnx_file(backend, shipped, photo, tmp_path, fkp):
    for name in ("net.onnx", "net.safetensors"):
        (tmp_path / name).write_bytes(shipped.read_bytes())
        ended = fkp("detect", photo, "--backend", backend, "--weights", tmp_path / name)
        assert (ended.code, ended.out) == (2, "")
        assert ended.err == (
            f"fkp: {tmp_path / name}: is an ONNX file, which --backend onnx runs; "
            f"--backend {backend} needs .safetensors\n"
        )


def test_content_tells_the_kind_of_file(shipped, tmp_path):
    """Each file has the suffix of the other kind."""
    (tmp_path / "a.onnx").write_bytes(SHIPPED_WEIGHTS.read_bytes())
    (tmp_path / "b.safetensors").write_bytes(shipped.read_bytes())
    assert not is_onnx(tmp_path / "a.onnx")
    assert is_onnx(tmp_path / "b.safetensors")
    crops = np.random.default_rng(0).random((1, 1, 96, 96), np.float32)
    answers = [OnnxPredictor(tmp_path / name)(crops) for name in ("a.onnx", "b.safetensors")]
    np.testing.assert_array_equal(*answers)


def test_onnx_does_not_train(drawn_data, tmp_path, fkp):
    ended = fkp("train", "--data", drawn_data, "--out", tmp_path / "run", "--backend", "onnx")
    assert (ended.code, ended.out) == (2, "")
    assert "'--backend': must be numpy or torch, got onnx" in ended.err
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "run").exists()
    recipe = load_recipe("compact")
    with pytest.raises(UsageError, match="--backend onnx cannot train"):
        get_trainer("onnx", recipe.network, recipe.training, steps=1, seed=0)


def test_threads_are_opencvs():
    import cv2

    before = cv2.getNumThreads()
    try:
        for threads in (1, 2):
            limit_threads("onnx", threads)
            assert cv2.getNumThreads() == threads
    finally:
        cv2.setNumThreads(before)


def test_a_predictor_is_shared_between_threads(small, tmp_path):
    (tmp_path / "a.onnx").write_bytes(small)
    predictor = OnnxPredictor(tmp_path / "a.onnx")
    batches = [np.random.default_rng(i).random((1 + i % 4, 1, 16, 16), np.float32) for i in range(60)]
    expected = [predictor(batch) for batch in batches]
    assert len({out.tobytes() for out in expected}) == len(batches)  # no output is overwritten by a later one
    with ThreadPoolExecutor(8) as pool:
        for out, wanted in zip(pool.map(predictor, batches), expected, strict=True):
            np.testing.assert_allclose(out, wanted, atol=1e-6)


def test_crops_of_every_kind(small, tmp_path):
    (tmp_path / "a.onnx").write_bytes(small)
    predictor = OnnxPredictor(tmp_path / "a.onnx")
    expected = predictor(CROPS)
    assert (expected.shape, expected.dtype) == ((5, 136), np.float32)
    np.testing.assert_allclose(predictor(CROPS.astype(np.float64)), expected, atol=1e-6)
    np.testing.assert_allclose(predictor(np.asfortranarray(CROPS)), expected, atol=1e-6)
    np.testing.assert_allclose(predictor(CROPS[::-1])[::-1], expected, atol=1e-6)
    assert predictor(CROPS[:0]).shape == (0, 136)
    with pytest.raises(ValueError, match=r"crops must have shape \(N, 1, 16, 16\), got \(5, 1, 16, 15\)"):
        predictor(CROPS[..., :-1])


def refused(path, data):
    """The error for a file of these bytes, which must be one line."""
    path.write_bytes(data)
    with pytest.raises(CheckpointError) as error:
        OnnxPredictor(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_every_truncation_is_noticed(small, tmp_path):
    for length in [*range(1, 64), *range(64, len(small), 97), *range(len(small) - 120, len(small))]:
        refused(tmp_path / "a.onnx", small[:length])


def test_every_damaged_byte_is_noticed(small, tmp_path):
    """OpenCV must never see the file, whichever byte is damaged."""
    rng = np.random.default_rng(0)
    for place in [*range(300), *rng.integers(0, len(small), 700), *range(len(small) - 100, len(small))]:
        damaged = bytearray(small)
        damaged[place] ^= int(rng.integers(1, 256))
        (tmp_path / "a.onnx").write_bytes(damaged)
        with pytest.raises(CheckpointError):
            load_onnx(tmp_path / "a.onnx")


def message(number, content):
    """A protobuf field that holds bytes, as the standard defines it."""
    length, size = b"", len(content)
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def with_card(text):
    return with_checksum(b"\x08\x08" + message(14, message(1, b"numpynet") + message(2, text)))


def fields(**changes):
    return json.dumps(json.loads(CARD.to_metadata()["numpynet"]) | changes).encode()


HOSTILE = {
    "a length beyond the end": (b"\x08\x08\x3a\xff\xff\xff\xff\x07", "a field reaches beyond the end"),
    "a number without end": (b"\x08" + 40 * b"\xff", "a number does not end"),
    "a number of too many bytes": (b"\x08" + 20 * b"\x80" + b"\x01", "a number does not end"),
    "a group, which protobuf gave up": (b"\x08\x08\x0b", "a field of kind 3"),
    "a million fields": (1_000_000 * b"\x08\x01", "too many fields"),
    "no text": (b"\x08\x08" + message(14, message(1, b"\xff\xfe")), "utf-8"),
    "a card without end": (with_card(b"[" * 2_000_000), "its metadata are too long"),
    "brackets nested deep": (with_card(b"[" * 500_000), "its description is damaged"),
    "a number of many digits": (with_card(b"9" * 100_000), "its description is damaged"),
    "no JSON": (with_card(b"{'a': 1}"), "its description is damaged"),
    "no table": (with_card(b"[1, 2]"), "its description is damaged"),
    "a later format": (with_card(fields(format_version=99)), "is of format version 99"),
    "crops of a mile": (
        with_card(fields(input_size=10**9)),
        "its description is damaged (input_size must be a whole number from 1 to 1024, got 1000000000",
    ),
    "crops of nothing": (
        with_card(fields(input_size=-1)),
        "its description is damaged (input_size must be a whole number from 1 to 1024, got -1",
    ),
    "two sizes": (with_card(fields(input_size=32)), "its description is damaged (input size 32, crops of 16)"),
    "not a number": (with_card(fields(keypoint_scale=float("nan"))), "keypoint_scale must be a number above 0"),
    "a word for a number": (with_card(fields(keypoint_offset="7")), "keypoint_offset must be a number from "),
    "no framing": (with_card(fields(framing={})), "framing {} is damaged"),
    "no network": (
        with_card(fields()),
        "holds no network that `fkp export` writes (its operators are",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_one_line(kind, tmp_path, capfd):
    data, words = HOSTILE[kind]
    assert words in refused(tmp_path / "a.onnx", data)
    assert capfd.readouterr() == ("", "")  # OpenCV's own messages would be further lines


@settings(deadline=None)
@given(data=st.binary(min_size=1, max_size=60), valid=st.booleans())
def test_arbitrary_bytes_are_refused(data, valid, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "arbitrary.onnx"
    path.write_bytes(with_checksum(b"\x08" + data) if valid else b"\x08" + data)
    with pytest.raises(CheckpointError):
        load_onnx(path)


def test_what_opencv_cannot_run_is_one_line(small, tmp_path, monkeypatch):
    """As an older OpenCV, which lacks an operator, would say it."""

    def refuse(_):
        raise cv2.error("(-2:Unspecified error) in function 'getLayerInstance'\n> Can't create layer \"Gemm\"\n")

    monkeypatch.setattr(cv2.dnn, "readNetFromONNX", refuse)
    assert f"OpenCV {cv2.__version__} cannot run it ((-2:Unspecified error)" in refused(tmp_path / "a.onnx", small)


def test_a_file_that_somebody_changed_is_refused(small, tmp_path):
    model = onnx.load_model_from_string(small)
    model.graph.name = "another"
    assert "was changed after `fkp export` wrote it" in refused(tmp_path / "a.onnx", model.SerializeToString())
    del model.metadata_props[-1]
    assert "was changed after `fkp export` wrote it" in refused(tmp_path / "a.onnx", model.SerializeToString())
    del model.metadata_props[:]
    assert "is an ONNX file, but not one that `fkp export --onnx` wrote" in refused(
        tmp_path / "a.onnx", model.SerializeToString()
    )


BAD = {
    "missing": (None, "no such file"),
    "folder": (None, "is a directory"),
    "empty": (b"", "is empty; get the file again"),
    "html": (b"\n<!DOCTYPE html><html><title>Sign in</title></html>", "is an HTML page, not weights"),
    "pickle": (pickle.dumps({"weights": 1}), "no ONNX file"),
    "text": (b"these are no weights, but some words\n", "no ONNX file"),
    "header": (struct.pack("<Q", 5) + b"{....", "is truncated or damaged"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_onnx_file_is_one_line(kind, photo, tmp_path, fkp):
    path = tmp_path / "net.onnx"
    data, words = BAD[kind]
    if kind == "folder":
        path.mkdir()
    elif data is not None:
        path.write_bytes(data)
    ended = fkp("detect", photo, "--backend", "onnx", "--weights", path, "--json", tmp_path / "a.json")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"fkp: {path}: ")
    assert words in ended.err
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "a.json").exists()


def test_the_predictor_names_its_backend(shipped):
    predictor = get_predictor("onnx", shipped)
    assert predictor.backend == "onnx"
    assert predictor.card == CropCard.of(load_net(SHIPPED_WEIGHTS)[1], SHIPPED_WEIGHTS)
