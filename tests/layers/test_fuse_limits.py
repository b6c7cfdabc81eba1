"""`fuse` leaves subclasses and objects with another computation unchanged, and keeps all that a network owns."""

import copy

import numpy as np
import pytest

from numpynet import (
    Adam,
    BatchNorm2d,
    Chain,
    Conv2d,
    Flatten,
    KeypointNet,
    Linear,
    MaxPool2d,
    Parameter,
    ReLU,
    Residual,
    Sequential,
    WeightAverage,
    fuse,
)
from numpynet.fuse import ConvBlock
from tests.seeds import seeded

IMAGES = seeded("images").standard_normal((3, 1, 8, 8))


class Leaky(ReLU):
    def forward(self, x):
        return np.where(x > 0, x, 0.1 * x), x

    def backward(self, dout, cache):
        return np.where(cache > 0, dout, 0.1 * dout)


class Doubled(Conv2d):
    def forward(self, x):
        out, cache = super().forward(x)
        return 2 * out, cache

    def backward(self, dout, cache):
        return super().backward(2 * dout, cache)


class Shifted(BatchNorm2d):
    def forward(self, x):
        out, cache = super().forward(x)
        return out + 1, cache


class Mean(MaxPool2d):
    def forward(self, x):
        return x.reshape(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3] // 2, 2).mean(axis=(3, 5)), None

    def backward(self, dout, cache):
        return dout.repeat(2, axis=2).repeat(2, axis=3) / 4


class Half(Residual):
    """x / 2 + body(x)."""

    def forward(self, x):
        out, cache = super().forward(x)
        return out - x / 2, cache

    def __call__(self, x):
        return self.forward(x)[0]

    def backward(self, dout, cache):
        return super().backward(dout, cache) - dout / 2


class Backwards(Residual):
    """Runs its body in reverse order."""

    def path(self):
        return super().path()[::-1]


def block(conv=Conv2d, bn=BatchNorm2d, relu=ReLU, pool=MaxPool2d):
    return [conv(1, 4, 3, padding=1, rng=0), bn(4), relu(), pool(2)]


NETS = {
    "a subclass of ReLU": lambda: Sequential(*block(relu=Leaky)),
    "a subclass of Conv2d": lambda: Sequential(*block(conv=Doubled)),
    "a subclass of BatchNorm2d": lambda: Sequential(*block(bn=Shifted)),
    "a subclass of MaxPool2d": lambda: Sequential(*block(pool=Mean)),
    "a subclass of Residual": lambda: Sequential(Half(Conv2d(1, 1, 3, padding=1, rng=1), BatchNorm2d(1), ReLU())),
    "a Residual of another path": lambda: Sequential(Backwards(ReLU(), BatchNorm2d(1), Conv2d(1, 1, 1, rng=2))),
    "a Residual alone": lambda: Residual(Conv2d(1, 1, 3, padding=1, rng=1), BatchNorm2d(1), ReLU()),
    "a layer alone": lambda: Conv2d(1, 2, 3, rng=1),
    "a subclass deep inside": lambda: Sequential(
        Residual(Residual(Conv2d(1, 1, 1, rng=4), BatchNorm2d(1), Leaky())), *block()
    ),
}


def computes_the_same(plain, fused):
    """Compares, in both modes, the output of `net(x)` and of `forward`, dL/dx and every gradient."""
    for mode in (True, False):
        plain.train(mode)
        fused.train(mode)
        np.testing.assert_allclose(fused(IMAGES), plain(IMAGES), rtol=1e-10, atol=1e-10)
        plain.zero_grad()
        fused.zero_grad()
        out, cache = plain.forward(IMAGES)
        got, fused_cache = fused.forward(IMAGES)
        np.testing.assert_allclose(got, out, rtol=1e-10, atol=1e-10)
        dout = seeded("dout", out.shape).standard_normal(out.shape)
        dx, fused_dx = plain.backward(dout, cache), fused.backward(dout, fused_cache)
        np.testing.assert_allclose(fused_dx, dx, rtol=1e-8, atol=1e-8)
        for (name, one), (_, two) in zip(plain.named_parameters(), fused.named_parameters(), strict=True):
            np.testing.assert_allclose(two.grad, one.grad, rtol=1e-8, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("name", NETS)
def test_what_computes_something_else_still_does(name):
    plain = NETS[name]().astype(np.float64)
    computes_the_same(plain, fuse(copy.deepcopy(plain)))


def test_the_subclasses_are_the_objects_themselves():
    layers = block(relu=Leaky)
    assert fuse(Sequential(*layers)).path() == layers
    layers = block(pool=Mean)
    made = fuse(Sequential(*layers)).path()
    assert [type(layer) for layer in made] == [ConvBlock, Mean]
    assert made[1] is layers[3]
    half = Half(*block()[:3])
    assert fuse(Sequential(half)).path() == [half]


@pytest.mark.parametrize("position", range(4))
def test_an_object_whose_forward_was_replaced_stays(position):
    plain = Sequential(*block()).astype(np.float64)
    layer = plain.path()[position]
    forward = layer.forward

    def doubled(x):
        out, cache = forward(x)
        return 2 * out, cache

    layer.forward = doubled
    fused = fuse(plain)
    assert layer in fused.path()
    np.testing.assert_allclose(fused.forward(IMAGES)[0], plain.forward(IMAGES)[0], rtol=1e-10)


class Scaled(Sequential):
    """A network whose forward does more than its path, with its own parameter and buffer."""

    buffer_names = ("seen",)

    def __init__(self, *layers):
        self.gain = Parameter(np.full(1, 3.0))
        self.seen = np.zeros((), np.int64)
        super().__init__(*layers)

    def forward(self, x):
        self.seen += 1
        out, cache = super().forward(x)
        return out * self.gain.data, (out, cache)

    def backward(self, dout, cache):
        out, cache = cache
        self.gain.add_grad(np.array([(dout * out).sum()]))
        return super().backward(dout * self.gain.data, cache)

    def __call__(self, x):
        return self.forward(x)[0]


def test_a_network_with_a_forward_of_its_own_keeps_it():
    plain = Scaled(*block()).astype(np.float64)
    fused = fuse(copy.deepcopy(plain))
    computes_the_same(plain, fused)
    assert fused.state_dict()["seen"] == plain.state_dict()["seen"] == 4


class Owner(Chain):
    """A plain path, and a parameter and a buffer that belong to the network itself."""

    buffer_names = ("calls",)

    def __init__(self):
        self.temperature = Parameter(np.ones(2, np.float32))
        self.calls = np.zeros(3)
        self.conv, self.bn, self.relu, self.pool = block()

    def path(self):
        return [self.conv, self.bn, self.relu, self.pool]


def test_what_the_network_itself_owns_is_not_forgotten():
    net = Owner()
    fused = fuse(net)
    assert [type(layer) for layer in fused.path()] == [ConvBlock]
    assert list(fused.named_parameters()) == list(net.named_parameters())
    assert fused.parameters()[0] is net.temperature
    assert list(fused.state_dict()) == list(net.state_dict())
    assert fused.state_dict()["calls"] is net.calls
    fused.load_state_dict({key: array + 1 for key, array in net.state_dict().items()})
    np.testing.assert_array_equal(net.temperature.data, 2)
    np.testing.assert_array_equal(net.calls, 1)
    net.temperature.add_grad(np.ones(2, np.float32))
    Adam(fused.parameters(), lr=0.5).step()
    np.testing.assert_allclose(net.temperature.data, 1.5)
    fused.zero_grad()
    assert net.temperature.grad is None
    average = WeightAverage(fused, 0.5, warmup=False)
    average.update()
    net.temperature.data += 1
    average.update()
    np.testing.assert_allclose(average.net.state_dict()["temperature"], 2.0)
    fused.astype(np.float64)
    assert net.temperature.data.dtype == net.calls.dtype == np.float64
    assert set(net.modules()) < set(fused.modules())


def test_whether_it_trains_is_one_switch():
    net = KeypointNet(16, (2,), (4,), padding=1, rng=0)
    fused = fuse(net)
    assert fused.training
    net.eval()
    assert not fused.training
    fused.train()
    assert net.training
    assert net.dropout.training
    net.training = False
    assert not fused.training
    fused.training = True
    assert net.training
    assert copy.deepcopy(fused).eval().training is False
    assert net.training  # the copy has its own switch


def test_a_fused_network_is_fused_anew():
    net = Sequential(*block(), Flatten(), Linear(64, 2, rng=1)).astype(np.float64)
    once = fuse(net, input_gradient=False)
    again = fuse(once)
    assert again.plain is net
    assert repr(again) == repr(net)
    assert list(again.state_dict()) == list(net.state_dict())
    computes_the_same(copy.deepcopy(net), again)
    out, cache = fuse(again, input_gradient=False).forward(IMAGES)
    assert fuse(again, input_gradient=False).backward(np.ones_like(out), cache) is None


@pytest.mark.parametrize("train", [False, True])
def test_a_pool_without_a_window_is_refused_as_in_the_plain_network(train):
    net = Sequential(Conv2d(1, 3, 3, rng=0), BatchNorm2d(3), ReLU(), MaxPool2d(2)).train(train)
    for one in (net, fuse(net)):
        with pytest.raises(ValueError, match=r"max_pool2d: x of shape \(2, 3, 1, 4\) is smaller than the kernel"):
            one(np.ones((2, 1, 3, 6), np.float32))
