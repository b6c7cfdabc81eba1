"""fuse(net): the same network in fewer, larger operations."""

from collections.abc import Iterator
from typing import TypeGuard

from numpynet.functional.windows import pair
from numpynet.layers import BatchNorm2d, Conv2d, ConvBlock, MaxPool2d, ReLU
from numpynet.module import Chain, Module, Residual
from numpynet.typing import AnyArray


class Fused(Chain):
    """A network and the larger layers that it is run with; parameters, state and names are those of the plain one."""

    def __init__(self, plain: Module, layers: list[Module]) -> None:
        self.plain = plain
        self.layers = layers

    def path(self) -> list[Module]:
        return self.layers

    @property
    def training(self) -> bool:
        """The plain network's."""
        return self.plain.training

    @training.setter
    def training(self, mode: bool) -> None:
        self.plain.training = mode

    def children(self) -> Iterator[tuple[str, Module]]:
        yield from self.plain.children()

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        yield prefix, self
        yield from self.plain.named_modules(prefix)

    def state_dict(self, prefix: str = "") -> dict[str, AnyArray]:
        return self.plain.state_dict(prefix)

    def __repr__(self) -> str:
        return repr(self.plain)  # it is the same network


def fuse(net: Module, input_gradient: bool = True) -> Fused:
    """The network with every convolution, batch norm and ReLU that follow each other made one layer, with the 2 x 2 max
    pool behind them if there is one; inside of Residuals, too.

    It computes the same to within rounding, faster under `numpynet.use("fast")`, and shares all parameters and running
    statistics with `net`: train the one, and the other has learned. Whether it trains or evaluates is shared, too.

    Layers of a subclass, which may compute something else, stay as they are; so does a whole network that does more
    than walk its `path()`, which is asked for once. A fused network is fused anew.

    input_gradient: where False, and the first layers are fused, `backward` returns None instead of dL/dx of the
    images, which training has no use for.
    """
    if not isinstance(net, Module):
        raise TypeError(f"fuse: net must be a Module, got {type(net).__name__}")
    plain = net.plain if isinstance(net, Fused) else net
    return Fused(plain, _fused(plain.path() if _walks(plain) else [plain], input_gradient))


def _fused(rest: list[Module], input_gradient: bool) -> list[Module]:
    layers: list[Module] = []
    while rest:
        length = 1
        match rest[:3]:
            case [Conv2d(stride=(1, 1), dilation=(1, 1)) as conv, BatchNorm2d() as bn, ReLU() as relu] if (
                _is(conv, Conv2d) and _is(bn, BatchNorm2d) and _is(relu, ReLU)
            ):
                pool = len(rest) > 3 and _halves(rest[3])
                layers.append(ConvBlock(conv, bn, input_gradient or bool(layers), pool))
                length = 3 + pool
            case [Residual() as residual, *_] if _is(residual, Residual):
                layers.append(Residual(*_fused(residual.path(), True)))
            case _:
                layers.append(rest[0])
        rest = rest[length:]
    return layers


def _is(layer: Module, kind: type[Module]) -> bool:
    """Whether it is of this very class, with none of its methods replaced on the object."""
    return type(layer) is kind and not any(callable(getattr(kind, name, None)) for name in vars(layer))


def _walks(net: Module) -> TypeGuard[Chain]:
    """Whether it computes what its path says and nothing else."""
    methods = ("forward", "backward", "__call__")
    own = any(getattr(type(net), name) is not getattr(Chain, name) or name in vars(net) for name in methods)
    return isinstance(net, Chain) and not own


def _halves(layer: Module) -> bool:
    """Whether it is a pool of 2 x 2 that the block is made for."""
    if not (isinstance(layer, MaxPool2d) and _is(layer, MaxPool2d)):
        return False
    plain = pair(layer.padding, "padding", 0) == (0, 0) and pair(layer.dilation, "dilation") == (1, 1)
    return plain and _two(layer.kernel_size) and _two(layer.stride) and not layer.ceil_mode


def _two(value: int | tuple[int, int]) -> bool:
    return pair(value, "MaxPool2d") == (2, 2)
