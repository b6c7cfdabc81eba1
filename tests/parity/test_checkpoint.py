"""Weights files written by numpynet and read by PyTorch, and the other way round."""

from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from numpynet import KeypointNet, WeightsCard, load_net, save_weights
from numpynet.checkpoint import load_tensors
from reference.models import Net, as_arrays
from tests.parity.helper import compare, randomise, seeded

ARGUMENTS: dict[str, Any] = {"size": 48, "channels": [4, 6], "hidden": [20], "padding": 1, "dropout": 0.1}
CARD = WeightsCard(ARGUMENTS, 48, {"unit": 12.0})


@pytest.fixture
def twin() -> Net:
    """A net with no value at its default, not even its batch counts."""
    net = Net(**ARGUMENTS)
    randomise(net, seeded("checkpoint"))
    for i, (key, tensor) in enumerate(net.state_dict().items()):
        if key.endswith("num_batches_tracked"):
            tensor.fill_(1000 + i)
    return net


@pytest.fixture
def images():
    return seeded("images").random((3, 1, 48, 48), np.float32)


def check_same(net: KeypointNet, twin: Net, images) -> None:
    """Same keys in the same order, same bits, and outputs within the tolerance in evaluation."""
    ours, theirs = net.state_dict(), twin.state_dict()
    assert list(ours) == list(theirs)
    for key, array in ours.items():
        assert array.shape == tuple(theirs[key].shape), key
        assert array.dtype == theirs[key].numpy().dtype, key
        assert np.array_equal(array, theirs[key].numpy()), key
    out = net.eval()(images)
    compare("checkpoint", "output", "out", out, twin.eval()(torch.from_numpy(images)).detach().numpy())


def test_written_by_pytorch_alone_loads_into_numpynet(twin, images, tmp_path):
    save_file(twin.state_dict(), tmp_path / "torch.safetensors")
    state, _ = load_tensors(tmp_path / "torch.safetensors")
    net = KeypointNet(**ARGUMENTS, rng=0)
    net.load_state_dict(state)
    check_same(net, twin, images)


def test_written_by_the_twin_loads_into_numpynet_by_its_card(twin, images, tmp_path):
    save_weights(tmp_path / "twin.safetensors", as_arrays(twin.state_dict()), CARD)
    net, card = load_net(tmp_path / "twin.safetensors")
    assert card == CARD
    check_same(net, twin, images)


def test_written_by_numpynet_loads_into_pytorch_alone(images, tmp_path):
    net = KeypointNet(**ARGUMENTS, rng=3)
    net(images)  # moves running statistics and counts away from their defaults
    save_weights(tmp_path / "numpynet.safetensors", net.state_dict(), CARD)
    twin = Net(**ARGUMENTS)
    twin.load_state_dict(load_file(tmp_path / "numpynet.safetensors"), strict=True)
    assert twin.state_dict()["conv1_bn.num_batches_tracked"].dtype == torch.int64
    assert int(twin.state_dict()["conv1_bn.num_batches_tracked"]) == 1
    check_same(net, twin, images)


def test_half_precision_of_pytorch_loads_into_float32(twin, tmp_path):
    save_file({key: t.half() if t.is_floating_point() else t for key, t in twin.state_dict().items()}, tmp_path / "f16")
    state, _ = load_tensors(tmp_path / "f16")
    net = KeypointNet(**ARGUMENTS, rng=0)
    net.load_state_dict(state)
    assert net.state_dict()["conv1.weight"].dtype == np.float32
    assert np.allclose(net.state_dict()["conv1.weight"], twin.state_dict()["conv1.weight"].numpy(), atol=1e-3)
