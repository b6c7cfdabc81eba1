"""`one-point`: every array of the one-point net, and the slope of the loss by nudging one number."""

import argparse
import re

import numpy as np

from numpynet.console import nearest
from numpynet.learn import one_point
from numpynet.learn.errors import LearnError
from numpynet.learn.showing.text_grids import beside, block, decimal
from numpynet.losses import SmoothL1Loss
from numpynet.optim import Adam
from numpynet.typing import Array

GRADIENTS = {"x": "dx", "conv.weight": "conv.weight.grad", "conv.bias": "conv.bias.grad", "conv.out": "dconv"}
GRADIENTS |= {"relu.out": "drelu", "pool.out": "dpool", "flatten.out": "dflatten"}
GRADIENTS |= {"linear.weight": "linear.weight.grad", "linear.bias": "linear.bias.grad", "out": "dout"}
"""What can be nudged, and the name of its gradient in `one_point.tensors()`."""

STEP = 0.001
"""How far a number is moved unless --step says otherwise."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--nudge",
        metavar="NAME[i,j]",
        help="move one number up and down and print the slope of the loss; in quotes, such as 'conv.weight[1,2]'",
    )
    parser.add_argument("--step", type=float, help=f"how far --nudge moves the number (default {STEP})")


def run(options: argparse.Namespace) -> int:
    if options.nudge is not None:
        return _nudge(options.nudge, STEP if options.step is None else options.step)
    if options.step is not None:
        raise LearnError("--step is for --nudge; name the number that is to be moved")
    found = one_point.tensors()
    print(f"{_forward(found)}\n\n{_backward(found)}\n\n{_step(found)}")
    return 0


def _forward(found: dict[str, Array]) -> str:
    def row(*names: str) -> str:
        return beside([block(name, found[name]) for name in names])

    window, weight = found["x"][0, 0, 2:5, 2:5], found["conv.weight"][0, 0]
    sums = _terms(weight, window)
    features, first = found["flatten.out"][0], found["linear.weight"][0]
    out, errors = found["out"][0], (found["out"] - found["target"])[0]
    return "\n".join([
        "FORWARD: from the picture to the loss. Each title is an array's name and its shape.",
        "",
        "conv: lay the 3 x 3 filter on each of the 9 windows of x; multiply, add up, add the bias.",
        row("x", "conv.weight", "conv.bias", "conv.out"),
        f"  conv.out[2,2] = {sums} + {decimal(found['conv.bias'][0])} = {decimal(found['conv.out'][0, 0, 2, 2])}",
        "",
        "relu: what is negative becomes 0.          pool: the largest of each 2 x 2 window.",
        row("relu.out", "pool.out"),
        "",
        "flatten: the same numbers in one row.      linear: one weighted sum for x, one for y.",
        row("flatten.out", "linear.weight", "linear.bias", "out"),
        f"  out[0] = {_terms(first, features)} + {decimal(found['linear.bias'][0])} = {decimal(out[0])}",
        "",
        "loss: smooth L1. An error e costs |e| - 0.5 if |e| is above 1, else 0.5 e e; then the mean of both.",
        row("target", "loss"),
        f"  errors out - target: {decimal(errors[0])} (straight branch) and {decimal(errors[1])} (curved branch)",
        f"  loss = (({decimal(abs(errors[0]))} - 0.5) + 0.5*{decimal(errors[1])}*{decimal(errors[1])}) / 2 = "
        f"{decimal(float(found['loss']))}",
    ])  # fmt: skip


def _backward(found: dict[str, Array]) -> str:
    def row(*names: str) -> str:
        return beside([block(name, found[name]) for name in names])

    dout, dpool = found["dout"][0], found["dpool"][0, 0]
    weight = found["linear.weight"][:, 0]
    dfilter = _terms(found["dconv"][0, 0], found["x"][0, 0, 1:4, 2:5])
    return "\n".join([
        "BACKWARD: from the loss to the picture. dout is the slope of the loss for each number of out.",
        "",
        "loss: the slope of |e| is -1 or 1, that of 0.5 e e is e; the mean halves both.",
        row("dout"),
        "",
        "linear: each weight gets dout times the number it was multiplied with; each bias gets dout.",
        row("linear.weight.grad", "linear.bias.grad", "dflatten"),
        f"  dflatten[0] = {_terms(dout, weight)} = {decimal(found['dflatten'][0, 0])}   both outputs use it",
        "",
        "pool: each number goes to its window's winner.  relu: 0 where the number before it was negative.",
        row("dpool", "drelu", "dconv"),
        f"  drelu[1,1] = {decimal(dpool[0, 0])} + {decimal(dpool[1, 0])} = {decimal(found['drelu'][0, 0, 1, 1])}   "
        "the centre won two windows: the two add up",
        "",
        "conv: each weight gets the sum over all windows of dconv times the pixel it lay on.",
        row("conv.weight.grad", "conv.bias.grad", "dx"),
        f"  conv.weight.grad[1,2] = {dfilter} = {decimal(found['conv.weight.grad'][0, 0, 1, 2])}",
    ])  # fmt: skip


def _step(found: dict[str, Array]) -> str:
    network, lr = one_point.net(), one_point.LR
    one_point.tensors(network)
    Adam(network.parameters(), lr=lr).step()
    after = one_point.tensors(network)
    names = ["conv.weight", "conv.bias", "linear.weight", "linear.bias"]
    return "\n".join([
        f"ONE STEP OF ADAM, lr = {lr}: each of the 20 parameters moves by {lr}, against its gradient.",
        "",
        beside([block(name, after[name]) for name in names]),
        "",
        f"  out  before {_pair(found['out'])}   after {_pair(after['out'])}   target {_pair(found['target'])}",
        f"  loss before {decimal(float(found['loss']))}   after {decimal(float(after['loss']))}",
    ])  # fmt: skip


def _terms(weights: Array, values: Array) -> str:
    """The sum of products, without the products that are 0."""
    both = zip(np.ravel(weights), np.ravel(values), strict=True)
    products = [(float(w), float(v)) for w, v in both if w * v != 0]
    return " + ".join(f"{_bracketed(w)}*{_bracketed(v)}" for w, v in products)


def _bracketed(value: float) -> str:
    return f"({decimal(value)})" if value < 0 else decimal(value)


def _pair(row: Array) -> str:
    return f"({decimal(row[0, 0])}, {decimal(row[0, 1])})"


def _nudge(asked: str, step: float) -> int:
    if not 1e-6 <= step <= 10:
        raise LearnError(f"--step must be from 1e-6 to 10, got {step:g}")
    found = one_point.tensors()
    name, index = place(asked, found)
    above, below = loss_with(name, index, step), loss_with(name, index, -step)
    slope, backward = (above - below) / (2 * step), float(found[GRADIENTS[name]][index])
    value, here = float(found[name][index]), asked.replace(" ", "")
    own_index = ",".join(map(str, index[-_shown(found[name]) :]))
    for label, number in (
        (f"{here} is {decimal(value)}; the loss is", float(found["loss"])),
        (f"up   to {value + step:.10g}: the loss is", above),
        (f"down to {value - step:.10g}: the loss is", below),
        (f"slope by nudging, (up - down) / (2 * {step:g})", slope),
        (f"slope from the backward pass, {GRADIENTS[name]}[{own_index}]", backward),
    ):
        print(f"{label:56} {number:+.9f}")
    print(f"{'they differ by':56} {abs(slope - backward):.1e}")
    if abs(slope - backward) > 1e-6:
        print("The step reaches over a kink: a ReLU, another winner of a window, or the bend of the loss.")
        print("The backward pass gives the slope where the number is. Take a smaller --step.")
    return 0


def place(asked: str, found: dict[str, Array]) -> tuple[str, tuple[int, ...]]:
    """The array's name and the full index of NAME[i,j], where axes of size 1 in front may be left out.

    LearnError if there is no such array or number.
    """
    match = re.fullmatch(r"\s*([\w.]+)\s*\[([\d,\s]*)\]\s*", asked)
    name = match[1] if match else asked.split("[")[0].strip()
    if name not in GRADIENTS:
        hint = nearest(name, GRADIENTS, f"choose one of {', '.join(GRADIENTS)}")
        raise LearnError(f"--nudge: there is no array {name!r} to nudge; {hint}")
    shape = found[name].shape
    example = f"'{name}[{','.join('0' * _shown(found[name]))}]'"
    if match is None or not (parts := [part for part in match[2].split(",") if part.strip()]):
        raise LearnError(f"--nudge {asked}: say which number of {name} {shape}, such as {example}")
    try:
        given = tuple(int(part) for part in parts)
    except ValueError:
        raise LearnError(f"--nudge {asked}: say which number of {name} {shape}, such as {example}") from None
    index = (0,) * (len(shape) - len(given)) + given
    if not _shown(found[name]) <= len(given) <= len(shape) or any(
        i >= size for i, size in zip(index, shape, strict=True)
    ):
        raise LearnError(f"--nudge {asked}: {name} has the shape {shape}, and its indices begin at 0; try {example}")
    return name, index


def loss_with(name: str, index: tuple[int, ...], change: float) -> float:
    """The loss if one number of the array `name` is moved by `change`, and all that follows is computed from it."""
    network = one_point.net()
    path = dict(zip(one_point.LAYERS, network.path(), strict=True))
    layer, _, part = name.partition(".")
    for parameter_name, parameter in path[layer].named_parameters() if layer in path else ():
        if parameter_name == part:
            parameter.data[index] += change
    out = one_point.PICTURE.copy()
    if name == "x":
        out[index] += change
    for own, module in path.items():
        out = module(out).copy()
        if name == ("out" if own == "linear" else f"{own}.out"):
            out[index] += change
    return SmoothL1Loss()(out, one_point.TARGET)[0]


def _shown(array: Array) -> int:
    """How many indices one writes: those from the first axis that is longer than 1 on; at least one."""
    sizes = list(array.shape)
    while len(sizes) > 1 and sizes[0] == 1:
        sizes.pop(0)
    return len(sizes)
