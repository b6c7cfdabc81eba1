"""What can be checked. A case is a function of keywords with defaults, which are the options of the command line."""

from collections.abc import Callable
from typing import Any

import numpy as np

from numpynet import functional as F
from numpynet.functional.windows import output_size, window_slices
from numpynet.gradcheck.diagnosis import Finding, examine
from numpynet.gradcheck.numeric import directional_derivative, numerical_gradient
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
from numpynet.module import Module, Residual
from numpynet.typing import AnyArray, Array

Rng = np.random.Generator
Inputs = dict[str, Array | None]


def check(
    rng: Rng,
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    inputs: Inputs,
    coverage: AnyArray | None = None,
    **options: Any,
) -> list[Finding]:
    """Examine the gradient of every input of a function, forward(*inputs, **options), for a random dout.

    A constant dout would hide mistakes: batch norm's gradient is zero for it.
    """
    out, cache = forward(*inputs.values(), **options)
    dout = rng.standard_normal(out.shape)
    passed_in = {"dout": dout} | {name: array for name, array in inputs.items() if array is not None}
    before = {name: array.copy() for name, array in passed_in.items()}
    result = backward(dout, cache)
    gradients = result if isinstance(result, tuple) else (result,)
    findings = []
    for name, array in passed_in.items():
        if not np.array_equal(array, before[name]):
            findings.append(Finding(name, np.inf, (), np.nan, np.nan, False, "the backward pass changes it in place"))
            array[...] = before[name]
    for (name, array), gradient in zip(inputs.items(), gradients, strict=False):  # a target has none
        if array is not None and gradient is not None:
            numeric = numerical_gradient(lambda: forward(*inputs.values(), **options)[0], array, dout)
            findings.append(examine(f"d{name}", gradient, numeric, coverage if name == "x" else None))
    return findings


def apart(rng: Rng, *shape: int) -> Array:
    """Numbers from about -2 to 2 in random order, evenly spaced and not near 0: far from every tie and every kink."""
    count = int(np.prod(shape))
    return (rng.permutation(count) + 0.5 - count / 2).reshape(shape) * (4 / count) + 0.3 / count


def coverage_of(size: int, kernel: int, stride: int, padding: int, dilation: int) -> AnyArray:
    """How many windows see each pixel of a square image, (size, size)."""
    count = output_size(size, kernel, stride, padding, dilation)
    seen = np.zeros((size + 2 * padding, size + 2 * padding), np.int64)
    for _, _, rows, columns in window_slices((kernel, kernel), (stride, stride), (dilation, dilation), (count, count)):
        seen[rows, columns] += 1
    return seen[padding : padding + size, padding : padding + size]


def conv2d(
    rng: Rng, *, batch: int = 2, channels: int = 2, filters: int = 3, size: int = 7, kernel: int = 3, stride: int = 1,
    padding: int = 0, dilation: int = 1,
) -> list[Finding]:  # fmt: skip
    inputs: Inputs = {
        "x": rng.standard_normal((batch, channels, size, size)),
        "weight": rng.standard_normal((filters, channels, kernel, kernel)),
        "bias": rng.standard_normal(filters),
    }
    coverage = coverage_of(size, kernel, stride, padding, dilation)
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    return check(rng, F.conv2d, F.conv2d_backward, inputs, coverage, **options)


def max_pool2d(
    rng: Rng, *, batch: int = 2, channels: int = 2, size: int = 7, kernel: int = 3, stride: int = 2, padding: int = 1,
    dilation: int = 1,
) -> list[Finding]:  # fmt: skip
    inputs: Inputs = {"x": apart(rng, batch, channels, size, size)}
    coverage = coverage_of(size, kernel, stride, padding, dilation)
    options = {"kernel_size": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    return check(rng, F.max_pool2d, F.max_pool2d_backward, inputs, coverage, **options)


def avg_pool2d(
    rng: Rng, *, batch: int = 2, channels: int = 2, size: int = 7, kernel: int = 3, stride: int = 2, padding: int = 1,
    ceil_mode: bool = False, count_include_pad: bool = True,
) -> list[Finding]:  # fmt: skip
    inputs: Inputs = {"x": rng.standard_normal((batch, channels, size, size))}
    coverage = None if ceil_mode else coverage_of(size, kernel, stride, padding, 1)
    options = {"kernel_size": kernel, "stride": stride, "padding": padding}
    options |= {"ceil_mode": ceil_mode, "count_include_pad": count_include_pad}
    return check(rng, F.avg_pool2d, F.avg_pool2d_backward, inputs, coverage, **options)


def batch_norm(
    rng: Rng, *, batch: int = 3, channels: int = 2, size: int = 4, eps: float = 1e-5, training: bool = True
) -> list[Finding]:
    inputs: Inputs = {
        "x": 2 + 3 * rng.standard_normal((batch, channels, size, size)),
        "weight": rng.standard_normal(channels),
        "bias": rng.standard_normal(channels),
    }
    if not training:
        return check(
            rng, F.batch_norm, F.batch_norm_backward, inputs,
            mean=rng.standard_normal(channels), var=0.5 + rng.random(channels), eps=eps,
        )  # fmt: skip
    return check(rng, F.batch_norm, F.batch_norm_backward, inputs, eps=eps)


def conv_block(
    rng: Rng, *, batch: int = 2, channels: int = 2, filters: int = 3, size: int = 7, kernel: int = 3, padding: int = 1
) -> list[Finding]:
    inputs: Inputs = {
        "x": rng.standard_normal((batch, channels, size, size)),
        "weight": rng.standard_normal((filters, channels, kernel, kernel)),
        "bias": None,  # its gradient is zero, because batch norm subtracts it again
        "scale": rng.standard_normal(filters),
        "shift": rng.standard_normal(filters),
    }
    return check(rng, F.conv_block, F.conv_block_backward, inputs, padding=padding)


def linear(rng: Rng, *, batch: int = 4, inputs: int = 5, outputs: int = 3) -> list[Finding]:
    arrays: Inputs = {
        "x": rng.standard_normal((batch, inputs)),
        "weight": rng.standard_normal((outputs, inputs)),
        "bias": rng.standard_normal(outputs),
    }
    return check(rng, F.linear, F.linear_backward, arrays)


def relu(rng: Rng, *, batch: int = 4, size: int = 6) -> list[Finding]:
    return check(rng, F.relu, F.relu_backward, {"x": apart(rng, batch, size)})


def flatten(rng: Rng, *, batch: int = 3, channels: int = 2, size: int = 4) -> list[Finding]:
    return check(rng, F.flatten, F.flatten_backward, {"x": rng.standard_normal((batch, channels, size, size))})


def upsample_nearest2d(rng: Rng, *, batch: int = 2, channels: int = 2, size: int = 3, factor: int = 2) -> list[Finding]:
    inputs: Inputs = {"x": rng.standard_normal((batch, channels, size, size + 1))}
    return check(rng, F.upsample_nearest2d, F.upsample_nearest2d_backward, inputs, scale_factor=factor)


def soft_argmax2d(rng: Rng, *, batch: int = 2, maps: int = 3, size: int = 4) -> list[Finding]:
    inputs: Inputs = {"x": rng.standard_normal((batch, maps, size, size + 1))}
    return check(rng, F.soft_argmax2d, F.soft_argmax2d_backward, inputs)


def dropout(rng: Rng, *, batch: int = 4, size: int = 6, p: float = 0.4) -> list[Finding]:
    mask = rng.random((batch, size)) >= p
    return check(rng, F.dropout, F.dropout_backward, {"x": rng.standard_normal((batch, size))}, p=p, mask=mask)


def mse_loss(rng: Rng, *, batch: int = 3, size: int = 6, reduction: str = "mean") -> list[Finding]:
    inputs: Inputs = {"x": rng.standard_normal((batch, size)), "target": rng.standard_normal((batch, size))}
    return check(rng, F.mse_loss, F.mse_loss_backward, inputs, reduction=reduction)


def smooth_l1_loss(
    rng: Rng, *, batch: int = 3, size: int = 6, reduction: str = "mean", beta: float = 1.0
) -> list[Finding]:
    target = rng.standard_normal((batch, size))
    inputs: Inputs = {"x": target + apart(rng, batch, size), "target": target}
    return check(rng, F.smooth_l1_loss, F.smooth_l1_loss_backward, inputs, reduction=reduction, beta=beta)


def wing_loss(
    rng: Rng, *, batch: int = 3, size: int = 6, reduction: str = "mean", w: float = 0.9, eps: float = 0.2
) -> list[Finding]:
    target = rng.standard_normal((batch, size))
    inputs: Inputs = {"x": target + apart(rng, batch, size), "target": target}
    return check(rng, F.wing_loss, F.wing_loss_backward, inputs, reduction=reduction, w=w, eps=eps)


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


def _along_directions(rng: Rng, network: Module, shape: tuple[int, ...], directions: int) -> list[Finding]:
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
    usual = float(np.median([abs(numeric) for found in pairs.values() for _, numeric in found]))
    findings = []
    for name, found in pairs.items():
        analytic, numeric = max(found, key=lambda pair: abs(pair[0] - pair[1]))
        error = abs(analytic - numeric) / max(abs(numeric), usual)
        findings.append(Finding(f"d{name}", error, (), analytic, numeric, error < 1e-6))
    return findings


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


CASES: dict[str, Callable[..., list[Finding]]] = {
    "linear": linear,
    "relu": relu,
    "flatten": flatten,
    "dropout": dropout,
    "mse_loss": mse_loss,
    "smooth_l1_loss": smooth_l1_loss,
    "wing_loss": wing_loss,
    "upsample_nearest2d": upsample_nearest2d,
    "soft_argmax2d": soft_argmax2d,
    "conv2d": conv2d,
    "max_pool2d": max_pool2d,
    "avg_pool2d": avg_pool2d,
    "batch_norm": batch_norm,
    "conv_block": conv_block,
    "layers": layers,
    "net": net,
    "hourglass": hourglass,
}
