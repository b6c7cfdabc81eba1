"""Where a NaN or an infinite loss first appears: planted in images, weights, layers and the loss."""

import itertools

import numpy as np
import pytest

from numpynet import Adam, KeypointNet, Linear, MSELoss, ReLU, Residual, Sequential, fuse
from numpynet.divergence import first_not_finite
from numpynet.training import Trainer, fit


def batch():
    rng = np.random.default_rng(3)
    return rng.random((4, 1, 20, 20), np.float32), rng.standard_normal((4, 136), np.float32)


def network(seed=0):
    return KeypointNet(20, (3, 4), (12,), padding=1, dropout=0.3, rng=seed)


@pytest.mark.parametrize("part", ["images", "targets"])
def test_in_the_data(part):
    images, targets = batch()
    (images if part == "images" else targets).flat[5] = np.inf
    assert first_not_finite(network(), images, targets) == f"the {part}"


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("key", ["conv1.weight", "conv2_bn.weight", "fc1.bias"])
def test_weights_were_spoiled_by_the_update_before(key, fused):
    """Backwards: what the output layer's gradient spoils first is the last such weight."""
    net = network()
    spoiled = list(dict(net.named_parameters()))
    for name in spoiled[: spoiled.index(key) + 1]:
        net.state_dict()[name].flat[0] = np.nan
    where = first_not_finite(fuse(net) if fused else net, *batch())
    assert where == f"{key}, which the step before has spoiled"


@pytest.mark.parametrize(("key", "fused"), [("conv2", False), ("fc1", False), ("fc1", True)])
def test_a_layer_that_overflows_is_named(key, fused):
    """All its weights are finite, but its output is not."""
    net = network()
    for name in ("weight", "bias"):
        net.state_dict()[f"{key}.{name}"][...] = 3e38
    assert first_not_finite(fuse(net) if fused else net, *batch()) == f"the output of {key}"


def test_a_fused_block_is_named_by_its_parts():
    net = network()
    net.state_dict()["conv2.weight"][...] = 3e38
    assert first_not_finite(fuse(net), *batch()) == "the output of conv2 with conv2_bn"


def test_inside_a_residual():
    net = Sequential(Linear(3, 3, rng=0), Residual(ReLU(), Linear(3, 3, rng=1)), Linear(3, 2, rng=2))
    images, targets = np.ones((2, 3), np.float32), np.ones((2, 2), np.float32)
    net.state_dict()["1.1.weight"][...] = 3e38
    net.state_dict()["0.bias"][...] = 10
    assert first_not_finite(net, images, targets) == "the output of 1.1"


def test_the_loss_alone():
    net = Sequential(Linear(3, 2, rng=0))
    net.state_dict()["0.bias"][...] = 1e30  # its square is infinite
    images, targets = np.ones((2, 3), np.float32), np.ones((2, 2), np.float32)
    learner = Trainer(net, MSELoss(), Adam(net.parameters()))
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match=r"step 1 of epoch 1, first in the loss, "):
        list(fit(learner, lambda epoch: [(images, targets)], epochs=1))


def test_fit_names_the_step_and_the_layer():
    net = network()
    learner, given = Trainer(net, MSELoss(), Adam(net.parameters())), [batch()] * 3
    events = fit(learner, lambda epoch: given, epochs=2)
    list(itertools.islice(events, 5))  # the first epoch and a step of the second
    net.state_dict()["fc1.weight"][...] = 3e38
    words = "the loss became (nan|inf) at step 2 of epoch 2, first in the output of fc1; lower the learning rate"
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match=words):
        next(events)
