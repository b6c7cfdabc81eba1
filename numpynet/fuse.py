"""fuse(net): the same network in fewer, larger operations."""

from collections.abc import Iterator
from typing import TypeGuard

import numpy as np

from numpynet.dispatch import F
from numpynet.functional.conv_block import fold_batch_norm, max_pool_2x2
from numpynet.layers import BatchNorm2d, Conv2d, MaxPool2d, ReLU
from numpynet.module import Chain, Module, Residual
from numpynet.typing import AnyArray, Array, Cache


class ConvBlock(Module):
    """`conv`, `bn`, ReLU and a 2 x 2 max pool in one, x (N, C, H, W) -> (N, F, OH // 2, OW // 2). `fuse` makes them.

    It owns no parameters: they stay in the two layers that it is made of.

    pool: if False, there is no pool, and the output is (N, F, OH, OW).

    input_gradient: if False, `backward` does not compute dx and returns None; for the first layer of a network.

    ValueError if the convolution has a stride or a dilation, or if the batch norm has another number of channels.
    """

    def __init__(self, conv: Conv2d, bn: BatchNorm2d, input_gradient: bool = True, pool: bool = True) -> None:
        if conv.stride != (1, 1) or conv.dilation != (1, 1) or conv.out_channels != bn.num_features:
            raise ValueError(f"ConvBlock: {conv} and {bn} cannot be fused")
        self.conv = conv
        self.bn = bn
        self.input_gradient = input_gradient
        self.pool = pool

    def forward(self, x: Array) -> tuple[Array, Cache]:
        mean, var = (None, None) if self.bn.uses_batch() else (self.bn.running_mean, self.bn.running_var)
        arrays = *self._conv_arrays(), *self._bn_arrays(), mean, var
        out, cache = F.conv_block(x, *arrays, padding=self.conv.padding, eps=self.bn.eps, pool=self.pool)
        if self.bn.training:
            self.bn.update_running_stats(cache.statistics)
        return out, cache

    def backward(self, dout: Array, cache: Cache) -> Array:
        gradients = F.conv_block_backward(dout, cache, self.input_gradient)
        self.conv.weight.add_grad(gradients.dweight)
        if self.conv.bias is not None and gradients.dbias is not None:
            self.conv.bias.add_grad(gradients.dbias)
        if self.bn.weight is not None and self.bn.bias is not None:
            self.bn.weight.add_grad(gradients.dscale)
            self.bn.bias.add_grad(gradients.dshift)
        return gradients.dx  # type: ignore[return-value]  # None only for the first layer, whose dx nobody reads

    def __call__(self, x: Array) -> Array:
        """The output alone. In evaluation batch norm is linear, and is folded into the filters."""
        mean, var = self.bn.running_mean, self.bn.running_var
        if self.bn.uses_batch() or mean is None or var is None:
            return self.forward(x)[0]
        weight, bias = fold_batch_norm(*self._conv_arrays(), *self._bn_arrays(), mean, var, self.bn.eps)
        if self.pool:  # the bias is added after the pool, to a quarter as many numbers
            out = max_pool_2x2(F.conv2d(x, weight, padding=self.conv.padding)[0])
            out += bias[:, None, None]  # (F, 1, 1)
        else:
            out, _ = F.conv2d(x, weight, bias, padding=self.conv.padding)
        return np.maximum(out, 0, out=out)

    def _conv_arrays(self) -> tuple[Array, Array | None]:
        return self.conv.weight.data, None if self.conv.bias is None else self.conv.bias.data

    def _bn_arrays(self) -> tuple[Array | None, Array | None]:
        if self.bn.weight is None or self.bn.bias is None:
            return None, None
        return self.bn.weight.data, self.bn.bias.data


class Fused(Chain):
    """A network, and the larger layers that compute it. Parameters, state and names are those of the plain network."""

    def __init__(self, plain: Module, layers: list[Module]) -> None:
        self.plain = plain
        self.layers = layers

    def path(self) -> list[Module]:
        return self.layers

    @property
    def training(self) -> bool:
        """Whether the plain network trains."""
        return self.plain.training

    @training.setter
    def training(self, mode: bool) -> None:
        self.plain.training = mode

    def named_children(self) -> Iterator[tuple[str, Module]]:
        yield from self.plain.named_children()

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        yield prefix, self
        yield from self.plain.named_modules(prefix)

    def state_dict(self, prefix: str = "") -> dict[str, AnyArray]:
        return self.plain.state_dict(prefix)

    def __repr__(self) -> str:
        return repr(self.plain)


def fuse(net: Module, input_gradient: bool = True) -> Fused:
    """The same network, with each convolution, batch norm and ReLU in a row made one ConvBlock; inside Residuals, too.

    A 2 x 2 max pool that follows becomes part of the block. The fused network computes the same to within rounding,
    and faster under `numpynet.use("fast")`. It shares with `net` all parameters, the running statistics, and whether
    it trains or evaluates: train one, and the other has learned.

    Left as they are: layers of a subclass, which may compute something else, and a whole network that does more than
    walk its `path()`. The path is asked for once: change `net` first, then fuse it. A fused network is fused anew.

    input_gradient: if False, and the first layers are fused, `backward` returns None instead of dL/dx of the images,
    which training does not need.

    TypeError if `net` is no Module.
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
    """Whether the layer is of this very class, with none of its methods replaced on the object."""
    return type(layer) is kind and not any(callable(getattr(kind, name, None)) for name in vars(layer))


def _walks(net: Module) -> TypeGuard[Chain]:
    """Whether the network computes its path and nothing else."""
    methods = ("forward", "backward", "__call__")
    own = any(getattr(type(net), name) is not getattr(Chain, name) or name in vars(net) for name in methods)
    return isinstance(net, Chain) and not own


def _halves(layer: Module) -> bool:
    """Whether the layer is the 2 x 2 pool that a ConvBlock can take in."""
    if not (isinstance(layer, MaxPool2d) and _is(layer, MaxPool2d)) or layer.ceil_mode:
        return False
    sizes = layer.kernel_size, layer.stride, layer.padding, layer.dilation
    return sizes == ((2, 2), (2, 2), (0, 0), (1, 1))
