"""What PyTorch's optimizers remember, in numpynet's names and back."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

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

    ValueError, with nothing changed, where it is of other parameters.
    """
    parameters = _parameters(optimizer)
    loaded: dict[Tensor, dict[str, Tensor]] = {}
    for key, array in state.items():
        name, _, index = key.rpartition(".")
        if not index.isdecimal() or int(index) >= len(parameters):
            raise ValueError(f"load_optimizer_state: {key} belongs to no parameter of this optimizer")
        parameter = parameters[int(index)]
        expected = () if name == "step" else tuple(parameter.shape)
        if array.shape != expected:
            raise ValueError(f"load_optimizer_state: {key} must have shape {expected}, got {array.shape}")
        dtype = torch.float32 if name == "step" else parameter.dtype
        loaded.setdefault(parameter, {})[name] = torch.tensor(array, dtype=dtype)
    optimizer.state.clear()
    optimizer.state.update(loaded)


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
