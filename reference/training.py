"""Training as a PyTorch user writes it, behind the few methods through which the loop and checkpoints reach it.

The loop over epochs is `numpynet.training.fit`: it knows nothing of either side but `train_step` and `train`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from numpynet.typing import AnyArray, Array
from reference.models import Net, as_arrays, as_tensors

Criterion = Callable[[Tensor, Tensor], Tensor]
"""Such as torch.nn.SmoothL1Loss(): outputs and targets in, the loss out."""

CRITERIA: dict[str, type[nn.Module]] = {"smooth_l1": nn.SmoothL1Loss, "mse": nn.MSELoss}


class Trainer:
    """A network, its criterion and its optimizer: the twin of `numpynet.training.Trainer`, with its methods."""

    def __init__(self, net: nn.Module, criterion: Criterion, optimizer: Optimizer) -> None:
        self.net = net
        self.criterion = criterion
        self.optimizer = optimizer

    def train_step(self, images: Array, targets: Array) -> float:
        """One step of learning: forward, loss, backward, update. Returns the loss before the update.

        images (N, 1, size, size) and targets (N, 136) are arrays in the dtype of the net's parameters.
        """
        self.optimizer.zero_grad()
        outputs = self.net(torch.from_numpy(images))
        loss = self.criterion(outputs, torch.from_numpy(targets))
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def train(self, mode: bool = True) -> None:
        """Switch the network to training (`mode` True) or evaluation."""
        self.net.train(mode)

    @torch.no_grad()
    def predict(self, images: Array) -> Array:
        """Outputs (N, 136) of images (N, 1, size, size), in whichever mode the network is."""
        outputs: Array = self.net(torch.from_numpy(images)).numpy()
        return outputs

    def weights(self) -> dict[str, AnyArray]:
        """The network's state dict as arrays, which share the network's memory."""
        return as_arrays(self.net.state_dict())

    def state(self) -> dict[str, AnyArray]:
        """Everything that training changes: weights, what the optimizer remembers, the generator of the dropout."""
        state = {f"net.{key}": array for key, array in self.weights().items()}
        state |= {f"optimizer.{key}": array for key, array in optimizer_state(self.optimizer).items()}
        return state | {"rng.torch": torch.get_rng_state().numpy()}

    def load_state(self, state: Mapping[str, AnyArray]) -> None:
        """Go on from a `state`, this twin's or numpynet's (whose random numbers PyTorch cannot continue).

        ValueError where it belongs to another network or optimizer.
        """
        try:
            self.net.load_state_dict(as_tensors(_below("net.", state), share=True))
        except RuntimeError as error:
            raise ValueError(" ".join(str(error).split())) from None
        load_optimizer_state(self.optimizer, _below("optimizer.", state))
        if "rng.torch" in state:
            torch.set_rng_state(torch.tensor(state["rng.torch"]))


def make_trainer(
    state: Mapping[str, AnyArray],
    arguments: Mapping[str, Any],
    loss: Literal["smooth_l1", "mse"],
    lr: float,
    seed: int,
) -> Trainer:
    """A Net of these constructor `arguments` with copies of the weights `state`, its loss, and Adam.

    seed: of PyTorch's global generator, from which dropout draws.
    """
    net = Net.from_state(state, arguments)
    torch.manual_seed(seed)
    return Trainer(net, CRITERIA[loss](), torch.optim.Adam(net.parameters(), lr=lr))


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


def _below(prefix: str, state: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    return {key.removeprefix(prefix): array for key, array in state.items() if key.startswith(prefix)}
