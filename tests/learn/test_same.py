"""One convolution in several ways: each equals PyTorch's."""

import numpy as np
import pytest
import torch

from numpynet.learn.__main__ import main
from numpynet.learn.convolutions import BACKWARD, FORWARD
from numpynet.learn.showing import same

GEOMETRIES = [((1, 1), (0, 0), (1, 1)), ((2, 3), (1, 2), (1, 1)), ((1, 2), (2, 0), (2, 1)), ((3, 1), (0, 1), (1, 2))]


def example(stride, padding, dilation):
    rng = np.random.default_rng(3)
    x, weight, bias = rng.standard_normal((2, 2, 8, 7)), rng.standard_normal((3, 2, 3, 2)), rng.standard_normal(3)
    theirs = [torch.tensor(array, requires_grad=True) for array in (x, weight, bias)]
    out = torch.nn.functional.conv2d(*theirs, stride, padding, dilation)
    dout = rng.standard_normal(tuple(out.shape))
    out.backward(torch.tensor(dout))
    return x, weight, bias, dout, out.detach(), [tensor.grad for tensor in theirs]


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("name", FORWARD)
def test_every_way_forward_is_pytorchs(name, geometry):
    x, weight, bias, _, out, _ = example(*geometry)
    np.testing.assert_allclose(FORWARD[name](x, weight, bias, *geometry), out, rtol=0, atol=1e-12)


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("name", BACKWARD)
def test_every_way_backward_is_pytorchs(name, geometry):
    x, weight, _, dout, _, wanted = example(*geometry)
    for gradient, theirs in zip(BACKWARD[name](dout, x, weight, *geometry), wanted, strict=True):
        np.testing.assert_allclose(gradient, theirs, rtol=0, atol=1e-12)


def test_it_prints_every_way_within_100_columns(capsys):
    assert main(["same", "conv2d", "--stride", "3", "--dilation", "2", "--size", "9"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 100
    for name in (*FORWARD, *BACKWARD):
        assert out.count(name) == 3, name  # with its numbers, and in both tables
    assert "All ways are the same sum." in out


def test_a_way_that_differs_is_reported_with_status_1(capsys, monkeypatch):
    def mirrored(dout, x, weight, *geometry):
        return BACKWARD["scatter"](dout, x, weight[:, :, ::-1], *geometry)

    monkeypatch.setattr(same, "BACKWARD", BACKWARD | {"rotated filter": mirrored})
    assert main(["same", "conv2d"]) == 1
    assert "They differ." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["conv"], "there is no operation 'conv'; did you mean conv2d?"),
        (["conv2d", "--stride", "0"], "--stride must be from 1 to 32, got 0"),
        (["conv2d", "--padding", "-1"], "--padding must be from 0 to 32, got -1"),
        (["conv2d", "--seed", "-1"], "--seed must be 0 or more, got -1"),
        (
            ["conv2d", "--kernel", "20"],
            "conv2d: x of shape (2, 2, 7, 8) with padding (1, 1) is smaller than the kernel",
        ),
    ],
)
def test_bad_options_are_refused_in_one_line(arguments, message, capsys):
    assert main(["same", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1
