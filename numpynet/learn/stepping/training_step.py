"""One training step in small steps: each layer forward, the loss, each layer backward, and the update."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from numpynet.losses import Criterion
from numpynet.module import Chain, Module
from numpynet.optim import Optimizer
from numpynet.record import Record, Row
from numpynet.typing import Array

WORDS = {
    "Conv2d": (
        "Each number of out is the sum of one window of x times one filter, plus the filter's bias.",
        "Each number of dout goes back to the pixels of its window, times the filter; where windows overlap, the "
        "parts are added. The filter's gradient is the sum of all windows, each times its dout.",
    ),
    "Linear": (
        "Each number of out is the sum of all numbers of x, each times its weight, plus a bias.",
        "dx = dout weight. The weight's gradient is dout^T x, and the bias's gradient is dout, summed over the batch.",
    ),
    "ReLU": (
        "Negative numbers become 0.",
        "dout passes where x was positive, and stops where x was negative or 0.",
    ),
    "MaxPool2d": (
        "The largest number of each window remains.",
        "Each number of dout goes to the pixel that won its window. A pixel that won several windows gets their sum.",
    ),
    "AvgPool2d": (
        "The mean of each window remains.",
        "Each number of dout is shared equally among the pixels of its window.",
    ),
    "BatchNorm": (
        "Each channel is shifted to mean 0 and scaled to variance 1, then multiplied by weight and moved by bias.",
        "What would only shift or stretch a whole channel is taken out of the gradient, as batch norm undoes it.",
    ),
    "Dropout": (
        "Some numbers become 0 by chance, and the others grow so that the mean stays.",
        "The same numbers are kept as in the forward pass, times the same factor.",
    ),
    "Flatten": (
        "The numbers stay; only the shape changes.",
        "The numbers stay; the shape changes back.",
    ),
    "Upsample": (
        "Each pixel is repeated.",
        "Each pixel gets the sum of what its copies get.",
    ),
    "SoftArgmax2d": (
        "A softmax turns each map of scores into shares, and the mean position by these shares is a point.",
        "A score gets its share, times how far its pixel lies from the point in the direction of dout.",
    ),
    "Residual": (
        "x took two ways: as it is, and through the layers before. Their outputs are added.",
        "Both ways get the same dout: it goes through the layers of the branch, and past them.",
    ),
}
"""By class: what the layer does forward, and backward."""

TOGETHER = (
    "Here the two ways of the Residual come together: dx is dout, which went past the branch, plus the branch's dx."
)


@dataclass(frozen=True)
class Tensor:
    """One array to show, and its name."""

    name: str
    array: Array


@dataclass(frozen=True)
class Step:
    """One small step.

    phase: "input", "forward", "loss", "backward" or "update". layer: its number in the forward pass, or None.
    """

    phase: str
    title: str
    words: str
    tensors: tuple[Tensor, ...]
    layer: int | None = None


def take(
    net: Chain, criterion: Criterion, optimizer: Optimizer, x: Array, target: Array, names: Sequence[str] = ()
) -> list[Step]:
    """Train `net` by one step on x and target, and return the small steps of which it consisted.

    names: of the layers, for a network that names them by number alone.
    """
    net.zero_grad()
    record = Record(net, x)
    titles = names or list(_titles(record.rows))
    labels = {id(row): name for name, row in zip(titles, record.rows, strict=True)}
    before = {key: parameter.data.copy() for key, parameter in net.named_parameters()}
    loss, dout = criterion(record.out, target)
    record.backward(dout)
    gradients = {key: np.array(parameter.grad) for key, parameter in net.named_parameters()}
    optimizer.step()
    optimizer.zero_grad()
    after = {key: parameter.data.copy() for key, parameter in net.named_parameters()}

    steps = [Step("input", "The picture", "What the network gets.", (Tensor("x", x),))]
    for i, row in enumerate(record.rows):
        parts = [Tensor("x", row.x), *(Tensor(_last(key), before[key]) for key in row.parameters)]
        if row.inside:
            parts.append(Tensor("out of the branch", row.inside[-1].out))
        steps.append(Step("forward", labels[id(row)], _words(row.layer)[0], (*parts, Tensor("out", row.out)), i))
    ends = (Tensor("out", record.out), Tensor("target", target), Tensor("dout", dout))
    words = f"{type(criterion).__name__} gives {float(loss):.6g}. Its slope, dout = dL/dout, starts the way back."
    steps.append(Step("loss", "The loss", words, ends))
    numbers = {id(row): i for i, row in enumerate(record.rows)}
    for row, words, tensors in _backward(record.tree, gradients):
        steps.append(Step("backward", labels[id(row)], words, tensors, numbers[id(row)]))
    for i, row in enumerate(record.rows):
        for key in row.parameters:
            title = f"{labels[id(row)].split(':')[0]}.{_last(key)}"
            steps.append(_update(title, i, optimizer, before[key], gradients[key], after[key]))
    return steps


def _titles(rows: Sequence[Row]) -> Iterator[str]:
    """The rows' labels; one without a name is told by the layer before it, as in "ReLU after conv1_bn"."""
    before = ""
    for row in rows:
        yield row.label if row.name or not before else f"{row.label} after {before}"
        before = row.name or before


def _backward(rows: list[Row], gradients: Mapping[str, Array]) -> Iterator[tuple[Row, str, tuple[Tensor, ...]]]:
    """Row, words and tensors of each step of the backward pass."""
    for row in reversed(rows):
        if row.dout is None or row.dx is None:
            raise ValueError("training_step: the backward pass has not run")
        words, dout, dx = _words(row.layer)[1], Tensor("dout", row.dout), Tensor("dx", row.dx)
        if row.inside:
            yield row, words, (dout,)
            yield from _backward(row.inside, gradients)
            branch = row.inside[0].dx
            yield row, TOGETHER, (dout, *([] if branch is None else [Tensor("dx of the branch", branch)]), dx)
        else:
            yield row, words, (dout, *(Tensor(f"d{_last(key)}", gradients[key]) for key in row.parameters), dx)


def _update(title: str, layer: int, optimizer: Optimizer, before: Array, gradient: Array, after: Array) -> Step:
    """The step that changes one parameter."""
    change = after - before
    weights = float(np.abs(before).mean())
    update = float(np.abs(change).mean())
    words = f"{type(optimizer).__name__}, lr {optimizer.lr:g}. Mean size: of the update {update:.2g}, "
    words += f"of the weights {weights:.2g}." + (f" Update over weights: {update / weights:.1e}." if weights else "")
    named = {"before": before, "gradient": gradient, "update": change, "after": after}
    return Step("update", title, words, tuple(Tensor(name, array) for name, array in named.items()), layer)


def _last(key: str) -> str:
    """The last part of a key of the state dict: "weight" of "conv1.weight"."""
    return key.rpartition(".")[2]


def _words(layer: Module) -> tuple[str, str]:
    """What the layer does forward, and backward."""
    for kind in type(layer).__mro__:
        if kind.__name__.lstrip("_") in WORDS:
            return WORDS[kind.__name__.lstrip("_")]
    return "A layer of your own.", "Its own backward pass."
