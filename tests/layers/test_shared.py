"""One layer or parameter under several names: an update moves it once, and it has one key per name."""

import copy

import numpy as np
import pytest

from numpynet import (
    SGD,
    Adam,
    AdamW,
    BatchNorm2d,
    Chain,
    Conv2d,
    Dropout,
    Linear,
    MSELoss,
    Parameter,
    ReLU,
    Residual,
    Sequential,
    WeightAverage,
    fuse,
)
from numpynet.training import Trainer
from tests.seeds import seeded


def twice():
    """y = w (w x)."""
    layer = Linear(1, 1, bias=False, rng=0).astype(np.float64)
    layer.weight.data[...] = 1
    return Sequential(layer, layer)


def test_it_is_stepped_once():
    """d(w w)/dw = 2 at w = 1."""
    net = twice()
    optimizer = SGD(net.parameters(), lr=0.1)
    out, cache = net.forward(np.ones((1, 1)))
    net.backward(np.ones_like(out), cache)
    optimizer.step()
    assert net.path()[0].weight.data == pytest.approx(0.8)


def test_parameters_come_once_and_keys_as_often_as_names():
    net = twice()
    layer = net.path()[0]
    assert [name for name, _ in net.named_parameters()] == ["0.weight"]
    assert net.parameters() == [layer.weight]
    assert list(net.modules()) == [net, layer]
    assert [name for name, _ in net.named_modules()] == ["", "0.", "1."]
    state = net.state_dict()
    assert list(state) == ["0.weight", "1.weight"]
    assert state["0.weight"] is state["1.weight"] is layer.weight.data
    assert net.path() == [layer, layer]
    assert repr(net).count("Linear(in_features=1") == 2


def test_a_layer_deep_in_two_parts():
    shared = BatchNorm2d(2)
    net = Sequential(Sequential(Conv2d(1, 2, 1), shared), Residual(Sequential(ReLU(), shared)))
    names = [name for name, _ in net.named_parameters()]
    assert names == ["0.0.weight", "0.0.bias", "0.1.weight", "0.1.bias"]
    assert next(name for name, _ in net.named_parameters("net.")) == "net.0.0.weight"
    assert list(net.modules()).count(shared) == 1
    assert [key for key in net.state_dict() if key.endswith("running_mean")] == [
        "0.1.running_mean",
        "1.0.1.running_mean",
    ]
    net.eval()
    assert not shared.training
    assert shared.running_mean.dtype == np.float32
    net.astype(np.float64)
    assert {array.dtype for key, array in net.state_dict().items() if "tracked" not in key} == {np.dtype(np.float64)}


def test_two_layers_with_the_same_parameter():
    """Tied weights: an autoencoder whose two layers learn one matrix."""
    rng = seeded("tied weights")
    first, second = Linear(3, 3, rng=0), Linear(3, 3, rng=1)
    second.weight = first.weight
    net = Sequential(first, ReLU(), second).astype(np.float64)
    assert [name for name, _ in net.named_parameters()] == ["0.weight", "0.bias", "2.bias"]
    assert second.weight is first.weight
    _out, cache = net.forward(rng.standard_normal((5, 3)))
    net.backward(rng.standard_normal((5, 3)), cache)
    before = first.weight.data.copy()
    SGD(net.parameters(), lr=1.0).step()
    np.testing.assert_allclose(first.weight.data, before - first.weight.grad)


@pytest.mark.parametrize("optimizer_of", [Adam, AdamW, SGD])
def test_an_optimizer_refuses_one_parameter_twice(optimizer_of):
    one, other = Parameter(np.ones(2)), Parameter(np.ones(2))
    with pytest.raises(ValueError, match=rf"{optimizer_of.__name__}: parameter 2 is parameter 0 again; give each once"):
        optimizer_of([one, other, one])
    assert len(optimizer_of([one, other]).params) == 2  # equal numbers do not make them one


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_an_average_moves_it_once(decay):
    net = twice()
    weight = net.path()[0].weight
    average = WeightAverage(net, decay, warmup=False)
    average.update()
    weight.data[...] = 3
    average.update()
    state = average.net.state_dict()
    assert state["0.weight"] is state["1.weight"]
    assert state["1.weight"] == pytest.approx(decay * 1 + (1 - decay) * 3)


def test_a_state_loads_into_both_names_and_lacks_neither():
    net, other = twice(), twice()
    net.path()[0].weight.data[...] = 5
    other.load_state_dict(net.state_dict())
    assert other.path()[0].weight.data == 5
    with pytest.raises(ValueError, match=r"missing 1\.weight"):
        other.load_state_dict({"0.weight": np.ones((1, 1))})


def test_a_fused_network_has_each_once_as_well():
    rng = seeded("fused")
    conv, bn = Conv2d(2, 2, 3, padding=1, rng=0), BatchNorm2d(2)
    net = Sequential(conv, bn, ReLU(), conv, bn, ReLU()).astype(np.float64)
    fused = fuse(copy.deepcopy(net))
    assert [name for name, _ in fused.named_parameters()] == [name for name, _ in net.named_parameters()]
    assert list(fused.state_dict()) == list(net.state_dict())
    x, dout = rng.standard_normal((2, 3, 2, 6, 6))
    for network in (net, fused):
        _out, cache = network.forward(x)
        network.backward(dout, cache)
        Adam(network.parameters(), lr=0.1).step()
    np.testing.assert_allclose(fused.state_dict()["0.weight"], net.state_dict()["0.weight"], rtol=1e-8)
    assert net.state_dict()["1.num_batches_tracked"] == fused.state_dict()["4.num_batches_tracked"] == 2


def test_a_trainers_state_holds_one_generator_for_a_dropout_under_two_names():
    rng = seeded("shared dropout")
    dropout = Dropout(0.5, rng=3)
    net = Sequential(Linear(4, 8, rng=0), dropout, Linear(8, 8, rng=1), dropout, Linear(8, 2, rng=2))
    trainer = Trainer(net, MSELoss(), Adam(net.parameters()))
    x, target = rng.random((3, 4), np.float32), rng.random((3, 2), np.float32)
    trainer.train_step(x, target)
    state = {key: array.copy() for key, array in trainer.state_dict().items()}
    assert [key for key in state if key.startswith("rng")] == ["rng.0"]
    expected = trainer.train_step(x, target)
    trainer.load_state_dict(state)
    assert trainer.train_step(x, target) == expected


def test_a_chain_may_walk_a_layer_that_stands_in_two_attributes():
    class Net(Chain):
        def __init__(self):
            self.a = self.b = Linear(2, 2, rng=0)

        def path(self):
            return [self.a, self.b]

    net = Net()
    assert [name for name, _ in net.named_parameters()] == ["a.weight", "a.bias"]
    net.zero_grad()
    _, cache = net.forward(np.ones((1, 2), np.float32))
    net.backward(np.ones((1, 2), np.float32), cache)
    net.zero_grad()
    assert all(parameter.grad is None for parameter in net.parameters())
