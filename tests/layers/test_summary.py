"""`numpynet.summary`: its figures are PyTorch's where PyTorch counts, it changes nothing, and it refuses bad shapes."""

import numpy as np
import pytest

import numpynet
from numpynet import HourglassNet, KeypointNet, Linear, ReLU, Sequential, summary, use


def test_the_shipped_network():
    table = summary(HourglassNet(rng=0), (1, 1, 96, 96))
    assert len(table.rows) == 42
    assert table.parameters == 1_397_872
    assert table.flops == 309_657_600
    assert [row.label for row in table.rows if row.parameters][:2] == ["stem1: Conv2d", "stem1_bn: BatchNorm2d"]
    assert (table.rows[-2].receptive_field, table.rows[-1].receptive_field) == ((166, 166), "all")


@pytest.mark.torch
@pytest.mark.parametrize("name", ["compact", "hourglass"])
def test_flops_and_parameters_are_pytorchs(name):
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from reference import models

    net = KeypointNet.compact(rng=0) if name == "compact" else HourglassNet(rng=0)
    twin = models.Net(**net.arguments) if name == "compact" else models.HourglassNet()
    counter = FlopCounterMode(display=False)
    with counter:
        twin.eval()(torch.zeros(3, 1, 96, 96))
    table = summary(net, (3, 1, 96, 96))
    assert table.parameters == sum(parameter.numel() for parameter in twin.parameters())
    theirs = {"soft_argmax": 0} | {
        key.split(".")[-1]: sum(ops.values()) for key, ops in counter.get_flop_counts().items() if "." in key
    }
    ours = {row.label.split(":")[0]: row.flops for row in table.rows if row.flops}
    del theirs["soft_argmax"]  # the twin computes it by products of matrices, numpynet by sums
    assert ours == {name: flops for name, flops in theirs.items() if flops}
    assert table.flops == sum(theirs.values())


@pytest.fixture
def readable():
    """The fast functions keep other arrays."""
    with use("readable"):
        yield


@pytest.mark.usefixtures("readable")
def test_text_and_markdown_hold_every_figure():
    table = summary(Sequential(Linear(40, 30, rng=0), ReLU()), (5, 40))
    assert str(table).splitlines() == [
        "Sequential, input 5 x 40 float32",
        "-" * 79,
        "layer            output shape  parameters   FLOPs  cache bytes  receptive field",
        "-" * 79,
        "0: Linear        5 x 30             1,230  12,000          800                ?",
        "1: ReLU          5 x 30                 0       0          150                ?",
        "-" * 79,
        "total of 2 rows                     1,230  12,000          950",
    ]
    assert table.markdown().splitlines() == [
        "| layer | output shape | parameters | FLOPs | cache bytes | receptive field |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
        "| 0: Linear | 5 x 30 | 1,230 | 12,000 | 800 | ? |",
        "| 1: ReLU | 5 x 30 | 0 | 0 | 150 | ? |",
        "| total of 2 rows |  | 1,230 | 12,000 | 950 |  |",
    ]


def test_a_layer_that_comes_twice_has_its_parameters_counted_once():
    layer = Linear(6, 6, rng=0)
    table = summary(Sequential(layer, ReLU(), layer), (1, 6))
    assert [row.parameters for row in table.rows] == [42, 0, 0]
    assert table.parameters == 42
    assert table.flops == 2 * 2 * 36


def test_it_leaves_the_net_as_it_was():
    net = KeypointNet.compact(16, (3,), (4,), rng=0)
    net.conv1_bn.training = False
    before = {key: array.copy() for key, array in net.state_dict().items()}
    modes = [module.training for module in net.modules()]
    generator = net.dropout.rng.bit_generator.state
    summary(net, (2, 1, 16, 16))
    with pytest.raises(ValueError, match="Conv2d"):
        summary(net, (2, 2, 16, 16))
    assert [module.training for module in net.modules()] == modes
    assert net.dropout.rng.bit_generator.state == generator
    assert all(parameter.grad is None for parameter in net.parameters())
    for key, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[key])


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((), r"^summary: input_shape must be a shape such as \(1, 1, 96, 96\), got \(\)$"),
        (96, "^summary: input_shape must be a shape .*, got 96$"),
        ("1196", "^summary: input_shape must be a shape .*, got '1196'$"),
        ((1, 1, 0, 96), r"^summary: input_shape\[2\] must be at least 1, got 0$"),
        ((1, 1.5), r"^summary: input_shape\[1\] must be an integer, got 1.5$"),
        ((1, 3, 96, 96), r"^Conv2d\(1, 16.*: conv2d: x must have shape \(N, 1, H, W\), got \(1, 3, 96, 96\)$"),
        ((1, 1, 95, 96), "^Residual: the body must keep x's shape"),
    ],
)
def test_bad_shapes_are_refused_in_one_line(shape, message):
    with pytest.raises(ValueError, match=message) as refused:
        summary(HourglassNet(rng=0), shape)
    assert "\n" not in str(refused.value)


def test_it_is_public():
    assert "summary" in numpynet.__all__
    assert numpynet.summary is summary
