"""The operations of a network: their kinds, shapes, FLOPs and numbers, found by a walk through the network itself."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fkp_app.training.recipe import Recipe
from numpynet.architectures import build
from numpynet.init import no_init
from numpynet.layers import BatchNorm2d, Conv2d, Linear, MaxPool2d, ReLU, SoftArgmax2d, Upsample
from numpynet.module import Residual
from numpynet.record import Record, Row

KINDS = {
    Conv2d: "conv2d",
    BatchNorm2d: "batch_norm",
    ReLU: "relu",
    MaxPool2d: "max_pool2d",
    Linear: "linear",
    Upsample: "upsample_nearest2d",
    Residual: "residual",
    SoftArgmax2d: "soft_argmax2d",
}
"""Other layers, and those of maps without pixels, take no time worth a row."""


@dataclass(frozen=True)
class Operation:
    """One operation on arrays of these shapes.

    flop: floating-point operations of the forward pass, by the operation's definition; floats: numbers that the forward
    pass reads and writes; kept: how many numbers of its result must exist as an array. A conv_block is the convolution,
    batch norm, ReLU and, if `pool`, 2 x 2 pool before it once more, as one operation.
    """

    kind: str
    x: tuple[int, ...]
    weight: tuple[int, ...] = ()
    padding: int = 0
    bias: bool = True
    pool: bool = False
    flop: float = 0.0
    floats: float = 0.0
    kept: float = 0.0

    @property
    def name(self) -> str:
        """The operation and its shapes, as the table shows them."""
        text = f"{self.kind} {' x '.join(map(str, self.x))}" + (f" -> {self.weight[0]}" if self.weight else "")
        if self.kind == "conv2d" and self.weight[2:] != (3, 3):
            text += f", {' x '.join(map(str, self.weight[2:]))}"
        return text + (", no pool" if self.kind == "conv_block" and not self.pool else "")


def operations(recipe: Recipe, batch_size: int) -> Iterator[Operation]:
    """The operations of the recipe's training step, in the order in which the data passes them; the loss is last."""
    with no_init():
        net = build(recipe.network.architecture, recipe.network.arguments).eval()
    for parameter in net.parameters():
        parameter.data.fill(0)
    size = recipe.framing.size
    record = Record(net, np.zeros((1, 1, size, size), np.float32))
    yield from _operations(record.tree, batch_size)
    outputs = (batch_size, *record.out.shape[1:])
    yield Operation(f"{recipe.training.loss.name}_loss", outputs, floats=2.0 * np.prod(outputs))


def parameters(recipe: Recipe) -> int:
    """How many weights the recipe's network has."""
    with no_init():
        net = build(recipe.network.architecture, recipe.network.arguments)
    return sum(parameter.data.size for parameter in net.parameters())


def _operations(rows: list[Row], batch_size: int) -> Iterator[Operation]:
    """The operations of a row of layers, and of those inside its Residuals. The rows are those of one image."""
    blocks: dict[int, Operation] = {}  # by the place of their last layer
    for i, row in enumerate(rows):
        yield from _operations(row.inside, batch_size)
        kinds = [type(one.layer) for one in rows[i : i + 4]]
        kind = KINDS.get(type(row.layer))
        if kind is None or (len(row.x.shape) == 2 and kind != "linear"):
            continue
        x, read, written = (batch_size, *row.x.shape[1:]), batch_size * row.x.size, batch_size * row.out.size
        flop, floats, kept = float(batch_size * row.flops), float(read + written), float(written)
        if isinstance(row.layer, Conv2d | Linear):
            layer = row.layer
            weight, bias = layer.weight.data.shape, layer.bias is not None
        if isinstance(row.layer, Conv2d):
            padding = row.layer.padding[0]
            yield Operation("conv2d", x, weight, padding, bias, False, flop, floats, kept)
            if kinds[1:3] == [BatchNorm2d, ReLU]:
                pool = kinds[3:] == [MaxPool2d]
                out = batch_size * rows[i + 2 + pool].out.size
                blocks[i + 2 + pool] = Operation("conv_block", x, weight, padding, bias, pool, flop, float(read + out))
        elif isinstance(row.layer, Linear):
            yield Operation("linear", x, weight, bias=bias, flop=flop, floats=float(row.layer.weight.data.size))
        else:
            # ReLU works on batch norm's result, the pool on ReLU's, and upsampling only repeats numbers.
            passed = kind in ("batch_norm", "upsample_nearest2d", "soft_argmax2d")
            passed = passed or kinds[:2] == [ReLU, MaxPool2d]
            yield Operation(kind, x, floats=floats, kept=0.0 if passed else kept)
        if i in blocks:
            yield blocks[i]
