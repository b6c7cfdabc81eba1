"""The moving average of weights: its value after each update, and what it does not change."""

import importlib

import numpy as np
import pytest

from numpynet import BatchNorm1d, KeypointNet, Linear, Sequential, WeightAverage, blocks, fuse, use
from numpynet.dispatch import F
from tests.seeds import seeded


def net():
    return Sequential(Linear(4, 3, rng=0), BatchNorm1d(3)).eval()


def move(network, rng):
    """Changes weights and statistics and counts one more batch, as a step does; returns a copy of the state."""
    for array in network.state_dict().values():
        if array.dtype == np.int64:
            array += 1
        else:
            array[...] = rng.standard_normal(array.shape)
    return {key: array.copy() for key, array in network.state_dict().items()}


@pytest.mark.parametrize("block", [5, 1 << 15])
@pytest.mark.parametrize("warmup", [False, True])
@pytest.mark.parametrize("ops", ["readable", "fast"])
def test_each_update_by_the_formula(ops, warmup, block, monkeypatch):
    rng = seeded("formula", warmup, block)
    monkeypatch.setattr(blocks, "BLOCK", block)
    monkeypatch.setattr(importlib.import_module("numpynet.kernels.average"), "BLOCK", block)
    network = net()
    average = WeightAverage(network, 0.4, warmup)
    wanted = {}
    for t in range(8):
        weights = move(network, rng)
        keep = 0 if t == 0 else min(0.4, (1 + t) / (10 + t)) if warmup else 0.4
        wanted = {key: keep * wanted[key] + (1 - keep) * weights[key] if t else weights[key] for key in weights}
        with use(ops):
            average.update()
        assert list(average.net.state_dict()) == list(weights)
        for key, array in average.net.state_dict().items():
            if array.dtype == np.int64:
                assert array == t + 1, "counts are copied"
            else:
                assert array.dtype == weights[key].dtype
                np.testing.assert_allclose(array, wanted[key], rtol=1e-5, atol=1e-6)
            np.testing.assert_array_equal(network.state_dict()[key], weights[key])


@pytest.mark.parametrize("other", ["average", "weight"])
@pytest.mark.parametrize("ops", ["readable", "fast"])
def test_an_update_in_another_memory_order(other, ops):
    rng = seeded("memory order")
    arrays = {"average": rng.standard_normal((4, 3)), "weight": rng.standard_normal((4, 3))}
    wanted = 0.75 * arrays["average"] + 0.25 * arrays["weight"]
    arrays[other] = np.asfortranarray(arrays[other])
    with use(ops):
        F.average_update(arrays["average"], arrays["weight"], 0.25)
    np.testing.assert_allclose(arrays["average"], wanted, rtol=1e-14)


def test_the_arrays_stay_where_they_are():
    rng = seeded("same arrays")
    network = net()
    average = WeightAverage(network)
    before = average.net.state_dict()
    for _ in range(3):
        move(network, rng)
        average.update()
    assert all(array is before[key] for key, array in average.net.state_dict().items())
    assert not any(np.shares_memory(array, network.state_dict()[key]) for key, array in before.items())


def test_a_fused_network_is_averaged_and_its_average_evaluates():
    rng = seeded("fused")
    plain = KeypointNet(16, (2,), (4,), padding=1, rng=0)
    learning = fuse(plain)
    average = WeightAverage(learning, 0.5, warmup=False)
    images = rng.random((3, 1, 16, 16), np.float32)
    for _ in range(3):
        learning(images)  # in training mode, so the running statistics move
        plain.fc1.weight.data += 1
        average.update()
    assert learning.training
    assert not average.net.training
    twin = KeypointNet(16, (2,), (4,), padding=1, rng=1).eval()
    twin.load_state_dict(average.net.state_dict())
    np.testing.assert_allclose(average.net(images), twin(images), rtol=1e-5, atol=1e-5)
    assert not np.allclose(average.net(images), plain.eval()(images), atol=1e-3)


def test_it_goes_on_where_it_stopped():
    rng = seeded("goes on")
    network = net()
    average = WeightAverage(network)
    move(network, rng)
    average.update()
    state = {key: array.copy() for key, array in average.state_dict().items()}
    assert list(state) == [*(f"net.{key}" for key in network.state_dict()), "updates"]
    other = WeightAverage(network)
    other.load_state_dict(state)
    for _ in range(3):
        move(network, rng)
        average.update()
        other.update()
    assert average.updates == other.updates == 4
    for key, array in average.net.state_dict().items():
        np.testing.assert_array_equal(other.net.state_dict()[key], array)


def test_begun_anew_it_copies_first():
    rng = seeded("begun anew")
    network = net()
    average = WeightAverage(network)
    for _ in range(3):
        move(network, rng)
        average.update()
    average.load_state_dict(
        {f"net.{key}": array.copy() for key, array in network.state_dict().items()} | {"updates": 0}
    )
    weights = move(network, rng)
    average.update()
    for key, array in average.net.state_dict().items():
        np.testing.assert_array_equal(array, weights[key])


@pytest.mark.parametrize("decay", [-0.1, 1.0, np.nan])
def test_errors(decay):
    with pytest.raises(ValueError, match=r"WeightAverage: decay must lie in 0 \.\. 1"):
        WeightAverage(net(), decay)
    average = WeightAverage(net())
    with pytest.raises(ValueError, match=r"load_state_dict: missing updates"):
        average.load_state_dict({f"net.{key}": array for key, array in net().state_dict().items()})
    with pytest.raises(ValueError, match=r"load_state_dict: missing 0\."):
        average.load_state_dict({"updates": np.array(1)})
    with pytest.raises(ValueError, match=r"load_state_dict: unknown 0\.weight"):
        average.load_state_dict(average.state_dict() | {"0.weight": np.zeros(1)})
    assert average.updates == 0


@pytest.mark.parametrize("updates", [0, 1])
def test_weights_of_another_shape_are_refused_and_not_broadcast(updates):
    net = Linear(2, 2, rng=0)
    average = WeightAverage(net)
    for _ in range(updates):
        average.update()
    before = average.net.weight.data.copy()
    net.weight.data[...] += 1
    net.bias.data = np.ones(1, np.float32)
    with pytest.raises(ValueError, match=r"WeightAverage: bias must have shape \(2,\), got \(1,\)"):
        average.update()
    np.testing.assert_array_equal(average.net.weight.data, before)
    assert average.updates == updates
