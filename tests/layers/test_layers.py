"""The layers without torch: what they own, print, count and refuse, and that each call has its own cache."""

import copy
import re

import numpy as np
import pytest

from numpynet import (
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
    dispatch,
    use,
)
from numpynet.dispatch import F
from numpynet.fuse import ConvBlock
from numpynet.init import kaiming_uniform, no_init, spawn
from tests.seeds import seeded


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (Conv2d(1, 32, 3), "Conv2d(1, 32, kernel_size=(3, 3), stride=(1, 1))"),
        (
            Conv2d(3, 8, (3, 5), stride=2, padding=(1, 2), dilation=3, bias=False),
            "Conv2d(3, 8, kernel_size=(3, 5), stride=(2, 2), padding=(1, 2), dilation=(3, 3), bias=False)",
        ),
        (BatchNorm2d(4), "BatchNorm2d(4, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)"),
        (BatchNorm1d(4, 1e-3, None, False, False), "BatchNorm1d(4, eps=0.001, momentum=None, affine=False, "),
        (MaxPool2d(2, 2), "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)"),
        (AvgPool2d(3, (2, 1), 1, True, False), "AvgPool2d(kernel_size=3, stride=(2, 1), padding=1)"),
        (Linear(3, 4, bias=False), "Linear(in_features=3, out_features=4, bias=False)"),
        (Sequential(ReLU(), Flatten()), "Sequential(\n  (0): ReLU()\n  (1): Flatten(start_dim=1, end_dim=-1)\n)"),
    ],
)
def test_printed_form(layer, text):
    assert repr(layer).startswith(text)


WRONG_SHAPES = [
    (Conv2d(3, 8, 3), (2, 4, 9, 9), "conv2d: x must have shape (N, 3, H, W), got (2, 4, 9, 9)"),
    (Linear(5, 2), (2, 4), "linear: x must have shape (N, 5), got (2, 4)"),
    (BatchNorm2d(3), (2, 4, 5, 5), "BatchNorm2d: x must have shape (N, 3, H, W), got (2, 4, 5, 5)"),
    (BatchNorm2d(3, affine=False), (2, 4, 5, 5), "BatchNorm2d: x must have shape (N, 3, H, W), got (2, 4, 5, 5)"),
    (BatchNorm1d(3), (2, 3, 5, 5), "BatchNorm1d: x must have shape (N, 3) or (N, 3, L), got (2, 3, 5, 5)"),
    (MaxPool2d(2), (2, 3, 5), "max_pool2d: x must have shape (N, C, H, W), got (2, 3, 5)"),
    (AvgPool2d(2), (2, 3, 5), "avg_pool2d: x must have shape (N, C, H, W), got (2, 3, 5)"),
]


@pytest.mark.parametrize("implementation", ["readable", "fast"])
@pytest.mark.parametrize(("layer", "shape", "words"), WRONG_SHAPES, ids=lambda case: str(case)[:20])
def test_a_wrong_shape_is_named_and_in_a_network_its_layer_too(layer, shape, words, implementation):
    x, chain = np.ones(shape, np.float32), Sequential(Residual(ReLU(), layer))
    with use(implementation):
        for call, expected in (
            (layer.forward, words),
            (layer, words),
            (chain.forward, f"{layer}: {words}"),
            (chain, f"{layer}: {words}"),
        ):
            with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
                call(x)


def test_a_layer_of_layers_is_named_on_one_line_in_an_error():
    block = ConvBlock(Conv2d(3, 8, 3), BatchNorm2d(8))
    words = (
        r"^ConvBlock\( \(conv\): Conv2d\(3, 8, .* \(bn\): .*\): "
        r"conv2d: x must have shape \(N, 3, H, W\), got \(1, 4, 9, 9\)$"
    )
    for network in (Sequential(block), Sequential(block).eval()):
        for call in (network.forward, network):
            with pytest.raises(ValueError, match=words):
                call(np.ones((1, 4, 9, 9), np.float32))


def test_an_implementation_that_cannot_be_used_is_no_error_of_a_layer(monkeypatch):
    monkeypatch.setattr(dispatch, "_chosen", None)
    monkeypatch.setenv("NUMPYNET_OPS", "slow")
    with pytest.raises(dispatch.ImplementationError, match=r"^NUMPYNET_OPS: choose one of .*, got 'slow'"):
        Sequential(ReLU())(np.ones((1, 2), np.float32))


def test_children_are_modules_and_named_children_come_with_names():
    shared = ReLU()
    net = Sequential(Flatten(), shared, shared)
    assert list(net.children()) == [net.path()[0], shared]
    assert list(net.named_children()) == list(zip("012", net.path(), strict=True))


def test_a_pool_keeps_its_sizes_as_pairs_and_prints_equal_ones_as_one_number():
    pool = MaxPool2d(3, (2, 1), padding=(1, 1), dilation=[1, 2])
    assert (pool.kernel_size, pool.stride, pool.padding, pool.dilation) == ((3, 3), (2, 1), (1, 1), (1, 2))
    assert repr(pool) == "MaxPool2d(kernel_size=3, stride=(2, 1), padding=1, dilation=(1, 2), ceil_mode=False)"
    assert MaxPool2d((2, 4)).stride == (2, 4)
    pool = AvgPool2d((3, 4), padding=[1, 2])
    assert (pool.kernel_size, pool.stride, pool.padding) == ((3, 4), (3, 4), (1, 2))


def test_default_initialisation_is_uniform_within_one_over_root_fan_in():
    layer = Linear(400, 500, rng=0)
    bound = 1 / np.sqrt(400)
    for numbers in (layer.weight.data, layer.bias.data):
        assert numbers.dtype == np.float32
        assert np.abs(numbers).max() <= bound
    assert np.abs(layer.weight.data).max() > 0.999 * bound
    assert layer.weight.data.std() == pytest.approx(bound / np.sqrt(3), rel=0.01)
    conv = Conv2d(4, 300, (5, 3), rng=0)
    assert np.abs(conv.weight.data).max() == pytest.approx(1 / np.sqrt(60), rel=0.001)


def test_same_seed_same_weights_and_no_init_draws_nothing():
    assert (Linear(9, 9, rng=3).weight.data == Linear(9, 9, rng=3).weight.data).all()
    assert (Linear(9, 9, rng=3).weight.data != Linear(9, 9, rng=4).weight.data).any()
    rng = np.random.default_rng(0)
    before = copy.deepcopy(rng.bit_generator.state)
    with no_init():
        Linear(9, 9, rng=rng)
    assert rng.bit_generator.state == before


def test_initial_weights_are_the_generators_numbers_in_their_order():
    numbers = kaiming_uniform((3, 4), 16, rng=5, dtype=np.float64)
    drawn = np.random.default_rng(5).random((3, 4), np.float32)
    assert numbers.dtype == np.float64
    np.testing.assert_allclose(numbers, drawn * np.float32(0.5) - np.float32(0.25), atol=1e-7)
    with pytest.raises(ValueError, match="kaiming_uniform: fan_in must be at least 1, got 0"):
        kaiming_uniform((3, 4), 0, rng=5)


def test_no_init_takes_as_many_weights_as_it_may_and_no_more():
    with no_init(most=4 * 5 + 5):
        Linear(4, 5)
    with no_init(most=4 * 5 + 5 - 1), pytest.raises(ValueError, match="more weights than it may have"):
        Linear(4, 5)


def test_a_layer_used_twice_before_backward_keeps_both_caches():
    rng = seeded("used twice")
    layer = Linear(4, 4, rng=1).astype(np.float64)
    x = rng.standard_normal((3, 4))
    middle, first = layer.forward(x)
    _, second = layer.forward(middle)
    dout = rng.standard_normal((3, 4))
    layer.backward(layer.backward(dout, second), first)
    weight = layer.weight.data
    expected = dout.T @ middle + (dout @ weight).T @ x
    np.testing.assert_allclose(layer.weight.grad, expected, rtol=1e-12)


def test_gradients_add_up_until_zero_grad():
    rng = seeded("zero_grad")
    layer = Conv2d(2, 3, 3, rng=1)
    x, dout = rng.standard_normal((2, 2, 5, 5)).astype(np.float32), rng.standard_normal((2, 3, 3, 3)).astype(np.float32)
    _, cache = layer.forward(x)
    layer.backward(dout, cache)
    once = layer.weight.grad.copy()
    layer.backward(dout, cache)
    np.testing.assert_allclose(layer.weight.grad, 2 * once, rtol=1e-6)
    layer.zero_grad()
    assert layer.weight.grad is None


def test_a_gradient_that_does_not_fit_is_refused():
    parameter = Linear(2, 3).weight
    with pytest.raises(ValueError, match=r"float32 \(3, 2\), got float32 \(2, 3\)"):
        parameter.add_grad(np.ones((2, 3), np.float32))
    with pytest.raises(ValueError, match="got float64"):
        parameter.add_grad(np.ones((3, 2)))


def test_dropout_is_off_in_evaluation_and_its_masks_come_from_its_own_stream():
    rng = seeded("dropout")
    x = np.ones((4, 50), np.float32)
    layer = Dropout(0.5, rng=7)
    first, cache = layer.forward(x)
    np.random.default_rng(0).random(1000)  # other generators' draws have no effect
    second, _ = layer.forward(x)
    assert (first != second).any()
    again = Dropout(0.5, rng=7)
    np.testing.assert_array_equal(again.forward(x)[0], first)
    np.testing.assert_array_equal(again.forward(x)[0], second)
    np.testing.assert_array_equal(layer.backward(x, cache) == 0, first == 0)
    layer.eval()
    x = rng.standard_normal((4, 50)).astype(np.float32)
    out, cache = layer.forward(x)
    assert cache is None
    np.testing.assert_array_equal(out, x)
    np.testing.assert_array_equal(layer.backward(3 * x, cache), 3 * x)


@pytest.mark.parametrize("view", ["read-only", "of a read-only one", "broadcast", "of bytes"])
def test_dropout_drops_from_arrays_that_cannot_be_written_to(view):
    x = np.full((40, 50), 3, np.float32)
    if view == "read-only":
        x.flags.writeable = False
    elif view == "of a read-only one":
        x.flags.writeable = False
        x = x[::2]
    elif view == "broadcast":
        x = np.broadcast_to(np.float32(3), (40, 50))
    else:
        x = np.frombuffer(x.tobytes(), np.float32).reshape(40, 50)
    layer = Dropout(0.25, rng=5)
    out, cache = layer.forward(x)
    expected, _ = Dropout(0.25, rng=5).forward(x.copy())
    np.testing.assert_array_equal(out, expected)
    assert 0.2 < (out == 0).mean() < 0.3
    np.testing.assert_allclose(out[out != 0], 4)
    np.testing.assert_array_equal(layer.backward(x, cache), out)
    np.testing.assert_array_equal(x, 3)


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_dropout_of_an_impossible_share_is_refused_at_once(p):
    assert (Dropout(0.0).p, Dropout(1.0).p) == (0.0, 1.0)
    with pytest.raises(ValueError, match=r"Dropout: p must lie in 0 \.\. 1, got"):
        Dropout(p)


def test_batch_norm_in_evaluation_uses_the_running_statistics_and_keeps_them():
    layer = BatchNorm1d(1, momentum=0.5)
    layer.forward(np.array([[1.0], [3.0]], np.float32))
    assert layer.running_mean[0] == pytest.approx(1.0)  # half of 2
    assert layer.running_var[0] == pytest.approx(0.5 + 0.5 * 2)  # unbiased: 2
    assert layer.num_batches_tracked == 1
    assert layer.num_batches_tracked.dtype == np.int64
    out = layer.eval()(np.array([[5.0]], np.float32))  # one image is enough in evaluation
    assert out[0, 0] == pytest.approx((5 - 1) / np.sqrt(1.5 + 1e-5))
    assert layer.num_batches_tracked == 1


def test_batch_norm_without_momentum_averages_all_batches():
    layer = BatchNorm1d(1, momentum=None)
    for numbers in ([1.0, 3.0], [5.0, 7.0], [2.0, 4.0]):
        layer.forward(np.array(numbers, np.float32)[:, None])
    assert layer.running_mean[0] == pytest.approx((2 + 6 + 3) / 3)


def test_batch_norm_without_running_statistics_uses_the_batch_in_evaluation_too():
    layer = BatchNorm1d(1, track_running_stats=False).eval()
    out = layer(np.array([[1.0], [3.0]], np.float32))
    np.testing.assert_allclose(out[:, 0], [-1, 1], rtol=1e-4)
    assert set(layer.state_dict()) == {"weight", "bias"}


def test_state_dict_has_pytorch_keys_in_pytorch_order_and_loads_by_copy():
    net = Sequential(Conv2d(1, 2, 3, rng=0), BatchNorm2d(2), Linear(3, 4, rng=0))
    state = net.state_dict()
    assert list(state) == [
        *("0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked"),
        *("2.weight", "2.bias"),
    ]
    other = Sequential(Conv2d(1, 2, 3, rng=1), BatchNorm2d(2), Linear(3, 4, rng=1))
    other.load_state_dict(state)
    np.testing.assert_array_equal(other.state_dict()["2.weight"], state["2.weight"])
    other.state_dict()["2.weight"][:] = 0
    assert net.state_dict()["2.weight"].any()


def test_load_state_dict_refuses_what_does_not_fit_and_changes_nothing():
    net = Sequential(Linear(3, 4, rng=0))
    before = {key: array.copy() for key, array in net.state_dict().items()}
    new = {"0.weight": np.zeros((4, 3), np.float32), "0.bias": np.zeros(5, np.float32)}
    with pytest.raises(ValueError, match=r"0.bias must have shape \(4,\), got \(5,\)"):
        net.load_state_dict(new)
    with pytest.raises(ValueError, match=r"0\.bias must be float32, got complex64"):
        net.load_state_dict({"0.weight": new["0.weight"], "0.bias": np.zeros(4, np.complex64)})
    with pytest.raises(ValueError, match=r"missing 0\.bias"):
        net.load_state_dict({"0.weight": new["0.weight"]})
    with pytest.raises(ValueError, match=r"unknown 0\.gamma"):
        net.load_state_dict({**before, "0.gamma": np.zeros(1)})
    for key, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[key])


def test_spawned_generators_are_the_children_of_the_seed_in_their_order():
    children = [np.random.default_rng(child).random() for child in np.random.SeedSequence(3).spawn(3)]
    assert [rng.random() for rng in spawn(3, 3)] == children


def test_astype_turns_a_whole_network():
    rng = seeded("astype")
    net = Sequential(Linear(3, 4, rng=0), BatchNorm1d(4))
    out, cache = net.forward(rng.standard_normal((5, 3)).astype(np.float32))
    net.backward(rng.standard_normal(out.shape).astype(np.float32), cache)
    net.astype(np.float64)
    assert [parameter.grad for parameter in net.parameters()] == [None] * 4
    dtypes = {key: array.dtype for key, array in net.state_dict().items()}
    assert dtypes.pop("1.num_batches_tracked") == np.int64
    assert set(dtypes.values()) == {np.dtype(np.float64)}
    out, cache = net.forward(rng.standard_normal((5, 3)))
    net.backward(rng.standard_normal(out.shape), cache)
    assert net.parameters()[0].grad.dtype == np.float64
    assert len(net.parameters()) == 4


def test_use_refuses_an_unknown_implementation_and_a_context_ends():
    before = F.__name__
    with pytest.raises(ValueError, match="use: choose one of 'readable', 'fast', got 'slow'"):
        use("slow")
    assert F.__name__ == before
    with use("fast"):
        assert F.__name__ == "numpynet.kernels"
        with use("readable"):
            assert F.__name__ == "numpynet.functional"
        assert F.__name__ == "numpynet.kernels"
    assert F.__name__ == before


@pytest.mark.parametrize("implementation", ["readable", "fast"])
def test_a_pass_in_evaluation_keeps_the_statistics_that_it_used(implementation):
    """Another batch may change the running statistics before the backward pass."""
    rng = seeded("evaluation")
    x, other = rng.standard_normal((2, 2, 3, 4, 4))
    gradients = []
    with use(implementation):
        for between in (False, True):
            layer = BatchNorm2d(3, dtype=np.float64).eval()
            out, cache = layer.forward(x)
            if between:
                layer.train().forward(other + 5)
            layer.backward(out, cache)
            gradients.append(layer.weight.grad)
    np.testing.assert_array_equal(*gradients)
