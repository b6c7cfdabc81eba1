"""`numpynet.record` keeps of a pass what the layers computed, and its figures are those of an experiment."""

from itertools import pairwise

import numpy as np
import pytest

from numpynet import (
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    HourglassNet,
    KeypointNet,
    Linear,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
    SmoothL1Loss,
    SoftArgmax2d,
    Upsample,
)
from numpynet.dispatch import use
from numpynet.module import Chain, Module
from numpynet.record import Record
from tests.seeds import seeded

NETS = {
    "compact": lambda: KeypointNet.compact(16, (3, 4), (6,), rng=1).astype(np.float64),
    "hourglass": lambda: HourglassNet(32, (2, 3), (4, 5, 6), rng=1).astype(np.float64),
    "chains inside chains": lambda: Sequential(
        Sequential(Conv2d(1, 2, 3, padding=1, rng=1), Residual(Sequential(BatchNorm2d(2), ReLU()), Conv2d(2, 2, 1))),
        MaxPool2d(2),
        SoftArgmax2d(),
    ).astype(np.float64),
}


def picture(size, batch=2):
    return seeded("record", size).standard_normal((batch, 1, size, size))


@pytest.mark.parametrize("name", NETS)
def test_output_and_gradients_are_those_of_the_net(name):
    one, two = NETS[name](), NETS[name]()
    two.load_state_dict(one.state_dict())
    x = picture(32 if name == "hourglass" else 16)
    out, cache = one.forward(x)
    record = Record(two, x)
    np.testing.assert_array_equal(record.out, out)
    dout = seeded(name).standard_normal(out.shape)
    np.testing.assert_array_equal(record.backward(dout), one.backward(dout, cache))
    for ours, theirs in zip(two.parameters(), one.parameters(), strict=True):
        np.testing.assert_array_equal(ours.grad, theirs.grad)
    for key, array in one.state_dict().items():  # the running statistics moved alike
        np.testing.assert_array_equal(two.state_dict()[key], array)


def test_each_row_takes_what_the_one_before_gave_and_passes_back_what_that_one_gets():
    net = NETS["hourglass"]()
    record = Record(net, picture(32))
    dx = record.backward(np.ones_like(record.out) * np.arange(136))
    outer = [row for row in record.rows if row.depth == 0]
    for row, after in pairwise(outer):
        assert row.out is after.x
        assert row.dout is after.dx
    assert outer[0].dx is dx
    assert outer[-1].out is record.out
    (residual,) = (row for row in outer if isinstance(row.layer, Residual))
    np.testing.assert_array_equal(residual.out, residual.x + residual.inside[-1].out)
    np.testing.assert_array_equal(residual.dx, residual.dout + residual.inside[0].dx)
    assert residual.inside[-1].dout is residual.dout


def test_names_are_those_of_the_state_dict():
    net = HourglassNet(32, (2,), (3, 4), rng=0)
    rows = Record(net, picture(32).astype(np.float32)).rows
    keys = [f"{row.name}.weight" for row in rows if row.parameters]
    assert keys == [key for key in keys if key in net.state_dict()]
    assert {key for row in rows for key in row.parameters} == dict(net.named_parameters()).keys()
    assert [row.label for row in rows][:4] == ["stem1: Conv2d", "stem1_bn: BatchNorm2d", "ReLU", "pool: MaxPool2d"]
    assert [row.label for row in rows if row.depth == 0 and row.inside] == ["Residual"]
    nested = Record(NETS["chains inside chains"](), picture(8)).rows
    assert [row.name for row in nested] == ["0.0", "0.1.0.0", "0.1.0.1", "0.1.1", "0.1", "1", "2"]
    assert [row.depth for row in nested] == [0, 1, 1, 1, 0, 0, 0]


def test_an_error_names_the_layer():
    with pytest.raises(ValueError, match=r"^Conv2d\(1, 2.*: conv2d: x must have shape \(N, 1, H, W\)"):
        Record(Sequential(Conv2d(1, 2, 3)), np.zeros((1, 3, 8, 8)))
    with pytest.raises(ValueError, match=r"^Residual: the body must keep x's shape \(1, 1, 8, 8\)"):
        Record(Sequential(Residual(Conv2d(1, 2, 1, dtype=np.float64))), np.zeros((1, 1, 8, 8)))


def test_flops_count_each_product_of_the_definition_twice():
    """A convolution of (5 - 3) // 2 + 1 = 2 rows and 4 columns: 2 images, 3 filters, 2 channels, 3 x 2 elements."""
    conv = Conv2d(2, 3, (3, 2), stride=(2, 1), rng=0)
    net = Sequential(conv, ReLU(), Flatten(), Linear(24, 7, rng=0))
    rows = Record(net, np.zeros((2, 2, 5, 5), np.float32)).rows
    assert [row.flops for row in rows] == [2 * 2 * 3 * (2 * 4) * (2 * 3 * 2), 0, 0, 2 * 2 * 24 * 7]


@pytest.fixture
def readable():
    """The fast functions keep other arrays."""
    with use("readable"):
        yield


@pytest.mark.usefixtures("readable")
def test_cache_bytes_are_those_of_each_kept_array_once():
    """Float64 numbers of 8 bytes; flatten's output is a view of the pool's; the ReLU's is what the next layer keeps."""
    net = Sequential(
        Conv2d(1, 2, 3, padding=1, rng=0), ReLU(), MaxPool2d(2), Flatten(), Linear(8, 3, rng=0), Dropout(0.5, rng=0)
    ).astype(np.float64)
    rows = Record(net, np.zeros((1, 1, 4, 4))).rows
    winner = rows[2].cache.winner
    assert [row.cache_bytes for row in rows] == [16 * 8, 32 * 1, 8 * winner.itemsize, 0, 8 * 8, 3 * 1]
    twice = Sequential(Residual(Conv2d(1, 1, 1, rng=0)), Conv2d(1, 1, 1, rng=0))
    assert sum(row.cache_bytes for row in Record(twice, np.zeros((1, 1, 4, 4), np.float32)).rows) == 2 * 16 * 4


class Kept(Module):
    """Keeps its output, as the fast ReLU does; so does the layer behind it, whose input it is."""

    def forward(self, x):
        out = -x
        return out, (out, [out[:1], None])

    def backward(self, dout, cache):
        return -dout


def test_an_array_that_two_caches_hold_counts_once_also_as_a_view():
    x = np.zeros((2, 1, 2, 3))
    rows = Record(Sequential(Kept(), Flatten(), Linear(6, 1, dtype=np.float64), Kept()), x).rows
    assert [row.cache_bytes for row in rows] == [12 * 8, 0, 0, 2 * 8]


def reach(net, shape, places):
    """Height and width of the largest box of pixels that move one of the outputs at these places, by the gradient."""
    sizes = []
    for place in places:
        out, cache = net.forward(seeded("reach").standard_normal(shape))
        dout = np.zeros_like(out)
        dout[(0, 0, *place)] = 1
        rows, columns = np.nonzero(net.backward(dout, cache)[0].any(axis=0))
        sizes.append((np.ptp(rows) + 1, np.ptp(columns) + 1))
    return tuple(int(side) for side in np.max(sizes, axis=0))


SEEN = {
    "convolutions": ([Conv2d(1, 2, 3, padding=1), Conv2d(2, 2, (3, 5), stride=(2, 1)), Conv2d(2, 1, 2)], (7, 8)),
    "dilation": ([Conv2d(1, 2, 3, dilation=(2, 3)), AvgPool2d(2), Conv2d(2, 1, 3, dilation=2)], (14, 16)),
    "upsampling": ([AvgPool2d(2), Conv2d(1, 2, 3, padding=1), Upsample(2), Conv2d(2, 1, 2)], (8, 8)),
    "a factor of three": ([AvgPool2d(3), Upsample(3), Conv2d(1, 1, 5, padding=2), AvgPool2d(2)], (9, 9)),
    "upsampling twice": ([AvgPool2d(4), Upsample(2), Conv2d(1, 1, 2), Upsample(2), Conv2d(1, 1, 3)], (8, 8)),
    "upsampling undone": ([AvgPool2d(2), Upsample(2), Conv2d(1, 1, 3, stride=2), Conv2d(1, 1, 3)], (8, 8)),
    "a branch": (
        [Residual(AvgPool2d(2), Conv2d(1, 1, 3, padding=1), Upsample(2)), Conv2d(1, 1, 3, padding=1)],
        (8, 8),
    ),
    "a branch in a branch": (
        [
            Conv2d(1, 1, 3, padding=1),
            Residual(AvgPool2d(2), Residual(AvgPool2d(2), Conv2d(1, 1, 3, padding=1), Upsample(2)), Upsample(2)),
        ],
        (14, 14),
    ),
    "the larger branch counts": ([Residual(Conv2d(1, 1, 1)), Residual(Conv2d(1, 1, 7, padding=3))], (7, 7)),
}


@pytest.mark.parametrize("name", SEEN)
def test_receptive_field_is_what_the_gradient_reaches(name):
    layers, size = SEEN[name]
    net = Sequential(*layers).astype(np.float64)
    shape = (1, 1, 48, 48)
    height, width = net(np.zeros(shape)).shape[2:]
    places = [(height // 2 + i, width // 2 + i) for i in range(-2, 2)]
    assert Record(net, np.zeros(shape)).rows[-1].receptive_field == reach(net, shape, places) == size


def test_receptive_field_of_the_hourglass():
    """Of each score of the head; the picture is large enough for its 70 pixels."""
    net = HourglassNet(96, (2,), (2, 2, 2), rng=3).astype(np.float64).eval()
    scores = Sequential(*list(smooth(net.path()))[:-1])
    row = Record(net, np.zeros((1, 1, 96, 96))).rows[-2]
    places = [(24 + i, 24 + i) for i in range(4)]
    assert row.name == "head"
    assert row.receptive_field == reach(scores, (1, 1, 96, 96), places)
    assert row.jump == (2.0, 2.0)


def smooth(layers):
    """The layers with average pooling for max pooling and no ReLU, so that every pixel's influence is seen."""
    for layer in layers:
        if isinstance(layer, Residual):
            yield Residual(*smooth(layer.path()))
        elif isinstance(layer, MaxPool2d):
            yield AvgPool2d(2)
        elif not isinstance(layer, ReLU):
            yield layer


def test_jump_is_the_distance_between_neighbours():
    net = Sequential(Conv2d(1, 1, 3, stride=(2, 3)), MaxPool2d(2, stride=1), AvgPool2d(2), Upsample(4))
    rows = Record(net, np.zeros((1, 1, 40, 40), np.float32)).rows
    assert [row.jump for row in rows] == [(2.0, 3.0), (2.0, 3.0), (4.0, 6.0), (1.0, 1.5)]
    rows = Record(
        Sequential(AvgPool2d(2), Upsample(2), AvgPool2d(2), Upsample(3)), np.zeros((1, 1, 8, 8), np.float32)
    ).rows
    assert [row.jump[0] for row in rows] == [2.0, 1.0, 2.0, pytest.approx(2 / 3)]


class Own(Module):
    """A layer that the module does not know."""

    def forward(self, x):
        return x, None

    def backward(self, dout, cache):
        return dout


class Doubled(Chain):
    """A chain with a forward pass of its own is one layer: its inside is not walked."""

    def path(self):
        return [ReLU()]

    def forward(self, x):
        out, caches = super().forward(x)
        return 2 * out, caches

    def backward(self, dout, cache):
        return super().backward(2 * dout, cache)


def test_layers_of_others():
    net = Sequential(Conv2d(1, 1, 3, dtype=np.float64), Own(), Doubled(), Conv2d(1, 1, 3, dtype=np.float64))
    record = Record(net, picture(8))
    assert [row.label for row in record.rows] == ["0: Conv2d", "1: Own", "2: Doubled", "3: Conv2d"]
    assert [row.receptive_field for row in record.rows] == [(3, 3), "?", "?", "?"]
    np.testing.assert_array_equal(record.out, net.forward(picture(8))[0])
    alone = Record(ReLU(), picture(4))
    assert [row.label for row in alone.rows] == ["ReLU"]
    np.testing.assert_array_equal(alone.backward(picture(4)), np.where(picture(4) > 0, picture(4), 0))


def test_a_training_step_gives_each_layer_its_gradient():
    """The dout of a layer is the derivative of the loss by its output: nudge one output number and look."""
    net = NETS["compact"]().eval()
    x, target = picture(16), seeded("target").standard_normal((2, 136))
    record = Record(net, x)
    loss, dout = SmoothL1Loss()(record.out, target)
    record.backward(dout)
    i = next(i for i, row in enumerate(record.rows) if row.name == "conv2_bn")
    row, eps = record.rows[i], 1e-6
    nudged = row.out.copy()
    place = np.unravel_index(np.abs(row.dout).argmax(), row.dout.shape)
    nudged[place] += eps
    other, _ = SmoothL1Loss()(Sequential(*net.path()[i + 1 :])(nudged), target)
    assert (float(other) - float(loss)) / eps == pytest.approx(row.dout[place], rel=1e-4)
