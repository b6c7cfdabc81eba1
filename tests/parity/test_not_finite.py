"""NaN and infinity beside PyTorch: each function passes them on to the same places."""

import numpy as np
import pytest
import torch
from torch import nn

from numpynet import BatchNorm2d, Conv2d, MaxPool2d, ReLU, Sequential, fuse
from numpynet.dispatch import F
from tests.parity.helper import both_dtypes, seeded

ODD = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 1e-30, -1e-30]
places = pytest.mark.parametrize("places", [1, 7, 40])


def sprinkled(rng, shape, dtype, places):
    """Random numbers; `places` of them are replaced by numbers from ODD."""
    array = rng.standard_normal(shape).astype(dtype)
    array.reshape(-1)[rng.permutation(array.size)[:places]] = rng.choice(ODD, min(places, array.size))
    return array


def alike(got, tensor, what):
    """Assert NaN and infinity in the same places, and nearly the same numbers elsewhere."""
    np.testing.assert_allclose(got, tensor.detach().numpy(), rtol=2e-5, atol=2e-5, err_msg=what)


def compare(name, theirs, x, dout_places, rng, **options):
    out, cache = getattr(F, name)(x, **options)
    tensor = torch.tensor(x, requires_grad=True)
    expected = theirs(tensor)
    alike(out, expected, "out")
    dout = sprinkled(rng, out.shape, x.dtype, dout_places)
    expected.backward(torch.from_numpy(dout))
    alike(getattr(F, f"{name}_backward")(dout.copy(), cache), tensor.grad, "dx")


@both_dtypes
@places
@pytest.mark.parametrize("shape", [(9,), (4, 50), (2, 3, 5, 7)], ids=str)
def test_relu(shape, places, dtype):
    rng = seeded(shape, places, dtype)
    compare("relu", torch.relu, sprinkled(rng, shape, dtype, places), places, rng)


@both_dtypes
def test_relu_of_every_pair(dtype):
    x, dout = (np.array(a, dtype) for a in np.meshgrid(ODD, ODD))
    out, cache = F.relu(x)
    tensor = torch.tensor(x, requires_grad=True)
    expected = torch.relu(tensor)
    expected.backward(torch.from_numpy(dout))
    np.testing.assert_array_equal(out, expected.detach().numpy())
    np.testing.assert_array_equal(F.relu_backward(dout, cache), tensor.grad.numpy())


WINDOWS = {
    "as in the net": {"kernel_size": 2, "stride": 2},
    "padding, overlapping": {"kernel_size": 3, "stride": 1, "padding": 1},
    "overlapping": {"kernel_size": 3, "stride": 2},
    "everything by axis": {"kernel_size": (2, 3), "stride": (1, 2), "padding": (1, 0)},
}


@both_dtypes
@places
@pytest.mark.parametrize("window", WINDOWS)
def test_max_pool2d(window, places, dtype):
    rng, options = seeded(window, places, dtype), WINDOWS[window]
    x = sprinkled(rng, (2, 3, 8, 7), dtype, places)
    compare("max_pool2d", lambda t: nn.functional.max_pool2d(t, **options), x, places, rng, **options)


@both_dtypes
@places
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("more", [{}, {"ceil_mode": True, "count_include_pad": False}], ids=str)
def test_avg_pool2d(more, window, places, dtype):
    rng, options = seeded(window, places, dtype), WINDOWS[window] | more
    x = sprinkled(rng, (2, 3, 8, 7), dtype, places)
    compare("avg_pool2d", lambda t: nn.functional.avg_pool2d(t, **options), x, places, rng, **options)


@both_dtypes
@places
@pytest.mark.parametrize("shape", [(4, 3, 6, 5), (7, 3)], ids=str)
@pytest.mark.parametrize("which", ["x", "dout", "both"])
def test_batch_norm_with_given_statistics(which, shape, places, dtype):
    """A number that is not finite spoils only its own place, and none of x reaches dx."""
    rng = seeded(which, shape, places, dtype)
    weight, bias, mean, var = (rng.uniform(0.5, 2, 3).astype(dtype) for _ in range(4))
    x = sprinkled(rng, shape, dtype, places if which != "dout" else 0)
    out, cache = F.batch_norm(x, weight, bias, mean=mean, var=var)
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, weight, bias)]
    expected = nn.functional.batch_norm(tensors[0], *map(torch.from_numpy, (mean, var)), *tensors[1:])
    alike(out, expected, "out")
    dout = sprinkled(rng, shape, dtype, places if which != "x" else 0)
    expected.backward(torch.from_numpy(dout))
    for name, got, t in zip(("dx", "dweight", "dbias"), F.batch_norm_backward(dout, cache), tensors, strict=True):
        alike(got, t.grad, name)


@both_dtypes
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_batch_norm_by_the_batch_spoils_one_channel_alone(number, dtype):
    rng = seeded(number, dtype)
    x, dout = rng.standard_normal((2, 4, 3, 4, 5)).astype(dtype)
    x[1, 1, 2, 3] = number
    out, cache = F.batch_norm(x)
    tensor = torch.tensor(x, requires_grad=True)
    expected = nn.functional.batch_norm(tensor, None, None, training=True)
    expected.backward(torch.from_numpy(dout))
    alike(out, expected, "out")
    alike(F.batch_norm_backward(dout, cache)[0], tensor.grad, "dx")


def block(pool, bias, eps=1e-5):
    """Convolution, batch norm, ReLU and, if `pool`, a pool: numpynet's layers and PyTorch's."""
    layers = [Conv2d(2, 3, 3, padding=1, bias=bias, rng=0), BatchNorm2d(3, eps), ReLU(), MaxPool2d(2)]
    theirs = [nn.Conv2d(2, 3, 3, padding=1, bias=bias), nn.BatchNorm2d(3, eps), nn.ReLU(), nn.MaxPool2d(2)]
    return Sequential(*layers[: 3 + pool]), nn.Sequential(*theirs[: 3 + pool])


@both_dtypes
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("spoilt", ["x nan", "x inf", "x -inf", "dout inf", "dout nan", "dout everywhere"])
def test_a_block(spoilt, training, pool, fused, dtype):
    """The block's layers one by one or fused, in training and in evaluation."""
    rng = seeded(spoilt, training, pool, dtype)
    ours, theirs = block(pool, bias=True)
    state = {k: np.asarray(a, dtype if a.dtype.kind == "f" else None) for k, a in ours.state_dict().items()}
    for key in ("1.weight", "1.bias", "1.running_mean", "1.running_var"):
        state[key] = rng.uniform(0.3, 1.5, 3).astype(dtype)
    state["1.weight"][1] *= -1
    state["1.bias"] -= 1.5  # so that ReLU makes some windows all zero
    ours.astype(dtype).load_state_dict(state)
    theirs.to(getattr(torch, dtype)).load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in state.items()})
    net = fuse(ours) if fused else ours
    net.train(training)
    theirs.train(training)
    x = rng.standard_normal((3, 2, 8, 6)).astype(dtype)
    what, _, number = spoilt.partition(" ")
    if what == "x":
        x[1, 1, 4, 3] = float(number)
    tensor = torch.tensor(x, requires_grad=True)
    (out, cache), expected = net.forward(x), theirs(tensor)
    alike(out, expected, "out")
    dout = rng.standard_normal(out.shape).astype(dtype)
    if number == "everywhere":
        dout[...] = np.inf
    elif what == "dout":
        passed = out > 0
        assert passed.any()
        assert not passed.all()
        dout[tuple(np.argwhere(passed == (number == "nan"))[0])] = float(number)
    dx = net.backward(dout, cache)
    expected.backward(torch.from_numpy(dout))
    alike(dx, tensor.grad, "dx")
    for (name, parameter), twin in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        if name != "0.bias" or not training:  # rounding noise in training
            np.testing.assert_allclose(parameter.grad, twin.grad.numpy(), rtol=1e-3, atol=1e-3, err_msg=name)


@both_dtypes
@places
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss"])
def test_losses(name, places, dtype):
    rng = seeded(name, places, dtype)
    x, target = (sprinkled(rng, (6, 10), dtype, places) for _ in range(2))
    ours, options = ("smooth_l1_loss", {"beta": 0.0}) if name == "l1_loss" else (name, {})
    loss, cache = getattr(F, ours)(x, target, "sum", **options)
    tensor = torch.tensor(x, requires_grad=True)
    expected = getattr(nn.functional, name)(tensor, torch.from_numpy(target), reduction="sum")
    expected.backward()
    alike(loss, expected, "loss")
    alike(getattr(F, f"{ours}_backward")(1.0, cache), tensor.grad, "dx")
