"""Optimizers: they read the gradients and update the parameters."""

import abc
from collections.abc import Iterable, Mapping

import numpy as np

from numpynet.checks import alike, number
from numpynet.dispatch import F
from numpynet.functional import adam, sgd
from numpynet.parameter import Parameter
from numpynet.states import checked_state
from numpynet.typing import AnyArray, Array


class Optimizer(abc.ABC):
    """Holds parameters and, for each of them, the arrays that its rule remembers from step to step."""

    def __init__(self, params: Iterable[Parameter], lr: float) -> None:
        self.params = _distinct(params, type(self).__name__)
        self.lr = lr
        self.state: list[dict[str, AnyArray]] = [{} for _ in self.params]

    @property
    def lr(self) -> float:
        """The learning rate of the next step. ValueError if it is set to a negative number or to no number."""
        return self._lr

    @lr.setter
    def lr(self, lr: float) -> None:
        self._lr = number(lr, f"{type(self).__name__}: lr", least=0)

    @property
    @abc.abstractmethod
    def names(self) -> tuple[str, ...]:
        """The names of the arrays that the rule remembers for each parameter that it has updated."""

    @abc.abstractmethod
    def update(self, param: Array, grad: Array, state: dict[str, AnyArray]) -> None:
        """Update one parameter and its state, both in place."""

    def step(self) -> None:
        """Update every parameter that has a gradient. ValueError, with none updated, if one cannot be."""
        for i, parameter in enumerate(self.params):
            if parameter.grad is not None:
                self._check(i, parameter.data)
        for parameter, state in zip(self.params, self.state, strict=True):
            if parameter.grad is not None:
                self.update(parameter.data, parameter.grad, state)

    def zero_grad(self) -> None:
        """Forget every gradient."""
        for parameter in self.params:
            parameter.zero_grad()

    def state_dict(self) -> dict[str, AnyArray]:
        """What the rule remembers, with the key "name.i" for parameter i: the arrays themselves, not copies."""
        return {f"{name}.{i}": array for i, state in enumerate(self.state) for name, array in state.items()}

    def load_state_dict(self, state: Mapping[str, AnyArray]) -> None:
        """Go on from copies of a `state_dict`, in the parameters' dtypes.

        ValueError, with nothing changed, if it belongs to other parameters or to another rule.
        """
        self.state = self.checked(state)

    def checked(self, state: Mapping[str, AnyArray]) -> list[dict[str, AnyArray]]:
        """The copies that `load_state_dict` would use, one dict per parameter. ValueError as there."""
        return checked_state(state, self.names, [parameter.data for parameter in self.params])

    def _check(self, i: int, data: Array) -> None:
        """ValueError if parameter i cannot be updated: it may have got other data since the step before."""
        if not data.flags.writeable:
            raise ValueError(f"{type(self).__name__}: parameter {i} is read-only; give it a copy of its data")
        for array in self.state[i].values():
            if array.ndim and not (array.shape == data.shape and alike(array.dtype, data.dtype)):
                raise ValueError(
                    f"{type(self).__name__}: parameter {i} was {array.dtype} {array.shape} at the step before and is "
                    f"{data.dtype} {data.shape}; make a new optimizer"
                )


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015), as torch.optim.Adam; the rule is `functional.adam_update`."""

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
        adam.check_rule(type(self).__name__, lr, betas, eps, weight_decay)
        self.betas = betas
        self.eps = eps
        self.weight_decay = weight_decay

    @property
    def names(self) -> tuple[str, ...]:
        return ("step", "exp_avg", "exp_avg_sq")

    def update(self, param: Array, grad: Array, state: dict[str, AnyArray]) -> None:
        if not state:
            state["step"] = np.zeros((), np.int64)
            state["exp_avg"] = F.zeros(param.shape, param.dtype)
            state["exp_avg_sq"] = F.zeros(param.shape, param.dtype)
        state["step"] += 1
        F.adam_update(
            param,
            grad,
            state["exp_avg"],
            state["exp_avg_sq"],
            int(state["step"]),
            self.lr,
            self.betas,
            self.eps,
            self.weight_decay,
            self.decoupled,
        )


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019), as torch.optim.AdamW.

    Each step first multiplies the weights by 1 - lr * weight_decay. In Adam the decay is part of the gradient and is
    divided by the gradient's size, so weights with large gradients hardly decay.
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
    """Stochastic gradient descent with momentum, as torch.optim.SGD; the rule is `functional.sgd_update`."""

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
        sgd.check_rule(type(self).__name__, lr, momentum, dampening, weight_decay)
        if nesterov and (momentum == 0 or dampening != 0):
            raise ValueError("SGD: nesterov needs a momentum above 0 and no dampening")
        self.momentum = momentum
        self.dampening = dampening
        self.weight_decay = weight_decay
        self.nesterov = nesterov

    @property
    def names(self) -> tuple[str, ...]:
        return ("momentum_buffer",) if self.momentum else ()

    def update(self, param: Array, grad: Array, state: dict[str, AnyArray]) -> None:
        velocity = F.sgd_update(
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


def _distinct(params: Iterable[Parameter], name: str) -> list[Parameter]:
    """The parameters as a list. ValueError if there are none, one comes twice, or one is not a Parameter."""
    if not isinstance(params, Iterable):
        raise ValueError(f"{name}: params must be parameters, such as net.parameters(), got {type(params).__name__}")
    seen: dict[int, int] = {}
    listed = list(params)
    for i, parameter in enumerate(listed):
        if not isinstance(parameter, Parameter):
            raise ValueError(f"{name}: parameter {i} must be a Parameter, got {type(parameter).__name__}")
        if seen.setdefault(id(parameter), i) != i:
            raise ValueError(f"{name}: parameter {i} is parameter {seen[id(parameter)]} again; give each once")
    if not listed:
        raise ValueError(f"{name}: no parameters given")
    return listed
