"""Module, Chain and Sequential: what every layer and network has in common."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from numpynet.parameter import Parameter
from numpynet.states import checked_arrays
from numpynet.typing import AnyArray, Array


class Module(abc.ABC):
    """A layer or a network.

    Its attributes tell what it is made of: a Parameter is learned, a Module is a part, and the arrays named in
    `buffer_names` (running statistics) are state that is saved but not learned. Keys of the state dict are the
    attributes' names, joined by dots, as in torch.nn.Module.
    """

    buffer_names: tuple[str, ...] = ()
    training = True

    @abc.abstractmethod
    def forward(self, x: Array) -> tuple[Any, Any]:
        """The output, and the cache that `backward` needs."""

    @abc.abstractmethod
    def backward(self, dout: Array, cache: Any) -> Array:
        """dL/dx for dout = dL/dout; adds dL/dparameter to the `grad` of every parameter."""

    def __call__(self, x: Array) -> Array:
        """The output alone."""
        return self.forward(x)[0]

    def children(self) -> Iterator[tuple[str, Module]]:
        """The parts, with their names, in the order in which they were set."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value

    def modules(self) -> Iterator[Module]:
        """This module and every part of it; what stands there under several names comes once."""
        yield from {id(module): module for _, module in self.named_modules()}.values()

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and every part of it, under each of its names, as a prefix of its keys in the state dict."""
        yield prefix, self
        for name, child in self.children():
            yield from child.named_modules(f"{prefix}{name}.")

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """Every Parameter once, with its first key in the state dict."""
        seen = set()
        for path, module in self.named_modules(prefix):
            for name, value in vars(module).items():
                if isinstance(value, Parameter) and id(value) not in seen:
                    seen.add(id(value))
                    yield path + name, value

    def parameters(self) -> list[Parameter]:
        """Every Parameter once, in the order of the state dict."""
        return [parameter for _, parameter in self.named_parameters()]

    def zero_grad(self) -> None:
        """Forget every gradient."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def train(self, mode: bool = True) -> Self:
        """Switch to training (`mode` True) or evaluation; returns the module."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch to evaluation: running statistics instead of the batch's, no dropout."""
        return self.train(False)

    def astype(self, dtype: DTypeLike) -> Self:
        """Turn parameters and floating-point buffers into `dtype` (gradients are forgotten); returns the module."""
        for module in self.modules():
            for name, value in list(vars(module).items()):
                if isinstance(value, Parameter):
                    value.zero_grad()
                    value.data = value.data.astype(dtype, order="C", copy=False)
                elif name in module.buffer_names and value is not None and value.dtype.kind == "f":
                    setattr(module, name, value.astype(dtype, copy=False))
        return self

    def state_dict(self, prefix: str = "") -> dict[str, AnyArray]:
        """Parameters and buffers by PyTorch's keys, in PyTorch's order: the arrays themselves, not copies.

        What stands in the network under several names has several keys, as in PyTorch.
        """
        state = {prefix + name: value.data for name, value in vars(self).items() if isinstance(value, Parameter)}
        for name in self.buffer_names:
            if getattr(self, name) is not None:
                state[prefix + name] = getattr(self, name)
        for name, child in self.children():
            state |= child.state_dict(f"{prefix}{name}.")
        return state

    def load_state_dict(self, state: Mapping[str, AnyArray], strict: bool = True) -> None:
        """Copy `state` into parameters and buffers, in the dtype these have.

        ValueError, with nothing changed, where a shape or kind of number differs or, if `strict`, a key is missing
        or unknown.
        """
        own = self.state_dict()
        for key, array in self.checked(state, strict).items():
            np.copyto(own[key], array, casting="same_kind")

    def checked(self, state: Mapping[str, AnyArray], strict: bool = True) -> dict[str, AnyArray]:
        """What `load_state_dict` would copy, by key. ValueError as there."""
        return checked_arrays(self.state_dict(), state, strict)

    def extra_repr(self) -> str:
        """What stands between the parentheses of the printed form."""
        return ""

    def __repr__(self) -> str:
        lines = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in self.children()]
        if not lines:
            return f"{type(self).__name__}({self.extra_repr()})"
        return "\n  ".join([f"{type(self).__name__}(", *lines]) + "\n)"


class Chain(Module):
    """A network whose layers follow each other in one line."""

    @abc.abstractmethod
    def path(self) -> list[Module]:
        """The layers in the order in which the data passes them; one layer may stand there several times."""

    def forward(self, x: Array) -> tuple[Array, list[Any]]:
        """The output, and the layers' caches in the order of `path()`."""
        caches = []
        for layer in self.path():
            x, cache = layer.forward(x)
            caches.append(cache)
        return x, caches

    def backward(self, dout: Array, cache: list[Any]) -> Array:
        """The chain rule: each layer's dx is the dout of the layer before it. TypeError where `cache` is another's."""
        path = self.path()
        if not isinstance(cache, list) or len(cache) != len(path):
            raise TypeError(f"{type(self).__name__}: cache must be what forward gave with its output")
        for layer, layer_cache in zip(reversed(path), reversed(cache), strict=True):
            dout = layer.backward(dout, layer_cache)
        return dout

    def __call__(self, x: Array) -> Array:
        """The output alone; each layer's cache is dropped at once, so less memory is held."""
        for layer in self.path():
            x = layer(x)
        return x


class Sequential(Chain):
    """Layers one after the other, named "0", "1", ... (torch.nn.Sequential)."""

    def __init__(self, *layers: Module) -> None:
        """TypeError where one is no layer: a list of them, or a layer's class."""
        for i, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise TypeError(f"{type(self).__name__}: layer {i} must be a Module, got {layer!r:.80}")
            setattr(self, str(i), layer)

    def path(self) -> list[Module]:
        return [layer for _, layer in self.children()]


class Residual(Sequential):
    """x + body(x), the body being its layers one after the other (He et al. 2016). The shapes of the two must agree."""

    def forward(self, x: Array) -> tuple[Array, list[Any]]:
        out, caches = super().forward(x)
        return self._add(x, out), caches

    def backward(self, dout: Array, cache: list[Any]) -> Array:
        """x reaches the output on two ways, and its gradient is the sum of both."""
        return dout + super().backward(dout, cache)

    def __call__(self, x: Array) -> Array:
        return self._add(x, super().__call__(x))

    def _add(self, x: Array, out: Array) -> Array:
        if out.shape != x.shape:
            raise ValueError(f"Residual: the body must keep x's shape {x.shape}, made {out.shape} of it")
        return x + out
