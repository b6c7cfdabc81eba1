"""Every layer, element by element, and two whole networks along random directions."""

import itertools
from typing import Any

import numpy as np

from numpynet.gradcheck.diagnosis import Finding, examine
from numpynet.gradcheck.numeric import directional_derivative, numerical_gradient
from numpynet.gradcheck.problem import Rng, apart
from numpynet.layers import (
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
    SoftArgmax2d,
    Upsample,
)
from numpynet.models import HourglassNet, KeypointNet
from numpynet.module import Chain, Module, Residual
from numpynet.typing import Array

DEAD_BIAS = "its gradient is zero: batch norm subtracts this bias again; what is left is rounding"


def layers(rng: Rng) -> list[Finding]:
    """Every layer: its input's gradient and every parameter's, element by element."""
    image, row = (2, 3, 6, 6), (4, 5)
    cases: list[tuple[Module, tuple[int, ...]]] = [
        (Conv2d(3, 2, (3, 2), stride=2, padding=1, rng=rng), image),
        (MaxPool2d(3, stride=2, padding=1), image),
        (AvgPool2d(3, stride=2, padding=1, count_include_pad=False), image),
        (BatchNorm2d(3), image),
        (BatchNorm2d(3).eval(), image),
        (BatchNorm1d(5), row),
        (Linear(5, 3, rng=rng), row),
        (ReLU(), row),
        (Dropout(0.4), row),
        (Flatten(), image),
        (Upsample(2), image),
        (SoftArgmax2d(), image),
        (Residual(Conv2d(3, 2, 3, padding=1, rng=rng), ReLU(), Conv2d(2, 3, 1, rng=rng)), image),
    ]
    findings = []
    for layer, shape in cases:
        layer.astype(np.float64)
        for parameter in layer.parameters():  # batch norm's initial 1 and 0 would hide mistakes
            parameter.data[...] = rng.standard_normal(parameter.data.shape)
        x = apart(rng, *shape)
        out, cache = _forward(layer, x)
        dout = rng.standard_normal(out.shape)
        analytic = {"x": (x, layer.backward(dout, cache))}
        analytic |= {name: (p.data, p.grad) for name, p in layer.named_parameters() if p.grad is not None}
        for name, (array, gradient) in analytic.items():
            numeric = numerical_gradient(lambda layer=layer, x=x: _forward(layer, x)[0], array, dout)  # type: ignore[misc]
            mode = "" if layer.training else " in evaluation"
            findings.append(examine(f"{type(layer).__name__}{mode}: d{name}", gradient, numeric))
    return findings


def net(rng: Rng, *, size: int = 24, batch: int = 3, dropout: float = 0.3, directions: int = 3) -> list[Finding]:
    """The course project's network, small: along random directions in its input and in each parameter."""
    network = KeypointNet(size, (3, 4), (8, 6), padding=1, dropout=dropout, rng=rng).astype(np.float64)
    return _along_directions(rng, network, (batch, 1, size, size), directions)


def _along_directions(rng: Rng, network: Chain, shape: tuple[int, ...], directions: int) -> list[Finding]:
    """Check a network on images of this shape along random directions, with two evaluations each."""
    images = rng.standard_normal(shape)
    out, cache = _forward(network, images)
    dout = rng.standard_normal(out.shape)
    tensors: dict[str, tuple[Array, Array]] = {"x": (images, network.backward(dout, cache))}
    tensors |= {name: (p.data, p.grad) for name, p in network.named_parameters() if p.grad is not None}
    pairs: dict[str, list[tuple[float, float]]] = {}
    for name, (array, gradient) in tensors.items():
        for _ in range(directions):
            direction = rng.standard_normal(array.shape)
            numeric = directional_derivative(lambda: _forward(network, images)[0], array, direction, dout, 1e-7)
            pairs.setdefault(name, []).append((float(np.vdot(gradient, direction)), numeric))
    # A bias before a batch norm has a gradient of zero: its error is relative to the usual size of the others.
    usual = max(float(np.median([abs(numeric) for found in pairs.values() for _, numeric in found])), 1e-12)
    dead = _dead_biases(network)
    findings = []
    for name, found in pairs.items():
        analytic, numeric = max(found, key=lambda pair: abs(pair[0] - pair[1]))
        error = abs(analytic - numeric) / max(abs(numeric), usual)
        cause = "" if error < 1e-6 else "the layer's own case names the mistake: check each kind of layer by itself"
        note = DEAD_BIAS if name in dead else ""
        findings.append(Finding(f"d{name}", error, (), analytic, numeric, not cause, cause, note))
    return findings


def _dead_biases(network: Chain) -> set[str]:
    """The names of the biases that a batch norm follows, and takes out again with the batch's mean."""
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    dead = set()
    for layer, following in itertools.pairwise(network.path()):
        if isinstance(layer, Conv2d | Linear) and isinstance(following, BatchNorm2d | BatchNorm1d) and layer.bias:
            dead.add(names[id(layer.bias)])
    return dead


def hourglass(rng: Rng, *, size: int = 16, batch: int = 3, directions: int = 3) -> list[Finding]:
    """The shipped architecture, small: along random directions, like `net`."""
    network = HourglassNet(size, (3,), (4, 5, 6), rng=rng).astype(np.float64)
    return _along_directions(rng, network, (batch, 1, size, size), directions)


def _forward(module: Module, x: Array) -> tuple[Array, Any]:
    """Forward, with the same dropout masks in every call."""
    for part in module.modules():
        if isinstance(part, Dropout):
            part.rng = np.random.default_rng(1)
    return module.forward(x)
