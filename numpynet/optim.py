"""Optimizers: they read the gradients and move the parameters."""

import abc
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from numpynet.buffers import lasting
from numpynet.dispatch import ops
from numpynet.factors import Factors
from numpynet.parameter import Parameter
from numpynet.typing import AnyArray, Array


class Optimizer(abc.ABC):
    """Holds parameters and, by parameter, the arrays that its rule remembers."""

    def __init__(self, params: Iterable[Parameter], lr: float) -> None:
        self.params = list(params)
        if not self.params:
            raise ValueError(f"{type(self).__name__}: no parameters given")
        if lr < 0:
            raise ValueError(f"{type(self).__name__}: lr must not be negative, got {lr}")
        self.lr = lr
        self.state: list[dict[str, AnyArray]] = [{} for _ in self.params]

    @abc.abstractmethod
    def update(self, param: Array, grad: Array, state: dict[str, AnyArray]) -> None:
        """Move one parameter in place, and its state."""

    def update_factored(self, param: Array, factors: Factors, state: dict[str, AnyArray]) -> None:
        """The same for a gradient kept as its factors; here they are multiplied out."""
        self.update(param, factors.product(), state)

    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for parameter, state in zip(self.params, self.state, strict=True):
            if parameter.factors is not None:
                self.update_factored(parameter.data, parameter.factors, state)
            elif parameter.grad is not None:
                self.update(parameter.data, parameter.grad, state)

    def zero_grad(self) -> None:
        """Forget every gradient."""
        for parameter in self.params:
            parameter.zero_grad()

    def state_dict(self) -> dict[str, AnyArray]:
        """What the rule remembers, as "name.i" for the i-th parameter: the arrays themselves, not copies."""
        return {f"{name}.{i}": array for i, state in enumerate(self.state) for name, array in state.items()}

    def load_state_dict(self, state: Mapping[str, AnyArray]) -> None:
        """Take over copies of a `state_dict`. ValueError, with nothing changed, where it is of other parameters."""
        loaded: list[dict[str, AnyArray]] = [{} for _ in self.params]
        for key, array in state.items():
            name, _, index = key.rpartition(".")
            if not index.isdecimal() or int(index) >= len(self.params):
                raise ValueError(f"load_state_dict: {key} belongs to no parameter of this optimizer")
            if array.ndim and array.shape != self.params[int(index)].data.shape:
                expected = self.params[int(index)].data.shape
                raise ValueError(f"load_state_dict: {key} must have shape {expected}, got {array.shape}")
            loaded[int(index)][name] = array.copy()
        self.state = loaded


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015) as torch.optim.Adam has it; the rule stands in `functional.adam_update`."""

    decoupled = False

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr)
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"{type(self).__name__}: betas must lie in 0 .. 1 (1 excluded), got {betas}")
        self.betas = betas
        self.eps = eps
        self.weight_decay = weight_decay

    def update(self, param: Array, grad: Array, state: dict[str, AnyArray]) -> None:
        exp_avg, exp_avg_sq, rule = self._next(param, state)
        arrays = [a.reshape(-1) for a in (param, grad, exp_avg, exp_avg_sq)]
        for block in _blocks(param.size, ops().ADAM_BLOCK):
            ops().adam_update(*(a[block] for a in arrays), *rule)

    def update_factored(self, param: Array, factors: Factors, state: dict[str, AnyArray]) -> None:
        exp_avg, exp_avg_sq, rule = self._next(param, state)
        ops().adam_update_factored(param, factors, exp_avg, exp_avg_sq, *rule)

    def _next(self, param: Array, state: dict[str, AnyArray]) -> tuple[AnyArray, AnyArray, tuple[Any, ...]]:
        """Count the step; the moments, which begin at zero, and the arguments that the update rule ends with."""
        if not state:
            state |= {"step": np.zeros((), np.int64)}
            state |= {name: lasting(param.shape, param.dtype) for name in ("exp_avg", "exp_avg_sq")}
            state["exp_avg"][...] = state["exp_avg_sq"][...] = 0
        state["step"] += 1
        rule = (int(state["step"]), self.lr, self.betas, self.eps, self.weight_decay, self.decoupled)
        return state["exp_avg"], state["exp_avg_sq"], rule


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019), as torch.optim.AdamW.

    Each step first shortens the weights by lr * weight_decay of their length. In Adam the decay is part of the gradient
    and divided by its size: weights with large gradients hardly decay there.
    """

    decoupled = True

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)


class SGD(Optimizer):
    """Stochastic gradient descent with momentum as torch.optim.SGD has it; the rule is `functional.sgd_update`."""

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(params, lr)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("SGD: nesterov needs a momentum above 0 and no dampening")
        self.momentum = momentum
        self.dampening = dampening
        self.weight_decay = weight_decay
        self.nesterov = nesterov

    def update(self, param: Array, grad: Array, state: dict[str, AnyArray]) -> None:
        velocity = ops().sgd_update(
            param,
            grad,
            state.get("momentum_buffer"),
            self.lr,
            self.momentum,
            self.dampening,
            self.weight_decay,
            self.nesterov,
        )
        if velocity is not None:
            state["momentum_buffer"] = velocity


def _blocks(size: int, block: int) -> Iterator[slice]:
    for start in range(0, size, block):
        yield slice(start, start + block)
