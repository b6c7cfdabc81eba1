"""TorchPredictor beside numpynet with the same weights file."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from numpynet import CheckpointError, KeypointNet, WeightsCard, load_net, save_weights
from reference.backend import TorchPredictor, set_threads

ARGUMENTS: dict[str, Any] = {"size": 32, "channels": [4, 6], "hidden": [12], "padding": 1, "dropout": 0.3}
CARD = WeightsCard(ARGUMENTS, 32)


@pytest.fixture
def crops():
    return np.random.default_rng(1).random((5, 1, 32, 32), np.float32)


@pytest.fixture
def weights(tmp_path, crops):
    """The weights file of a net whose running statistics are no longer at their defaults."""
    net = KeypointNet(**ARGUMENTS, rng=0)
    net(crops)
    save_weights(tmp_path / "net.safetensors", net.state_dict(), CARD)
    return tmp_path / "net.safetensors"


def test_same_outputs_as_numpynet(weights, crops):
    predictor, (net, card) = TorchPredictor(weights), load_net(weights)
    out = predictor(crops)
    assert predictor.card == card
    assert (out.shape, out.dtype) == ((5, 136), np.float32)
    assert np.abs(out - net(crops)).max() < 1e-5 * np.abs(out).max()
    assert np.array_equal(out, predictor(crops)), "the predictor must not drop out, nor learn statistics"


def test_one_crop_and_crops_in_strange_memory(weights, crops):
    predictor = TorchPredictor(weights)
    assert np.allclose(predictor(crops[:1]), predictor(crops)[:1], atol=1e-5)
    assert np.allclose(predictor(crops[..., ::-1]), predictor(np.ascontiguousarray(crops[..., ::-1])))


def test_weights_in_memory_are_copied(weights, crops):
    net, card = load_net(weights)
    predictor = TorchPredictor((net.state_dict(), card))
    before = predictor(crops)
    for array in net.state_dict().values():
        array[...] = 0
    assert np.array_equal(predictor(crops), before)


def test_building_draws_no_random_number(weights):
    torch.manual_seed(3)
    state = torch.get_rng_state()
    TorchPredictor(weights)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arguments": ARGUMENTS | {"hidden": [13]}}, "does not fit the network it describes"),
        ({"arguments": ARGUMENTS | {"strides": 2}}, "does not fit the network it describes"),
        ({"architecture": "Transformer"}, "holds a Transformer"),
    ],
)
def test_a_card_that_does_not_fit_is_an_error_of_one_line(weights, tmp_path, change, message):
    net, card = load_net(weights)
    save_weights(tmp_path / "bad.safetensors", net.state_dict(), dataclasses.replace(card, **change))
    with pytest.raises(CheckpointError, match=message) as error:
        TorchPredictor(tmp_path / "bad.safetensors")
    assert "\n" not in str(error.value)
    assert "bad.safetensors" in str(error.value)


def test_a_file_that_is_not_there():
    with pytest.raises(CheckpointError, match="no such file"):
        TorchPredictor("nowhere.safetensors")


def test_set_threads():
    before = torch.get_num_threads()
    try:
        set_threads(1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
