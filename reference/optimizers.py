"""What PyTorch's optimizers remember, in numpynet's names and back."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from numpynet.states import checked_state
from numpynet.typing import AnyArray


def optimizer_state(optimizer: Optimizer) -> dict[str, AnyArray]:
    """What the optimizer remembers, named as in numpynet's `state_dict`: "exp_avg.3" for the parameter number 3.

    Memory is shared with the optimizer but for the step counts (PyTorch: float32, numpynet: int64). What is saved
    from here loads into numpynet's Adam or SGD, and the other way round.
    """
    return {
        f"{name}.{i}": value.numpy().astype(np.int64) if name == "step" else value.numpy()
        for i, parameter in enumerate(_parameters(optimizer))
        for name, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def load_optimizer_state(optimizer: Optimizer, state: Mapping[str, AnyArray]) -> None:
    """Take over copies of an `optimizer_state`, PyTorch's or numpynet's.

    ValueError, with nothing changed, where it is of other parameters or of another rule.
    """
    loaded = checked_optimizer_state(optimizer, state)
    optimizer.state.clear()
    for parameter, own in zip(_parameters(optimizer), loaded, strict=True):
        for name, array in own.items():
            dtype = torch.float32 if name == "step" else parameter.dtype
            optimizer.state[parameter][name] = torch.tensor(array, dtype=dtype)


def checked_optimizer_state(optimizer: Optimizer, state: Mapping[str, AnyArray]) -> list[dict[str, AnyArray]]:
    """Copies of an `optimizer_state` by parameter; ValueError where it does not fit."""
    arrays = [parameter.detach().numpy() for parameter in _parameters(optimizer)]
    return checked_state(state, names_of(optimizer), arrays)


def names_of(optimizer: Optimizer) -> tuple[str, ...]:
    """What the rule of an SGD, Adam or AdamW remembers of each parameter."""
    if isinstance(optimizer, torch.optim.SGD):
        return ("momentum_buffer",) if any(group["momentum"] for group in optimizer.param_groups) else ()
    return ("step", "exp_avg", "exp_avg_sq")


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
