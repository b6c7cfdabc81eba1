"""The path of a network is built once, and uses a layer that later replaces another."""

import copy
import pickle

import numpy as np
import pytest

from numpynet import HourglassNet, KeypointNet, Linear, Residual, fuse
from numpynet.layers import Conv2d
from tests.seeds import seeded

NETS = {
    "keypoint": lambda rng: KeypointNet(16, (2, 3), (4,), padding=1, rng=rng),
    "hourglass": lambda rng: HourglassNet(16, (2,), (3, 4, 5), rng=rng),
}
nets = pytest.mark.parametrize("name", NETS)


def inside(path):
    """All layers of a path and of the Residuals in it."""
    return [part for layer in path for part in (inside(layer.path()) if isinstance(layer, Residual) else [layer])]


@nets
def test_every_child_is_on_the_path_and_every_layer_with_parameters_on_it_is_a_child(name):
    net = NETS[name](0)
    path, children = inside(net.path()), list(net.children())
    assert {id(child) for child in children} <= {id(layer) for layer in path}
    assert all(any(layer is child for child in children) for layer in path if layer.parameters())


@nets
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_copy_computes_the_same_with_layers_of_its_own(name, copied):
    net = NETS[name](0).eval()
    images = seeded("paths", name).random((2, 1, 16, 16), np.float32)
    expected, other = net(images), copied(net)
    np.testing.assert_array_equal(other(images), expected)
    for parameter in net.parameters():
        parameter.data[...] = 0
    np.testing.assert_array_equal(other(images), expected)


def test_a_layer_put_in_the_place_of_another_is_the_one_that_computes_and_learns():
    net = KeypointNet(16, (2, 3), (4,), padding=1, rng=0)
    images = seeded("replaced").random((3, 1, 16, 16), np.float32)
    out, _ = net.forward(images)
    net.fc2 = Linear(4, 2, rng=1)
    changed, cache = net.forward(images)
    assert (out.shape, changed.shape) == ((3, 136), (3, 2))
    net.backward(changed, cache)
    assert net.fc2.weight.grad is not None
    assert list(net.state_dict())[-2:] == ["fc2.weight", "fc2.bias"]
    assert net.path()[-1] is net.fc2
    assert fuse(net).path()[-1] is net.fc2


def test_a_layer_deep_inside_the_hourglass_may_be_replaced_too():
    net = HourglassNet(16, (2,), (3, 4, 5), rng=0).eval()
    images = seeded("deep").random((2, 1, 16, 16), np.float32)
    before = net(images)
    net.down3b = Conv2d(5, 5, 3, padding=1, bias=False, rng=9)
    assert any(layer is net.down3b for layer in inside(net.path()))
    assert not np.array_equal(net(images), before)
