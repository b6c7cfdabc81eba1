"""The mean of several networks: which files belong together, what it gives on each backend, what has no mean."""

import numpy as np
import pytest

from fkp_app.backends.mean import companions, mean_of, mean_with_companions
from fkp_app.backends.predictor import SHIPPED_WEIGHTS, Predictor, get_predictor
from fkp_app.errors import FkpError, UsageError
from fkp_app.geometry.crop_card import CropCard
from numpynet.checkpoint import load_net, save_weights
from numpynet.models import HourglassNet, KeypointNet

FRAMING = {"kind": "face", "size": 16, "scale": 1.5}


def write(path, seed, net=None, framing=FRAMING, offset=7.5):
    net = net or KeypointNet(16, (3, 4), (5,), padding=1, rng=seed)
    architecture = type(net).__name__
    card = CropCard.describe(net.arguments, framing["size"], framing, offset, 8.0, architecture)
    save_weights(path, net.state_dict(), card)
    return path


@pytest.fixture
def family(tmp_path):
    """Three networks alike, of one name."""
    return [write(tmp_path / f"a{end}.safetensors", seed) for seed, end in enumerate(("", "-1", "-2"))]


def test_companions_are_numbered_without_a_gap(family, tmp_path):
    for name in ("a-4.safetensors", "a-x.safetensors", "b-1.safetensors", "a-1.onnx"):
        write(tmp_path / name, 9)
    assert companions(family[0]) == family[1:]
    family[1].unlink()
    with pytest.raises(UsageError, match=r"a\.safetensors: --quality best .* there is no a-1\.safetensors beside it"):
        companions(family[0])


def test_the_shipped_network_has_companions():
    shipped = get_predictor("numpy")
    mean = mean_with_companions(SHIPPED_WEIGHTS, shipped, lambda path: get_predictor("numpy", path))
    crops = np.random.default_rng(0).random((1, 1, 96, 96), np.float32)
    assert np.abs(mean.keypoints(crops) - shipped.keypoints(crops)).max() > 0.1  # another network, no copy
    sizes = [path.stat().st_size for path in (SHIPPED_WEIGHTS, *companions(SHIPPED_WEIGHTS))]
    assert sum(sizes) < 9e6


@pytest.mark.parametrize("backend", ["numpy", pytest.param("torch", marks=pytest.mark.torch), "onnx"])
def test_each_backend_gives_the_mean_of_all_networks(backend, family):
    if backend == "onnx":
        pytest.importorskip("onnx", reason="the package onnx is not installed (the extra `onnx`)")
    crops = np.random.default_rng(0).random((5, 1, 16, 16), np.float32)
    expected = np.mean([load_net(path)[0](crops) for path in family], axis=0)
    loaded = []

    def load(path):
        loaded.append(path)
        return get_predictor(backend, path)

    mean = mean_with_companions(family[0], get_predictor(backend, family[0]), load)
    assert loaded == family[1:]
    out = mean(crops)
    assert (mean.backend, out.dtype, out.shape) == (backend, np.float32, (5, 136))
    np.testing.assert_allclose(out, expected, atol=1e-6)
    assert np.abs(out - load_net(family[0])[0](crops)).max() > 1e-3


def test_networks_that_differ_have_no_mean(family, tmp_path):
    for what, differing in (
        ("framing", {"framing": FRAMING | {"scale": 1.3}}),
        ("keypoint units", {"offset": 8.0}),
        ("architecture", {"net": HourglassNet(size=16, rng=0)}),
    ):
        other = write(tmp_path / "other.safetensors", 1, **differing)
        with pytest.raises(UsageError, match=rf"other\.safetensors: has no mean with a\.safetensors, as its {what} "):
            mean_of({path: get_predictor("numpy", path) for path in (family[0], other)})


def test_a_mean_of_damaged_weights_is_an_error(family):
    whole = get_predictor("numpy", family[0])
    damaged = Predictor("numpy", whole.card, lambda crops: np.full((len(crops), 136), np.nan, np.float32))
    mean = mean_of({family[0]: whole, family[1]: damaged})
    with pytest.raises(FkpError, match="NaN or infinite"):
        mean(np.zeros((1, 1, 16, 16), np.float32))
