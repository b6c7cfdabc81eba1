"""Weights files are read back as written; any other file is refused with its name and kind."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from numpynet import CheckpointError, KeypointNet, WeightsCard, load_net, load_weights, save_weights
from numpynet.checkpoint import halved, load_tensors, save_tensors
from numpynet.files import atomic

TINY = {"size": 24, "channels": [2, 3], "hidden": [5], "padding": 1, "dropout": 0.2}


def card(**changes):
    fields = {
        "arguments": TINY,
        "input_size": 24,
        "application": {"framing": {"kind": "face", "size": 24, "scale": 1.3}, "unit": 6.0},
    }
    return WeightsCard(**(fields | changes))


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(path, KeypointNet(**TINY, rng=1).state_dict(), card())
    return path


def test_what_is_saved_comes_back(weights):
    net, loaded = load_net(weights)
    original = KeypointNet(**TINY, rng=1).eval()
    assert loaded == card()
    assert not net.training
    images = np.random.default_rng(0).random((2, 1, 24, 24), np.float32)
    np.testing.assert_array_equal(net(images), original(images))
    assert net.state_dict()["conv1_bn.num_batches_tracked"].dtype == np.int64


def test_a_file_of_half_the_size_is_computed_in_float32(weights, tmp_path):
    net, loaded = load_net(weights)
    whole = net.state_dict()
    save_weights(tmp_path / "half.safetensors", halved(whole), loaded)
    stored, _ = load_weights(tmp_path / "half.safetensors")
    for key, array in stored.items():
        many = array.ndim > 1
        assert array.dtype == (np.float16 if many else whole[key].dtype), key
        np.testing.assert_array_equal(array, whole[key].astype(array.dtype))
    again, its_card = load_net(tmp_path / "half.safetensors")
    assert its_card == loaded
    assert {array.dtype.name for array in again.state_dict().values()} == {"float32", "int64"}
    np.testing.assert_array_equal(again.fc1.weight.data, stored["fc1.weight"].astype(np.float32))
    images = np.random.default_rng(0).random((2, 1, 24, 24), np.float32)
    assert again(images).dtype == np.float32
    np.testing.assert_allclose(again(images), net(images), atol=2e-3)
    assert all(array.dtype != np.float16 for array in whole.values())  # the given arrays stay as they were


def test_weights_beyond_float16_are_not_halved():
    with pytest.raises(ValueError, match=r"^fc1\.weight holds 7e\+04, which float16 cannot hold$"):
        halved({"fc1.weight": np.full((2, 2), -70000, np.float32)})
    assert halved({"a": np.full((2, 2), 65504, np.float32)})["a"].max() == 65504
    assert halved({"a": np.zeros((0, 2), np.float32)})["a"].shape == (0, 2)


def test_fields_that_numpynet_does_not_know_are_kept_for_the_application(weights):
    state, loaded = load_weights(weights)
    metadata = json.loads(loaded.to_metadata()["numpynet"]) | {"something": "new"}
    save_file(state, weights, {"numpynet": json.dumps(metadata)})
    assert load_net(weights)[1] == card(application=card().application | {"something": "new"})
    assert json.loads(load_net(weights)[1].to_metadata()["numpynet"]) == metadata


def zip_pickle(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps([1]))


def replace_state(path, **changes):
    state, loaded = load_weights(path)
    save_weights(path, state | changes, loaded)


def replace_card(path, **changes):
    save_weights(path, load_weights(path)[0], card(**changes))


def npz():
    file = io.BytesIO()
    np.savez(file, weight=np.zeros(3))
    return file.getvalue()


SPOILERS = {
    "is empty": lambda path: path.write_bytes(b""),
    "is truncated": lambda path: path.write_bytes(path.read_bytes()[:40]),
    "is truncated or damaged": lambda path: path.write_bytes(path.read_bytes()[:-40]),
    "is an HTML page": lambda path: path.write_text("<!DOCTYPE html><title>404</title>"),
    "is a pickle": lambda path: path.write_bytes(pickle.dumps({"weight": [1.0]})),
    "is a pickle, which": zip_pickle,
    "is a NumPy file": lambda path: path.write_bytes(npz()),
    "is a Git LFS pointer .* `git lfs pull`": lambda path: path.write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 2314416\n"
    ),
    "is not a .safetensors file": lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" * 20),
    "no such file": lambda path: path.unlink(),
    "is a directory": lambda path: (path.unlink(), path.mkdir()),
    "does not fit .*fc1.bias must have shape": lambda path: replace_state(
        path, **{"fc1.bias": np.zeros(6, np.float32)}
    ),
    "does not fit .*unknown fc9.bias": lambda path: replace_state(path, **{"fc9.bias": np.zeros(6, np.float32)}),
    "does not fit .*stages": lambda path: replace_card(path, arguments={**TINY, "stages": 3}),
    "holds a Transformer": lambda path: replace_card(path, architecture="Transformer"),
    "format version 99": lambda path: replace_card(path, format_version=99),
    "is of format version 2, and this numpynet reads up to 1; update numpynet": lambda path: replace_card(
        path, format_version=2
    ),
    "conv1_bn.running_var holds a negative variance": lambda path: replace_state(
        path, **{"conv1_bn.running_var": np.array([1, -1e-3], np.float32)}
    ),
    "not the description": lambda path: save_file({"weight": np.zeros(2)}, path),
    "its description is damaged": lambda path: save_file({"weight": np.zeros(2)}, path, {"numpynet": "{"}),
}


@pytest.mark.parametrize("words", list(SPOILERS))
def test_anything_else_is_refused_in_one_line_that_names_it(weights, words):
    SPOILERS[words](weights)
    with pytest.raises(CheckpointError, match=words) as caught:
        load_net(weights)
    message = str(caught.value)
    assert message.startswith(str(weights))
    assert "\n" not in message


@pytest.mark.parametrize("address", ["https://host/w.safetensors", "s3://bucket/w", "file:///w.safetensors"])
def test_an_address_is_not_fetched_and_said_to_be_one(address):
    with pytest.raises(CheckpointError, match=r"no such file \(an address is not downloaded"):
        load_net(address)


def test_a_pickle_is_never_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path / "sprung").touch, ()

    path = tmp_path / "weights.pt"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CheckpointError, match="is a pickle"):
        load_net(path)
    assert not (tmp_path / "sprung").exists()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "tensors.safetensors"
    save_tensors(path, {"a": np.arange(3)}, {"note": "old"})

    def write_and_fail():
        with atomic(path) as temporary:
            temporary.write_bytes(b"half")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        write_and_fail()
    tensors, metadata = load_tensors(path)
    np.testing.assert_array_equal(tensors["a"], [0, 1, 2])
    assert metadata == {"note": "old"}
    assert list(tmp_path.iterdir()) == [path]
