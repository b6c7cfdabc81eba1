"""What happens inside a network: a forward and a backward pass that keep what every layer took and gave.

The walk does what `net.forward` and `net.backward` do, layer by layer, into Residual and into chains inside chains.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as filled
from functools import cached_property

import numpy as np

from numpynet import receptive_field
from numpynet.layers import Conv2d, Linear
from numpynet.module import Chain, Module, Residual, Sequential
from numpynet.parameter import Parameter
from numpynet.receptive_field import Field
from numpynet.typing import AnyArray, Array, Cache, Pair


@dataclass
class Row:
    """One layer's part in a pass. The row of a Residual stands for its sum; `inside` holds the rows of its body.

    name: the layer's first key in the state dict, such as "conv1"; "" if it has none, as a ReLU in a route.
    depth: the number of Residuals around it. x and out: what it took and gave. cache_bytes: `memory` says what counts.
    dout and dx: the gradient that arrived, and the one that it passed on; None before `Record.backward`.
    """

    name: str
    layer: Module
    depth: int
    x: Array
    out: Array
    cache: Cache
    cache_bytes: int
    field: Field
    inside: list[Row] = filled(default_factory=list)
    dout: Array | None = None
    dx: Array | None = None

    @property
    def label(self) -> str:
        """The name and the class: "conv1: Conv2d", or the class alone."""
        kind = type(self.layer).__name__
        return f"{self.name}: {kind}" if self.name else kind

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The layer's parameters by their keys in the state dict; after `Record.backward` their `grad` is set."""
        if self.inside:
            return {}
        return dict(self.layer.named_parameters(f"{self.name}." if self.name else ""))

    @property
    def flops(self) -> int:
        """Floating-point operations of the products in the forward pass: 2 per multiply-add.

        Only convolutions and linear layers count, and of these only the products, not the bias: the convention of
        torch.utils.flop_counter.FlopCounterMode. The backward pass takes twice as many.
        """
        if isinstance(self.layer, Conv2d | Linear):
            return 2 * self.out.size * self.layer.weight.data[0].size
        return 0

    @property
    def receptive_field(self) -> Pair | str:
        """Height and width of the part of the picture that one number of `out` sees; "all", or "?" if unknown."""
        return receptive_field.size(self.field, self.out.shape)

    @property
    def jump(self) -> tuple[float, float]:
        """Pixels of the picture between neighbouring numbers of `out`, down and across; NaN if it has no such grid."""
        return receptive_field.jump(self.field)


class Record:
    """The record of one forward pass and, after `backward`, of the backward pass through the same caches."""

    def __init__(self, net: Module, x: Array) -> None:
        """Run `net` forward on x. ValueError if x does not fit; the message names the layer."""
        self.net = net
        self.x = x
        self._names: dict[int, str] = {}
        for name, module in net.named_modules():
            self._names.setdefault(id(module), name.rstrip("."))
        self._seen = {id(_owner(array)) for array in net.state_dict().values()}
        self.tree: list[Row] = []
        self.out, self.field = self._forward(net, x, receptive_field.of_picture(x.shape), 0, self.tree)

    @cached_property
    def rows(self) -> list[Row]:
        """Every layer in the order of the forward pass; a Residual comes after its body."""
        return list(_flat(self.tree))

    def backward(self, dout: Array) -> Array:
        """Run backward from dout = dL/dout; fills `dout` and `dx` of every row. Returns dL/dx.

        As `net.backward`, it adds to the gradients of the parameters.
        """
        return _backward(self.tree, dout)

    def _forward(self, layer: Module, x: Array, seen: Field, depth: int, rows: list[Row]) -> tuple[Array, Field]:
        """Run one layer on x, whose field is `seen`, and append its rows. Returns the output and its field."""
        name = self._names.get(id(layer), "")
        if isinstance(layer, Residual):
            inside: list[Row] = []
            body, body_field = x, seen
            for one in layer.path():
                body, body_field = self._forward(one, body, body_field, depth + 1, inside)
            out, reach = layer.add(x, body), receptive_field.joined(seen, body_field)
            rows.append(Row(name, layer, depth, x, out, None, 0, reach, inside))
        elif isinstance(layer, Chain) and type(layer).forward is Chain.forward:
            out, reach = x, seen
            for one in layer.path():
                out, reach = self._forward(one, out, reach, depth, rows)
        else:
            out, cache = Sequential(layer).forward(x)  # its errors name the layer
            reach = receptive_field.through(seen, layer)
            rows.append(Row(name, layer, depth, x, out, cache[0], memory(cache, self._seen), reach))
        return out, reach


def memory(cache: Cache, seen: set[int]) -> int:
    """Bytes of the arrays that a cache keeps alive, without those in `seen`, to which its arrays are added.

    A view counts as the whole array that it shows. So an array that several caches hold counts once.
    """
    if isinstance(cache, tuple | list):
        return sum(memory(part, seen) for part in cache)
    if not isinstance(cache, np.ndarray) or id(_owner(cache)) in seen:
        return 0
    seen.add(id(_owner(cache)))
    return _owner(cache).nbytes


def _owner(array: AnyArray) -> AnyArray:
    """The array whose memory a view shows."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _backward(rows: list[Row], dout: Array) -> Array:
    for row in reversed(rows):
        row.dout = dout
        # The sum is that of Residual.backward.
        row.dx = dout + _backward(row.inside, dout) if row.inside else row.layer.backward(dout, row.cache)
        dout = row.dx
    return dout


def _flat(rows: list[Row]) -> Iterator[Row]:
    for row in rows:
        yield from _flat(row.inside)
        yield row
