"""Compares a fused network with its plain one, with the readable functions and with the kernels."""

import copy

import numpy as np
import pytest

from numpynet import Adam, BatchNorm2d, Conv2d, Flatten, KeypointNet, Linear, MaxPool2d, ReLU, Sequential, fuse, use
from numpynet.fuse import ConvBlock
from numpynet.module import Residual

both = pytest.mark.parametrize("ops", ["readable", "fast"])


def small(padding=1, size=29):
    """A network of two blocks whose batch norms are not at their initial values; some scales are negative,
    and one shift is far larger than its scale."""
    net = KeypointNet.compact(size=size, channels=(5, 8), hidden=(40,), padding=padding, rng=0).astype(np.float64)
    rng = np.random.default_rng(1)
    for key, array in net.state_dict().items():
        if key.endswith("_bn.weight") or key.endswith("running_var"):
            array[...] = rng.uniform(0.3, 1.5, array.shape)
        if key.endswith(("_bn.bias", "running_mean")):
            array[...] = rng.standard_normal(array.shape)
        if key.endswith("_bn.weight"):
            array[::3] *= -1
        if key.startswith("conv") and key.endswith("_bn.bias"):
            array[1] = 30
    return net


def nested():
    """Blocks with and without a pool, some inside Residuals, and a convolution that no other layer follows."""

    def block(width, filters, bias=False):
        return [Conv2d(width, filters, 3, padding=1, bias=bias, rng=filters), BatchNorm2d(filters), ReLU()]

    deeper = Residual(Conv2d(4, 4, 1, rng=1), *block(4, 4))
    body = Residual(*block(6, 4), deeper, *block(4, 6, bias=True))
    return Sequential(*block(1, 6), MaxPool2d(2), *block(6, 6), body, Conv2d(6, 3, 1, rng=2)).astype(np.float64)


def names(layers):
    """The types of the layers; those inside a Residual form a list."""
    return [
        names(x.path()) if isinstance(x, Residual) else type(x).__name__ + "-pool" * getattr(x, "pool", False)
        for x in layers
    ]


def run(net, images, dout):
    """Output, dL/dx, and all gradients and running statistics, by name."""
    net.zero_grad()
    for layer in net.modules():
        if hasattr(layer, "rng"):
            layer.rng = np.random.default_rng(2)
    out, cache = net.forward(images)
    results = {"out": out, "dx": net.backward(dout, cache)}
    results |= {name: parameter.grad for name, parameter in net.named_parameters()}
    return results | {key: array.copy() for key, array in net.state_dict().items() if "running" in key}


@both
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("padding", "size"), [(0, 29), (1, 29), (0, 34), (1, 34)])
def test_it_computes_what_the_plain_network_does(ops, training, padding, size):
    rng = np.random.default_rng(3)
    images, dout = rng.random((6, 1, size, size)), rng.standard_normal((6, 136))
    plain = small(padding, size).train(training)
    fused = fuse(copy.deepcopy(plain))
    with use("readable"):
        expected = run(plain, images, dout)
    with use(ops):
        got = run(fused, images, dout)
    assert got.keys() == expected.keys()
    for name, array in expected.items():
        # In training the biases before a batch norm have a gradient of zero, and differ by rounding noise.
        scale = np.abs(expected["conv2.weight"]).max() if name.endswith("bias") else np.abs(array).max()
        assert np.abs(got[name] - array).max() <= 1e-10 * scale, name


def test_blocks_inside_of_residuals_are_found():
    net = nested()
    expected = ["ConvBlock-pool", "ConvBlock", ["ConvBlock", ["Conv2d", "ConvBlock"], "ConvBlock"], "Conv2d"]
    assert names(fuse(net).path()) == expected
    assert names(net.path())[:4] == ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"]  # unchanged


@both
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("input_gradient", [True, False])
def test_residuals_and_blocks_without_pool_compute_what_the_plain_network_does(ops, training, input_gradient):
    rng = np.random.default_rng(9)
    images, dout = rng.random((5, 1, 12, 10)), rng.standard_normal((5, 3, 6, 5))
    plain = nested()
    plain.forward(images)  # moves the running statistics from their initial values
    plain.train(training)
    fused = fuse(copy.deepcopy(plain), input_gradient)
    with use("readable"):
        expected = run(plain, images, dout)
    with use(ops):
        got = run(fused, images, dout)
        np.testing.assert_allclose(fused(images), plain(images), rtol=1e-10, atol=1e-10)
    if not input_gradient:
        assert got.pop("dx") is None
        del expected["dx"]
    assert got.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(got[name], array, rtol=0, atol=1e-10 * max(1, np.abs(array).max()), err_msg=name)


def test_a_residual_in_front_keeps_its_input_gradient():
    layers = [Conv2d(1, 1, 3, padding=1), BatchNorm2d(1), ReLU()]
    fused = fuse(Sequential(Residual(*layers), Conv2d(1, 2, 3)), input_gradient=False)
    x = np.random.default_rng(10).random((2, 1, 8, 8), np.float32)
    out, cache = fused.forward(x)
    assert fused.backward(np.ones_like(out), cache).shape == x.shape


@both
def test_the_output_alone_is_the_same(ops):
    """In evaluation batch norm is folded into the filters."""
    images = np.random.default_rng(4).random((3, 1, 29, 29))
    net = small().eval()
    with use(ops):
        np.testing.assert_allclose(fuse(net)(images), net(images), rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(fuse(net)(images), net.forward(images)[0], rtol=1e-11, atol=1e-11)


def a_step(net, images):
    optimizer, fused = Adam(net.parameters(), lr=0.05), fuse(net)
    out, cache = fused.train().forward(images)
    fused.backward(np.ones_like(out), cache)
    optimizer.step()


CHANGES = {
    "a step": a_step,
    "a step of SGD by hand": lambda net, images: net.conv1.weight.data.__isub__(0.1),
    "weights loaded": lambda net, images: net.load_state_dict({k: 1 + v for k, v in net.state_dict().items()}),
    "another array": lambda net, images: setattr(net.conv2.weight, "data", net.conv2.weight.data + 0.5),
    "running statistics": lambda net, images: net.train().forward(3 + images),
    "a scale": lambda net, images: net.conv1_bn.weight.data.__imul__(1.5),
    "a shift": lambda net, images: net.conv2_bn.bias.data.__iadd__(1.5),
    "eps": lambda net, images: setattr(net.conv1_bn, "eps", 0.5),
}


@both
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_output_alone_follows_what_changes_between_two_calls(change, ops):
    """In evaluation batch norm is folded into the filters at each call; otherwise new weights would be ignored."""
    images = np.random.default_rng(11).random((3, 1, 29, 29))
    net = small()
    fused = fuse(net)
    with use(ops):
        before = fused.eval()(images)
        change(net, images)
        after = fused.eval()(images)
    with use("readable"):
        expected = net(images)
    assert np.abs(after - before).max() > 1e-3
    np.testing.assert_allclose(after, expected, rtol=1e-9, atol=1e-9)


@both
@pytest.mark.parametrize("pool", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("options", [{}, {"affine": False}, {"track_running_stats": False}])
def test_the_output_alone_without_the_optional_parts_of_the_layers(options, bias, pool, ops):
    images = np.random.default_rng(5).random((3, 2, 9, 9))
    layers = [Conv2d(2, 4, 3, bias=bias, rng=0), BatchNorm2d(4, **options), ReLU(), MaxPool2d(2)]
    plain = Sequential(*layers[: 3 + pool])
    plain.astype(np.float64).forward(images)  # moves the running statistics from their initial values
    plain.eval()
    with use(ops):
        np.testing.assert_allclose(fuse(plain)(images), plain(images), rtol=1e-11, atol=1e-11)


def test_parameters_state_and_mode_are_the_plain_networks():
    net = small()
    fused = fuse(net)
    assert [id(p) for p in fused.parameters()] == [id(p) for p in net.parameters()]
    assert list(fused.state_dict()) == list(net.state_dict())
    assert all(a is b for a, b in zip(fused.state_dict().values(), net.state_dict().values(), strict=True))
    assert repr(fused) == repr(net)
    fused.eval()
    assert not any(module.training for module in net.modules())
    before = net.conv1.weight.data.copy()
    fused.load_state_dict({key: array + 1 for key, array in net.state_dict().items()})
    np.testing.assert_array_equal(net.conv1.weight.data, before + 1)


@both
def test_without_the_input_gradient_everything_else_is_the_same(ops):
    rng = np.random.default_rng(6)
    images, dout = rng.random((4, 1, 29, 29)), rng.standard_normal((4, 136))
    with use(ops):
        expected = run(fuse(small()), images, dout)
        got = run(fuse(small(), input_gradient=False), images, dout)
    assert got.pop("dx") is None
    del expected["dx"]
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array, name)


def test_a_network_that_begins_otherwise_keeps_its_input_gradient():
    net = Sequential(ReLU(), Conv2d(1, 2, 3), BatchNorm2d(2), ReLU(), MaxPool2d(2))
    fused = fuse(net, input_gradient=False)
    x = np.random.default_rng(7).random((2, 1, 8, 8), np.float32)
    out, cache = fused.forward(x)
    assert fused.backward(np.ones_like(out), cache).shape == x.shape


def layers(conv=None, bn=None, between=None, pool=None):
    """The layers of a block; with a replacement they may no longer form one."""
    return [conv or Conv2d(1, 4, 3), bn or BatchNorm2d(4), between or ReLU(), pool or MaxPool2d(2)]


@pytest.mark.parametrize(
    "path",
    [
        layers(conv=Conv2d(1, 4, 3, stride=2)),
        layers(conv=Conv2d(1, 4, 3, dilation=2)),
        layers(between=Flatten()),
        layers()[:2],
        layers()[1:],
        [Linear(3, 4)],
    ],
    ids=lambda path: " ".join(type(layer).__name__ for layer in path),
)
def test_what_is_no_block_stays_as_it_is(path):
    assert fuse(Sequential(*path)).path() == path


@pytest.mark.parametrize(
    "behind",
    [
        MaxPool2d(3),
        MaxPool2d((3, 2)),
        MaxPool2d(2, stride=1),
        MaxPool2d(2, padding=1),
        MaxPool2d(2, dilation=2),
        MaxPool2d(2, ceil_mode=True),
        Flatten(),
    ],
    ids=str,
)
def test_another_layer_behind_a_block_stays_as_it_is(behind):
    fused = fuse(Sequential(*layers(pool=behind))).path()
    assert names(fused) == ["ConvBlock", type(behind).__name__]
    assert fused[1] is behind


def test_a_pool_that_is_the_last_layer_belongs_to_its_block():
    (block,) = fuse(Sequential(*layers())).path()
    assert isinstance(block, ConvBlock)
    assert block.pool


def test_a_block_inside_is_found():
    net = Sequential(Conv2d(1, 1, 1), *layers(pool=MaxPool2d((2, 2), stride=(2, 2))), Flatten())
    assert [type(layer).__name__ for layer in fuse(net).path()] == ["Conv2d", "ConvBlock", "Flatten"]


def test_a_block_says_what_it_cannot_be():
    with pytest.raises(ValueError, match="cannot be fused"):
        ConvBlock(Conv2d(1, 4, 3), BatchNorm2d(5))
    with pytest.raises(ValueError, match="cannot be fused"):
        ConvBlock(Conv2d(1, 4, 3, stride=2), BatchNorm2d(4))


@both
def test_a_wrong_shape_names_the_layer(ops):
    fused = fuse(Sequential(*layers()))
    with use(ops):
        for call in (fused, fused.eval(), fused.forward):
            with pytest.raises(ValueError, match=r"Conv2d\(1, 4.*must have shape \(N, 1, H, W\), got \(2, 3, 8, 8\)"):
                call(np.zeros((2, 3, 8, 8), np.float32))
        with pytest.raises(ValueError, match="smaller than the kernel"):
            fused.train().forward(np.zeros((2, 1, 2, 8), np.float32))


@both
def test_it_learns_as_the_plain_network_does(ops):
    weights = []
    for make in (lambda net: net, lambda net: fuse(net, input_gradient=False)):
        with use(ops):
            net = small()
            trained, optimizer, rng = make(net), Adam(net.parameters(), lr=1e-4), np.random.default_rng(8)
            for _ in range(4):
                out, cache = trained.forward(rng.random((5, 1, 29, 29)))
                trained.backward(out - rng.standard_normal(out.shape), cache)
                optimizer.step()
                optimizer.zero_grad()
            weights.append({key: value for key, value in net.state_dict().items() if key.endswith(".weight")})
    for key, array in weights[0].items():
        np.testing.assert_allclose(weights[1][key], array, rtol=1e-8, atol=1e-9, err_msg=key)
