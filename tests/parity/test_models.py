"""The networks beside their twins: printed form, keys and shapes; outputs, gradients and statistics in training."""

import itertools

import numpy as np
import pytest
import torch

from numpynet import Adam, FinderNet, HourglassNet, KeypointNet, SmoothL1Loss, fuse
from numpynet.init import no_init
from reference import comparison, models
from reference.models import Net
from tests.parity.helper import both_dtypes, compare, compare_gradients, compare_state, randomise, seeded

STEPS = 3
VARIANTS = [
    {},
    {"size": 48, "channels": (4, 6), "hidden": (20, 10), "padding": 0, "dropout": 0.4},
    {"size": 50, "channels": (3,), "hidden": (), "padding": 2},
]


def full_nets() -> tuple[KeypointNet, Net]:
    """The full network on both sides without initial weights, so that its 0.6 GB are never touched."""
    with no_init(), torch.device("meta"):
        return KeypointNet(), Net()


def test_full_net_keys_shapes_and_count():
    net, twin = full_nets()
    ours = {key: (array.shape, str(array.dtype)) for key, array in net.state_dict().items()}
    theirs = {key: (tuple(t.shape), str(t.dtype).split(".")[1]) for key, t in twin.state_dict().items()}
    assert list(ours.items()) == list(theirs.items())
    assert sum(parameter.data.size for parameter in net.parameters()) == 151_995_936
    assert sum(parameter.numel() for parameter in twin.parameters()) == 151_995_936


def test_full_net_printed_form_differs_in_the_last_line_only():
    net, twin = full_nets()
    ours, theirs = str(net).splitlines(), str(twin).splitlines()
    assert ours[:-2] == theirs[:-2]
    assert (ours[-2], theirs[-2]) == ("  (dropout): Dropout(p=0.4)", "  (dropout): Dropout(p=0.4, inplace=False)")
    assert ours[0] == "Net("
    assert ours[-1] == theirs[-1] == ")"


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_compact_printed_form_and_keys(variant):
    net, twin = KeypointNet.compact(**variant, rng=0), Net.compact(**variant)
    assert str(net).splitlines()[:-2] == str(twin).splitlines()[:-2]
    assert list(net.state_dict()) == list(twin.state_dict())
    assert [a.shape for a in net.state_dict().values()] == [tuple(t.shape) for t in twin.state_dict().values()]


def test_initial_weights_have_the_twins_distribution():
    """The numbers differ, but their bounds, mean and spread, over thousands of numbers, are the twin's."""
    ours = KeypointNet.compact(rng=0).state_dict()
    torch.manual_seed(0)
    theirs = {key: tensor.numpy() for key, tensor in Net.compact().state_dict().items()}
    for key, array in theirs.items():
        if array.size < 1000:
            continue
        bound = np.abs(array).max()
        assert np.abs(ours[key]).max() == pytest.approx(bound, rel=0.02), key
        assert ours[key].std() == pytest.approx(array.std(), rel=0.05), key
        assert abs(ours[key].mean()) < 4 * bound / np.sqrt(3 * array.size), key
        assert not np.array_equal(ours[key], array), key


@both_dtypes
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_outputs_gradients_and_statistics(variant, dtype):
    """Three forward and backward passes without updates, with random gamma and beta; then evaluation."""
    net = KeypointNet.compact(**variant, rng=0).astype(dtype)
    randomise(start := Net.from_state(net.state_dict(), net.arguments), rng := seeded(variant))
    net.load_state_dict({key: tensor.numpy() for key, tensor in start.state_dict().items()})
    twin = comparison.twin_of(net)
    noisy = comparison.noisy_biases(net)
    size = net.arguments["size"]
    for _ in range(STEPS):
        images = rng.random((4, 1, size, size)).astype(dtype)
        targets = (2 * rng.standard_normal((4, 136))).astype(dtype)
        step = comparison.forward_and_backward(net, twin, SmoothL1Loss(), torch.nn.SmoothL1Loss(), images, targets)
        compare("KeypointNet", "output", "out", *step.outputs)
        compare("KeypointNet", "gradient", "gradient of images", *step.input_gradients)
        compare_gradients("KeypointNet", net, twin, skip=noisy)
        compare_state("KeypointNet", net.state_dict(), twin)
        for name, parameter in net.named_parameters():
            if name in noisy:
                weight = dict(net.named_parameters())[name.replace(".bias", ".weight")].grad
                assert parameter.grad is not None
                assert weight is not None
                noise = 1e-3 if dtype == "float32" else 1e-12
                assert np.abs(parameter.grad).max() < noise * np.abs(weight).max(), f"{name} must have no gradient"
    net.eval()
    twin.eval()
    compare("KeypointNet", "output", "out in eval", net(images), twin(torch.from_numpy(images)).detach().numpy())


SMALL_HOURGLASSES = [{"size": 24, "stem": (3,), "levels": (4, 6, 5)}, {"size": 8, "stem": (), "levels": (5,)}]
HOURGLASSES = [
    ({}, "float64"),  # in float32, rounding would decide at least one of its half a million ReLUs and pools
    *((variant, dtype) for variant in SMALL_HOURGLASSES for dtype in ("float64", "float32")),
]


@pytest.mark.parametrize(("variant", "dtype"), HOURGLASSES, ids=str)
def test_the_hourglass(variant, dtype):
    """Printed form and keys; three forward and backward passes with random gamma and beta; then evaluation."""
    check_twin(HourglassNet(**variant, rng=0).astype(dtype), dtype, seeded(variant))


FINDERS = [{"size": 16, "stem": (3, 4), "body": (5, 5, 6)}, {"size": 8, "stem": (), "body": (1, 4)}]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("variant", FINDERS, ids=str)
def test_the_finder(variant, dtype):
    """The same; and on images that are no squares."""
    net = FinderNet(**variant, rng=0).astype(dtype)
    check_twin(net, dtype, rng := seeded(variant))
    twin = models.FinderNet.from_state(net.state_dict(), net.arguments).eval()
    images = rng.random((2, 1, 16, 24)).astype(dtype)
    expected = twin(torch.from_numpy(images)).detach().numpy()
    compare("FinderNet", "output", "out of a wide image", net.eval()(images), expected)


def check_twin(net, dtype, rng):
    """Compare a network with its twin, which has the same name in `reference.models`."""
    name = type(net).__name__
    twin = getattr(models, name).from_state(net.state_dict(), net.arguments)
    randomise(twin, rng)
    net.load_state_dict({key: tensor.numpy() for key, tensor in twin.state_dict().items()})
    assert str(net) == str(twin)
    size = net.arguments["size"]
    for _ in range(STEPS):
        net.zero_grad()
        twin.zero_grad()
        images = rng.random((4, 1, size, size)).astype(dtype)
        out, cache = net.forward(images)
        dout = rng.standard_normal(out.shape).astype(dtype)
        x = torch.tensor(images, requires_grad=True)
        expected = twin(x)
        expected.backward(torch.from_numpy(dout))
        compare(name, "output", "out", out, expected.detach().numpy())
        assert x.grad is not None
        compare(name, "gradient", "gradient of images", net.backward(dout, cache), x.grad.numpy())
        compare_gradients(name, net, twin)
        compare_state(name, net.state_dict(), twin)
    net.eval()
    twin.eval()
    expected = twin(torch.from_numpy(images)).detach()
    compare(name, "output", "out in eval", net(images), expected.numpy())
    compare(name, "output", "out of the fused net in eval", fuse(net)(images), expected.numpy())


@pytest.mark.parametrize("variant", [{"size": 64}, VARIANTS[1]], ids=str)
def test_a_trajectory_of_adam_in_float64(variant):
    """Losses, weights and statistics agree over twenty steps that move the weights."""
    net = KeypointNet.compact(**variant, rng=1).astype(np.float64)
    twin = comparison.twin_of(net)
    optimizer, torch_optimizer = Adam(net.parameters(), lr=1e-3), torch.optim.Adam(twin.parameters(), lr=1e-3)
    rng, size, share = seeded("trajectory", variant), net.arguments["size"], comparison.BiasShare(net, twin)
    for _ in itertools.repeat(None, 20):
        images, targets = rng.random((4, 1, size, size)), rng.standard_normal((4, 136))
        step = comparison.forward_and_backward(net, twin, SmoothL1Loss(), torch.nn.SmoothL1Loss(), images, targets)
        losses = np.array([step.numpynet_loss]), np.array([step.torch_loss])
        compare("KeypointNet, 20 steps", "output", "loss", *losses)
        share.update()
        optimizer.step()
        torch_optimizer.step()
    noisy = [*share.names, *(name.replace(".bias", "_bn.running_mean") for name in share.names)]
    compare_state("KeypointNet, 20 steps", net.state_dict(), twin, skip=noisy)
    for name, ours, theirs in share.taken_out():
        compare("KeypointNet, 20 steps", "output", f"{name} less the bias's share", ours, theirs)


@pytest.mark.parametrize("flaw", ["forgotten input", "another weight"])
def test_the_comparison_sees_a_flaw(flaw):
    """The comparison must be able to fail: a weight is changed by a thousandth, or an input channel is ignored."""
    net = KeypointNet.compact(size=48, channels=(4, 6), rng=0)
    twin = comparison.twin_of(net)
    rng = seeded(flaw)
    if flaw == "another weight":
        net.state_dict()["conv1.weight"][1, 0, 2, 0] *= 1.001
    else:
        net.state_dict()["conv2.weight"][:, 3] = 0
    images, targets = rng.random((4, 1, 48, 48), np.float32), rng.standard_normal((4, 136), np.float32)
    step = comparison.forward_and_backward(net, twin, SmoothL1Loss(), torch.nn.SmoothL1Loss(), images, targets)
    rows = comparison.outputs_and_gradients(net, twin, step)
    assert all(row.relative > 1e-5 for row in rows if not row.apart)
