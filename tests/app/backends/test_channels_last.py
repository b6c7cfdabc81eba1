"""The network made ready for detection computes what the readable layers compute."""

import numpy as np
import pytest

from fkp_app.backends.channels_last import channels_last, in_turn, of_one_image
from fkp_app.backends.predictor import SHIPPED_WEIGHTS, get_predictor
from numpynet import FinderNet, HourglassNet, KeypointNet
from numpynet.checkpoint import load_net
from numpynet.layers import AvgPool2d, BatchNorm2d, Conv2d, MaxPool2d, ReLU, SoftArgmax2d
from numpynet.module import Sequential
from numpynet.workers import run, set_threads


def trained(net, seed=0):
    """The network with running statistics, scales and shifts as training leaves them: none at its first value."""
    rng = np.random.default_rng(seed)
    for name, array in net.state_dict().items():
        if name.endswith(("running_var", "bn.weight")):
            array[...] = rng.uniform(0.5, 2, array.shape)
        elif name.endswith(("running_mean", "bn.bias")):
            array[...] = rng.normal(0, 0.5, array.shape)
    return net.eval()


def images(count, *shape, seed=1):
    return np.random.default_rng(seed).random((count, *shape), np.float32)


def test_shipped_points_are_those_of_the_readable_network_within_a_hundredth_of_a_pixel():
    net, _ = load_net(SHIPPED_WEIGHTS)
    crops, predictor = images(3, 1, 96, 96), get_predictor("numpy")
    expected = predictor.card.units.to_pixels(net(crops))
    np.testing.assert_allclose(predictor.keypoints(crops), expected, atol=0.01)
    assert predictor(crops).dtype == np.float32


@pytest.mark.parametrize(
    "arguments", [{"size": 32, "stem": (5,), "levels": (6, 7)}, {"size": 24, "stem": (), "levels": (8,)}]
)
def test_other_hourglasses_agree_with_their_layers(arguments):
    net = trained(HourglassNet(**arguments, rng=0))
    x = images(2, 1, arguments["size"], arguments["size"])
    np.testing.assert_allclose(channels_last(net)(x), net(x), atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("kernel", "padding"), [(3, 0), (3, 1), (1, 0), ((5, 3), (2, 0)), ((2, 3), (0, 1))])
def test_convolutions_of_any_kernel_on_odd_sizes(kernel, padding, channels):
    net = trained(
        Sequential(
            Conv2d(channels, 4, kernel, padding=padding, rng=0),
            BatchNorm2d(4),
            ReLU(),
            MaxPool2d(2),
            Conv2d(4, 5, 3, padding=1, rng=1),
            BatchNorm2d(5, affine=False),
            ReLU(),
            MaxPool2d(2),
            SoftArgmax2d(),
        )
    )
    x = images(2, channels, 19, 15)
    np.testing.assert_allclose(channels_last(net)(x), net(x), atol=1e-5)


@pytest.mark.parametrize("band", [1, 700, 1 << 30])
@pytest.mark.parametrize("spread", [in_turn, run])
def test_a_wide_image_gives_maps_whatever_the_height_of_the_bands(band, spread, monkeypatch):
    monkeypatch.setattr("fkp_app.backends.channels_last.BAND", band)
    net = trained(FinderNet(stem=(3, 4, 5), body=(6, 6), rng=0))
    x = images(1, 1, 56, 88)
    maps = of_one_image(net, spread)
    set_threads(3)
    try:
        out = maps(x[0].transpose(1, 2, 0))
    finally:
        set_threads(None)
    np.testing.assert_allclose(out.transpose(2, 0, 1), net(x)[0], atol=1e-5)


def test_networks_with_other_layers_are_left_to_their_own_code():
    assert channels_last(KeypointNet.compact(rng=0).eval()) is None
    for layer in (AvgPool2d(2), MaxPool2d(3), MaxPool2d(2, ceil_mode=True), Conv2d(1, 2, 3, stride=2, rng=0)):
        assert channels_last(Sequential(layer, SoftArgmax2d()).eval()) is None
    dilated = Conv2d(1, 2, 3, dilation=2, bias=False, rng=0)
    assert channels_last(Sequential(dilated, SoftArgmax2d()).eval()) is None
    without = Sequential(Conv2d(1, 2, 3, rng=0), BatchNorm2d(2, track_running_stats=False), ReLU(), SoftArgmax2d())
    assert channels_last(without.eval()) is None


def test_a_subclass_of_a_layer_is_not_taken_for_it():
    class Doubling(SoftArgmax2d):
        def forward(self, x):
            out, cache = super().forward(x)
            return 2 * out, cache

    assert channels_last(Sequential(Conv2d(1, 2, 3, bias=False, rng=0), Doubling()).eval()) is None


def test_it_neither_changes_its_input_nor_depends_on_the_order_of_crops():
    net, _ = load_net(SHIPPED_WEIGHTS)
    forward, crops = channels_last(net), images(3, 1, 96, 96)
    before = crops.copy()
    together = forward(crops)
    np.testing.assert_array_equal(crops, before)
    assert forward(crops[:0]).shape == (0, 136)
    for i in range(3):
        np.testing.assert_array_equal(forward(crops[i : i + 1])[0], together[i])
