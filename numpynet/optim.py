"""Optimizers: they read the gradients and move the parameters."""

import abc
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from numpynet.buffers import lasting
from numpynet.checks import alike, number
from numpynet.dispatch import F
from numpynet.factors import Factors
from numpynet.functional import adam, sgd
from numpynet.lines import in_line
from numpynet.parameter import Parameter
from numpynet.states import checked_state
from numpynet.typing import AnyArray, Array


class Optimizer(abc.ABC):
    """Holds parameters and, by parameter, the arrays that its rule remembers."""

    def __init__(self, params: Iterable[Parameter], lr: float) -> None:
        self.params = _distinct(params, type(self).__name__)
        self.lr = lr
        self.state: list[dict[str, AnyArray]] = [{} for _ in self.params]

    @property
    def lr(self) -> float:
        """The learning rate of the next step. ValueError where it is set to what is none."""
        return self._lr

    @lr.setter
    def lr(self, lr: float) -> None:
        self._lr = number(lr, f"{type(self).__name__}: lr", least=0)

    @property
    @abc.abstractmethod
    def names(self) -> tuple[str, ...]:
        """What the rule remembers of each parameter that it has moved."""

    @abc.abstractmethod
    def update(self, param: Array, grad: Array, state: dict[str, AnyArray]) -> None:
        """Move one parameter in place, and its state."""

    def update_factored(self, param: Array, factors: Factors, state: dict[str, AnyArray]) -> None:
        """The same for a gradient kept as its factors; here they are multiplied out."""
        self.update(param, factors.product(), state)

    def step(self) -> None:
        """Move every parameter that has a gradient. ValueError, with none moved, where one cannot be."""
        for i, parameter in enumerate(self.params):
            if parameter.has_grad:
                self._check(i, parameter.data)
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
        """Take over copies of a `state_dict`, in the parameters' dtypes.

        ValueError, with nothing changed, where it is of other parameters or of another rule.
        """
        self.state = self.checked(state)

    def checked(self, state: Mapping[str, AnyArray]) -> list[dict[str, AnyArray]]:
        """These copies, parameter by parameter, which are not taken over yet. ValueError as in `load_state_dict`."""
        return checked_state(state, self.names, [parameter.data for parameter in self.params])

    def _check(self, i: int, data: Array) -> None:
        """ValueError where parameter i cannot be moved: other data may stand there than at the step before."""
        if not data.flags.writeable:
            raise ValueError(f"{type(self).__name__}: parameter {i} is read-only; give it a copy of its data")
        for array in self.state[i].values():
            if array.ndim and not (array.shape == data.shape and alike(array.dtype, data.dtype)):
                raise ValueError(
                    f"{type(self).__name__}: parameter {i} was {array.dtype} {array.shape} at the step before and is "
                    f"{data.dtype} {data.shape}; make a new optimizer"
                )


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
        adam.check_rule(type(self).__name__, lr, betas, eps, weight_decay)
        self.betas = betas
        self.eps = eps
        self.weight_decay = weight_decay

    @property
    def names(self) -> tuple[str, ...]:
        return ("step", "exp_avg", "exp_avg_sq")

    def update(self, param: Array, grad: Array, state: dict[str, AnyArray]) -> None:
        exp_avg, exp_avg_sq, rule = self._next(param, state)
        with in_line(param) as line:
            arrays = [line, *(a.reshape(-1) for a in (grad, exp_avg, exp_avg_sq))]
            for block in _blocks(param.size, F.ADAM_BLOCK):
                param_, grad_, exp_avg_, exp_avg_sq_ = (a[block] for a in arrays)
                F.adam_update(param_, grad_, exp_avg_, exp_avg_sq_, *rule)

    def update_factored(self, param: Array, factors: Factors, state: dict[str, AnyArray]) -> None:
        exp_avg, exp_avg_sq, rule = self._next(param, state)
        F.adam_update_factored(param, factors, exp_avg, exp_avg_sq, *rule)

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
    """The parameters as a list; ValueError where there is none, one stands there twice, or one is something else."""
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


def _blocks(size: int, block: int) -> Iterator[slice]:
    for start in range(0, size, block):
        yield slice(start, start + block)
