"""The network: its printed form, size and shapes, and the README's first snippet."""

import numpy as np
import pytest

import numpynet
from numpynet import Adam, FinderNet, HourglassNet, KeypointNet, Linear, Sequential, SmoothL1Loss, fuse
from numpynet.architectures import build
from numpynet.init import no_init
from numpynet.layers import Conv2d, Dropout
from numpynet.module import Residual

PRINTED = """Net(
  (conv1): Conv2d(1, 32, kernel_size=(3, 3), stride=(1, 1))
  (conv1_bn): BatchNorm2d(32, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
  (conv2): Conv2d(32, 64, kernel_size=(3, 3), stride=(1, 1))
  (conv2_bn): BatchNorm2d(64, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
  (conv3): Conv2d(64, 128, kernel_size=(3, 3), stride=(1, 1))
  (conv3_bn): BatchNorm2d(128, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
  (conv4): Conv2d(128, 256, kernel_size=(3, 3), stride=(1, 1))
  (conv4_bn): BatchNorm2d(256, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
  (pool): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
  (fc1): Linear(in_features=36864, out_features=4000, bias=True)
  (fc1_bn): BatchNorm1d(4000, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
  (fc2): Linear(in_features=4000, out_features=1000, bias=True)
  (fc2_bn): BatchNorm1d(1000, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
  (fc3): Linear(in_features=1000, out_features=136, bias=True)
  (dropout): Dropout(p=0.4)
)"""

TINY = {"size": 24, "channels": (2, 3), "hidden": (5,)}


def test_printed_form_and_size_of_the_full_network():
    with no_init():
        net = KeypointNet()
    assert repr(net) == PRINTED
    assert sum(parameter.data.size for parameter in net.parameters()) == 151_995_936


def test_the_compact_sibling_takes_its_images_and_fits_a_small_file():
    net = KeypointNet.compact(rng=0)
    size = net.arguments["size"]
    assert net(np.zeros((2, 1, size, size), np.float32)).shape == (2, 136)
    assert sum(array.nbytes for array in net.state_dict().values()) < 10e6


def test_the_first_snippet_runs():
    net, criterion = KeypointNet(**TINY, rng=0), SmoothL1Loss()
    optimizer = Adam(net.parameters(), lr=1e-3)
    images = np.random.default_rng(0).random((4, 1, 24, 24), np.float32)
    targets = np.random.default_rng(1).standard_normal((4, 136)).astype(np.float32)
    before = net.state_dict()["conv1.weight"].copy()

    out, cache = net.forward(images)
    loss, dout = criterion(out, targets)
    dimages = net.backward(dout, cache)
    optimizer.step()
    optimizer.zero_grad()

    assert out.shape == dout.shape == (4, 136)
    assert isinstance(loss, float)
    assert dimages.shape == images.shape
    assert (net.state_dict()["conv1.weight"] != before).any()
    assert all(parameter.grad is None for parameter in net.parameters())


def test_calling_the_network_gives_the_output_alone():
    net = KeypointNet(**TINY, rng=0).eval()
    images = np.random.default_rng(0).random((4, 1, 24, 24), np.float32)
    np.testing.assert_array_equal(net(images), net.forward(images)[0])


def test_weights_do_not_depend_on_the_dropout_stream():
    one, two = KeypointNet(**TINY, dropout=0.1, rng=7), KeypointNet(**TINY, dropout=0.5, rng=7)
    one(np.zeros((2, 1, 24, 24), np.float32))
    np.testing.assert_array_equal(one.state_dict()["fc2.weight"], two.state_dict()["fc2.weight"])
    assert sum(isinstance(layer, Dropout) for layer in one.path()) == 1


def test_images_too_small_for_the_poolings_are_refused():
    with pytest.raises(ValueError, match="images of size 12 are too small for 4 poolings"):
        KeypointNet(size=12)


HOURGLASS = """HourglassNet(
  (stem1): Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)
  (stem1_bn): BatchNorm2d(2, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
  (down1a): Conv2d(2, 3, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)
  (down1a_bn): BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
  (down1b): Conv2d(3, 3, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)
  (down1b_bn): BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
  (down2a): Conv2d(3, 4, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)
  (down2a_bn): BatchNorm2d(4, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
  (down2b): Conv2d(4, 4, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)
  (down2b_bn): BatchNorm2d(4, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
  (back1): Conv2d(4, 3, kernel_size=(1, 1), stride=(1, 1), bias=False)
  (up1): Conv2d(3, 3, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)
  (up1_bn): BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
  (head): Conv2d(3, 68, kernel_size=(1, 1), stride=(1, 1), bias=False)
  (pool): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
  (upsample): Upsample(scale_factor=2.0, mode='nearest')
  (soft_argmax): SoftArgmax2d()
)"""


def test_the_hourglass_prints_every_part_and_learns():
    net = build("HourglassNet", {"size": 12, "stem": [2], "levels": [3, 4]}, rng=0)
    assert repr(net) == HOURGLASS
    rng = np.random.default_rng(0)
    images = rng.random((4, 1, 12, 12), np.float32)
    targets = np.broadcast_to(rng.uniform(-0.5, 0.5, 136).astype(np.float32), (4, 136))
    optimizer, losses = Adam(net.parameters(), lr=2e-2), []
    for _ in range(30):
        out, cache = net.forward(images)
        loss, dout = SmoothL1Loss(beta=0.1)(out, targets)
        assert net.backward(dout, cache).shape == images.shape
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss)
    assert losses[-1] < 0.6 * losses[0]
    assert np.abs(net.eval()(images)).max() <= 1  # within the crop's edges


def test_the_shipped_hourglass_takes_its_images_and_fits_a_small_file():
    net = HourglassNet(rng=0)
    size = net.arguments["size"]
    assert net(np.zeros((2, 1, size, size), np.float32)).shape == (2, 136)
    assert sum(array.nbytes for array in net.state_dict().values()) < 10e6


def test_the_hourglass_needs_what_it_can_halve():
    with pytest.raises(ValueError, match="size 40 must be a multiple of 16, to be halved 4 times"):
        HourglassNet(size=40)
    with pytest.raises(ValueError, match="levels"):
        HourglassNet(size=40, levels=())


FINDER = """FinderNet(
  (stem1): Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)
  (stem1_bn): BatchNorm2d(2, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
  (body1): Conv2d(2, 3, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)
  (body1_bn): BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
  (body2): Conv2d(3, 3, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)
  (body2_bn): BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
  (head): Conv2d(3, 6, kernel_size=(1, 1), stride=(1, 1))
  (pool): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
)"""


def test_the_finder_prints_every_part_and_answers_for_each_cell():
    net = build("FinderNet", {"size": 12, "stem": [2], "body": [3, 3]}, rng=0)
    assert repr(net) == FINDER
    assert net(np.zeros((2, 1, 12, 18), np.float32)).shape == (2, 6, 6, 9)


def test_the_finder_looks_the_same_way_at_every_place():
    """Far from the edges, the answer moves with the image."""
    net = FinderNet(stem=(2, 3, 4), body=(5, 5), rng=0).eval()
    image = np.random.default_rng(0).random((1, 1, 128, 160), np.float32)
    here, there = net(image), net(np.roll(image, (16, 8), axis=(2, 3)))
    np.testing.assert_allclose(there[:, :, 7:-5, 6:-5], here[:, :, 5:-7, 5:-6], atol=1e-5)


def test_the_shipped_finder_fits_a_small_file():
    net = FinderNet(rng=0)
    assert net(np.zeros((1, 1, 128, 128), np.float32)).shape == (1, 6, 16, 16)
    assert sum(array.nbytes for array in net.state_dict().values()) < 1e6


def test_the_finder_needs_what_it_can_halve():
    with pytest.raises(ValueError, match="size 20 must be a multiple of 8, to be halved 3 times"):
        FinderNet(size=20)


def test_build_knows_the_architectures():
    assert isinstance(build("KeypointNet", TINY), KeypointNet)
    with pytest.raises(
        ValueError, match="architecture must be one of KeypointNet, HourglassNet, FinderNet, got ResNet"
    ):
        build("ResNet", {})


def test_a_residual_adds_its_body_and_keeps_the_shape():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 4))
    conv = Conv2d(3, 3, 3, padding=1, rng=0).astype(np.float64)
    np.testing.assert_allclose(Residual(conv)(x), x + conv(x))
    np.testing.assert_array_equal(Residual(conv)(x), Residual(conv).forward(x)[0])
    assert list(Residual(conv).state_dict()) == ["0.weight", "0.bias"]
    with pytest.raises(ValueError, match=r"Residual: the body must keep x's shape \(2, 3, 4, 4\), made \(2, 5, 4, 4\)"):
        Residual(Conv2d(3, 5, 3, padding=1).astype(np.float64))(x)


def test_version_is_a_string():
    assert numpynet.__version__.count(".") == 2


@pytest.mark.parametrize("layer", [np.maximum, [Linear(2, 2)], Linear, None])
def test_what_is_no_layer_is_refused_and_not_left_out(layer):
    for container in (Sequential, Residual):
        with pytest.raises(TypeError, match=f"{container.__name__}: layer 1 must be a Module, got "):
            container(Linear(2, 2), layer)
    if layer is not Linear:
        with pytest.raises(TypeError, match=f"fuse: net must be a Module, got {type(layer).__name__}"):
            fuse(layer)


@pytest.mark.parametrize("cache", [None, [], [None]])
def test_a_cache_of_another_network_is_refused(cache):
    with pytest.raises(TypeError, match="Sequential: cache must be what forward gave with its output"):
        Sequential(Linear(2, 2), Linear(2, 2)).backward(np.ones((1, 2), np.float32), cache)


@pytest.mark.parametrize(("state", "words"), [(None, "NoneType"), ([("weight", 1)], "list")])
def test_a_state_that_is_no_dict_is_refused(state, words):
    with pytest.raises(ValueError, match=f"the state must be a dict of arrays, got {words}"):
        Linear(2, 2).load_state_dict(state)


def test_a_masked_state_is_refused():
    state = {"weight": np.ma.masked_array(np.ones((2, 2)), [[0, 1], [0, 0]]), "bias": np.zeros(2)}
    with pytest.raises(ValueError, match="weight must not be a masked array"):
        Linear(2, 2).load_state_dict(state)
