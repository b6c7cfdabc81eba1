"""fuse(net): the same network in fewer, larger operations."""

from collections.abc import Iterator

from numpynet.layers import BatchNorm2d, Conv2d, ConvBlock, MaxPool2d, ReLU
from numpynet.module import Chain, Module
from numpynet.typing import pair


class Fused(Chain):
    """A network and the larger layers that it is run with; parameters, state and names are those of the plain one."""

    def __init__(self, plain: Chain, layers: list[Module]) -> None:
        self.plain = plain
        self.layers = layers

    def path(self) -> list[Module]:
        return self.layers

    def children(self) -> Iterator[tuple[str, Module]]:
        yield from self.plain.children()

    def modules(self) -> Iterator[Module]:
        yield self
        yield from self.plain.modules()

    def __repr__(self) -> str:
        return repr(self.plain)  # it is the same network


def fuse(net: Chain, input_gradient: bool = True) -> Fused:
    """The network with every convolution, batch norm, ReLU and 2 x 2 max pool that follow each other made one layer.

    It computes the same to within rounding, faster under `numpynet.use("fast")`, and shares all parameters and running
    statistics with `net`: train the one, and the other has learned. Whether it trains or evaluates is shared, too.

    input_gradient: where False, and the first layers are fused, `backward` returns None instead of dL/dx of the
    images, which training has no use for.
    """
    layers: list[Module] = []
    rest = net.path()
    while rest:
        block = _block(rest[:4], input_gradient or bool(layers))
        layers.append(rest[0] if block is None else block)
        rest = rest[1 if block is None else 4 :]
    return Fused(net, layers)


def _block(layers: list[Module], input_gradient: bool) -> ConvBlock | None:
    """The four layers as one; None where they are others, or geometries that it is not made for."""
    match layers:
        case [Conv2d(stride=(1, 1), dilation=(1, 1)) as conv, BatchNorm2d() as bn, ReLU(), MaxPool2d() as pool]:
            plain = pair(pool.padding, "padding", 0) == (0, 0) and pair(pool.dilation, "dilation") == (1, 1)
            if plain and _two(pool.kernel_size) and _two(pool.stride) and not pool.ceil_mode:
                return ConvBlock(conv, bn, input_gradient)
    return None


def _two(value: int | tuple[int, int]) -> bool:
    return pair(value, "MaxPool2d") == (2, 2)
