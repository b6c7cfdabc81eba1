"""Module, Chain, Sequential and Residual: what layers and networks have in common."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Self

import numpy as np
from numpy.typing import DTypeLike

from numpynet.dispatch import F
from numpynet.parameter import Parameter
from numpynet.states import checked_arrays
from numpynet.typing import AnyArray, Array, Cache


class Module(abc.ABC):
    """A layer or a network. `net(x)` gives the output alone; `net.forward(x)` gives the pair (output, cache).

    Its attributes are its parts: a Parameter is learned, a Module is a child, and the arrays named in `buffer_names`
    (running statistics) are saved but not learned. The keys of the state dict are the names of the attributes, joined
    by dots. Names and methods are those of torch.nn.Module, but for `forward` and `backward`: there, autograd keeps
    the caches.
    """

    buffer_names: tuple[str, ...] = ()
    training = True

    @abc.abstractmethod
    def forward(self, x: Array) -> tuple[Array, Cache]:
        """The output, and the cache that `backward` needs. ValueError if x does not fit."""

    @abc.abstractmethod
    def backward(self, dout: Array, cache: Cache) -> Array:
        """dL/dx for dout = dL/dout. Adds dL/dparameter to the `grad` of every parameter."""

    def __call__(self, x: Array) -> Array:
        """The output alone."""
        return self.forward(x)[0]

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Names and modules of the children, in the order in which they were set."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value

    def children(self) -> Iterator[Module]:
        """The children, in the order in which they were set; one with several names comes once."""
        yield from {id(child): child for _, child in self.named_children()}.values()

    def modules(self) -> Iterator[Module]:
        """This module and every module inside it; one with several names comes once."""
        yield from {id(module): module for _, module in self.named_modules()}.values()

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and every module inside it, each under all of its names, which begin its keys in the state dict.

        Such a name ends with a dot; this module's own is `prefix`.
        """
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(f"{prefix}{name}.")

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """Each Parameter once, under its first key in the state dict."""
        seen = set()
        for path, module in self.named_modules(prefix):
            for name, value in vars(module).items():
                if isinstance(value, Parameter) and id(value) not in seen:
                    seen.add(id(value))
                    yield path + name, value

    def parameters(self) -> list[Parameter]:
        """Each Parameter once, in the order of the state dict."""
        return [parameter for _, parameter in self.named_parameters()]

    def zero_grad(self) -> None:
        """Forget every gradient."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def train(self, mode: bool = True) -> Self:
        """Switch to training (`mode` True) or evaluation. Returns the module."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch to evaluation: batch norm uses its running statistics, dropout does nothing. Returns the module.

        A forward pass then changes nothing in the module, so several threads may call it at once.
        """
        return self.train(False)

    def astype(self, dtype: DTypeLike) -> Self:
        """Convert parameters and floating-point buffers to `dtype`, and forget gradients. Returns the module."""
        for module in self.modules():
            for name, value in list(vars(module).items()):
                if isinstance(value, Parameter):
                    value.zero_grad()
                    value.data = value.data.astype(dtype, order="C", copy=False)
                elif name in module.buffer_names and value is not None and value.dtype.kind == "f":
                    setattr(module, name, value.astype(dtype, copy=False))
        return self

    def state_dict(self, prefix: str = "") -> dict[str, AnyArray]:
        """Parameters and buffers under PyTorch's keys, in PyTorch's order: the arrays themselves, not copies.

        A module with several names has its arrays under several keys, as in PyTorch.
        """
        state = {prefix + name: value.data for name, value in vars(self).items() if isinstance(value, Parameter)}
        for name in self.buffer_names:
            if getattr(self, name) is not None:
                state[prefix + name] = getattr(self, name)
        for name, child in self.named_children():
            state |= child.state_dict(f"{prefix}{name}.")
        return state

    def load_state_dict(self, state: Mapping[str, AnyArray], strict: bool = True) -> None:
        """Copy the arrays of `state` into parameters and buffers, which keep their dtypes.

        ValueError, with nothing changed, if a shape or kind of number differs or, if `strict`, a key is missing
        or unknown.
        """
        own = self.state_dict()
        for key, array in self.checked(state, strict).items():
            np.copyto(own[key], array, casting="same_kind")

    def checked(self, state: Mapping[str, AnyArray], strict: bool = True) -> dict[str, AnyArray]:
        """The arrays that `load_state_dict` would copy, by key. ValueError as there."""
        return checked_arrays(self.state_dict(), state, strict)

    def _get_name(self) -> str:
        """The name in the printed form."""
        return type(self).__name__

    def extra_repr(self) -> str:
        """The arguments in the printed form, between its parentheses."""
        return ""

    def __repr__(self) -> str:
        lines = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in self.named_children()]
        if not lines:
            return f"{self._get_name()}({self.extra_repr()})"
        return "\n  ".join([f"{self._get_name()}(", *lines]) + "\n)"


class Chain(Module):
    """A network whose layers follow each other: the output of each is the input of the next."""

    @abc.abstractmethod
    def path(self) -> list[Module]:
        """The layers in the order in which x passes them; one layer may stand there several times."""

    def forward(self, x: Array) -> tuple[Array, list[Cache]]:
        """The output, and the layers' caches in the order of `path()`. A ValueError names the layer that failed."""
        caches = []
        for layer in self.path():
            with _named_in_errors(layer):
                x, cache = layer.forward(x)
            caches.append(cache)
        return x, caches

    def backward(self, dout: Array, cache: list[Cache]) -> Array:
        """The chain rule: each layer's dx is the dout of the layer before it. TypeError if `cache` is another's."""
        path = self.path()
        if not isinstance(cache, list) or len(cache) != len(path):
            raise TypeError(f"{type(self).__name__}: cache must be what forward gave with its output")
        for layer, layer_cache in zip(reversed(path), reversed(cache), strict=True):
            dout = layer.backward(dout, layer_cache)
        return dout

    def __call__(self, x: Array) -> Array:
        """The output alone. Each layer's cache is dropped at once, which saves memory."""
        for layer in self.path():
            with _named_in_errors(layer):
                x = layer(x)
        return x


@contextmanager
def _named_in_errors(layer: Module) -> Iterator[None]:
    """Puts the layer's printed form before the message of a ValueError; a Chain has done so for its own layers."""
    try:
        yield
    except ValueError as error:
        if type(error) is ValueError and not isinstance(layer, Chain):
            error.args = (f"{' '.join(repr(layer).split())}: {error}",)  # on one line
        raise


class Sequential(Chain):
    """Layers one after the other, named "0", "1", ... (torch.nn.Sequential)."""

    def __init__(self, *layers: Module) -> None:
        """TypeError if one is no layer, such as a list of layers or a layer's class."""
        for i, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise TypeError(f"{type(self).__name__}: layer {i} must be a Module, got {layer!r:.80}")
            setattr(self, str(i), layer)

    def path(self) -> list[Module]:
        return [layer for _, layer in self.named_children()]


class Residual(Sequential):
    """x + body(x), with the layers one after the other as the body (He et al. 2016). Both must have the same shape."""

    def forward(self, x: Array) -> tuple[Array, list[Cache]]:
        out, caches = super().forward(x)
        return self.add(x, out), caches

    def backward(self, dout: Array, cache: list[Cache]) -> Array:
        """x reaches the output along two paths, so its gradient is the sum of two."""
        return F.add(dout, super().backward(dout, cache))

    def __call__(self, x: Array) -> Array:
        return self.add(x, super().__call__(x))

    def add(self, x: Array, out: Array) -> Array:
        """x plus the body's output. ValueError if the shapes differ."""
        if out.shape != x.shape:
            raise ValueError(f"Residual: the body must keep x's shape {x.shape}, made {out.shape} of it")
        return F.add(x, out)
