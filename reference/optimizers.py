"""The state of PyTorch's optimizers under numpynet's names, and back."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from numpynet.states import checked_state
from numpynet.typing import AnyArray


def optimizer_state(optimizer: Optimizer) -> dict[str, AnyArray]:
    """The optimizer's state, named as in numpynet's `state_dict`: "exp_avg.3" belongs to parameter 3.

    The arrays share the optimizer's memory, except the step counts (float32 in PyTorch, int64 in numpynet). numpynet's
    Adam, AdamW and SGD load such a state, and this module loads theirs.
    """
    return {
        f"{name}.{i}": value.numpy().astype(np.int64) if name == "step" else value.numpy()
        for i, parameter in enumerate(_parameters(optimizer))
        for name, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def load_optimizer_state(optimizer: Optimizer, state: Mapping[str, AnyArray]) -> None:
    """Load copies of an `optimizer_state`, PyTorch's or numpynet's.

    ValueError, with nothing changed, if it belongs to other parameters or to another rule.
    """
    loaded = checked_optimizer_state(optimizer, state)
    optimizer.state.clear()
    for parameter, own in zip(_parameters(optimizer), loaded, strict=True):
        for name, array in own.items():
            dtype = torch.float32 if name == "step" else parameter.dtype
            optimizer.state[parameter][name] = torch.tensor(array, dtype=dtype)


def checked_optimizer_state(optimizer: Optimizer, state: Mapping[str, AnyArray]) -> list[dict[str, AnyArray]]:
    """Copies of an `optimizer_state`, one dict per parameter; ValueError if it does not fit."""
    arrays = [parameter.detach().numpy() for parameter in _parameters(optimizer)]
    return checked_state(state, names_of(optimizer), arrays)


def names_of(optimizer: Optimizer) -> tuple[str, ...]:
    """The names of the arrays that an SGD, Adam or AdamW keeps for each parameter."""
    if isinstance(optimizer, torch.optim.SGD):
        return ("momentum_buffer",) if any(group["momentum"] for group in optimizer.param_groups) else ()
    return ("step", "exp_avg", "exp_avg_sq")


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
