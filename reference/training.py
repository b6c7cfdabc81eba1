"""Training as a PyTorch user writes it, with the methods that the loop and checkpoints call.

The loop over epochs is `numpynet.training.fit`, which serves both sides.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from numpynet.checks import not_finite
from numpynet.schedules import Schedule
from numpynet.states import checked_arrays
from numpynet.training_state import parts_of
from numpynet.typing import AnyArray, Array
from reference.models import ARCHITECTURES, as_arrays, as_tensors
from reference.optimizers import checked_optimizer_state, load_optimizer_state, names_of, optimizer_state

Criterion = Callable[[Tensor, Tensor], Tensor]
"""Takes outputs and targets, returns the loss: torch.nn.SmoothL1Loss(), for example."""


class WingLoss(nn.Module):
    """The twin of `numpynet.WingLoss`; autograd provides the derivative."""

    def __init__(self, w: float = 0.2, eps: float = 0.05) -> None:
        super().__init__()
        self.w = w
        self.eps = eps

    def forward(self, out: Tensor, target: Tensor) -> Tensor:
        size = (out - target).abs()
        gap = self.w - self.w * math.log(1 + self.w / self.eps)
        return torch.where(size < self.w, self.w * torch.log1p(size / self.eps), size - gap).mean()


class FocalLoss(nn.Module):
    """The twin of `numpynet.FocalLoss`; autograd provides the derivative."""

    def __init__(self, reduction: str = "mean", gamma: float = 2.0) -> None:
        super().__init__()
        self.reduction = reduction
        self.gamma = gamma

    def forward(self, out: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        margin = torch.where(target == 1, out, -out)
        loss = torch.sigmoid(-margin) ** self.gamma * nn.functional.softplus(-margin)
        loss = loss if weight is None else weight * loss
        return loss.mean() if self.reduction == "mean" else loss.sum()


CRITERIA: dict[str, type[nn.Module]] = {
    "smooth_l1": nn.SmoothL1Loss,
    "mse": nn.MSELoss,
    "l1": nn.L1Loss,
    "wing": WingLoss,
}


class Trainer:
    """A network with its criterion and optimizer: the twin of `numpynet.training.Trainer`, with the same methods."""

    def __init__(
        self,
        net: nn.Module,
        criterion: Criterion,
        optimizer: Optimizer,
        schedule: Schedule | None = None,
        average: AveragedModel | None = None,
    ) -> None:
        self.net = net
        self.criterion = criterion
        self.optimizer = optimizer
        self.schedule = schedule
        self.average = average
        self.steps_done = 0

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return float(self.optimizer.param_groups[0]["lr"]) if self.schedule is None else self.schedule(self.steps_done)

    @property
    def evaluated_net(self) -> nn.Module:
        """The network to evaluate and to save: the averaged one, always in evaluation mode, or else `net` itself."""
        if self.average is None:
            return self.net
        averaged: nn.Module = self.average.module
        return averaged

    def train_step(self, images: Array, targets: Array) -> float:
        """One training step: forward, loss, backward, update. Returns the loss before the update.

        images (N, 1, size, size) and targets (N, 136) are arrays in the dtype of the net's parameters. If the loss is
        not finite, nothing is updated.
        """
        self.optimizer.zero_grad()
        outputs = self.net(torch.from_numpy(images))
        loss = self.criterion(outputs, torch.from_numpy(targets))
        if not loss.isfinite():
            return loss.item()
        loss.backward()
        if self.schedule is not None:
            for group in self.optimizer.param_groups:
                group["lr"] = self.lr
        self.optimizer.step()
        self.steps_done += 1
        if self.average is not None:
            self.average.update_parameters(self.net)
        return loss.item()

    @torch.no_grad()
    def where_not_finite(self, images: Array, targets: Array) -> str:
        """Where the NaN or infinity of this batch's loss first appears, in words: "the output of conv4"."""
        if key := not_finite({"the images": images, "the targets": targets}):
            return key
        weights = as_arrays(dict(self.net.named_parameters()))
        if spoiled := [key for key in weights if not_finite({key: weights[key]})]:
            return f"{spoiled[-1]}, which the step before has spoiled"
        found: list[str] = []

        def look(name: str, out: Tensor) -> None:
            if not out.isfinite().all():
                found.append(f"the output of {name}")

        layers = [(name, layer) for name, layer in self.net.named_modules() if not any(layer.children())]
        hooks = [
            layer.register_forward_hook(lambda _layer, _given, out, name=name: look(name, out))
            for name, layer in layers
        ]
        self.net(torch.from_numpy(images))
        for hook in hooks:
            hook.remove()
        return found[0] if found else "the loss, as all outputs are finite when computed once more"

    def train(self, mode: bool = True) -> None:
        """Switch the network to training (`mode` True) or evaluation."""
        self.net.train(mode)

    @torch.no_grad()
    def predict(self, images: Array) -> Array:
        """The outputs of `evaluated_net` (N, 136) for images (N, 1, size, size)."""
        outputs: Array = self.evaluated_net(torch.from_numpy(images)).numpy()
        return outputs

    def weights(self) -> dict[str, AnyArray]:
        """The state dict of `evaluated_net`, as arrays that share its memory."""
        return as_arrays(self.evaluated_net.state_dict())

    def state_dict(self) -> dict[str, AnyArray]:
        """Everything that training changes: weights, what the optimizer remembers, the generator of the dropout.

        And the average of the weights, and how many steps are done.
        """
        state = {f"net.{key}": array for key, array in as_arrays(self.net.state_dict()).items()}
        state |= {f"optimizer.{key}": array for key, array in optimizer_state(self.optimizer).items()}
        if self.average is not None:
            state |= {f"average.net.{key}": array for key, array in self.weights().items()}
            state["average.updates"] = self.average.n_averaged.numpy()
        return state | {"step": np.array(self.steps_done, np.int64), "rng.torch": torch.get_rng_state().numpy()}

    def load_state_dict(self, state: Mapping[str, AnyArray]) -> None:
        """Continue from a `state_dict`, this twin's or numpynet's (whose random numbers PyTorch cannot continue).

        If the state holds no average, the average starts with its weights; if it holds no step, counting starts at 0.
        ValueError, with nothing changed, if it belongs to another network or optimizer.
        """
        parts = parts_of(state, bool(names_of(self.optimizer)))
        own = as_arrays(self.net.state_dict())
        checked_arrays(own, parts.net)
        checked_optimizer_state(self.optimizer, parts.optimizer)
        if self.average is not None and parts.average:
            checked_arrays(own, parts.average)
        if "rng.torch" in state:
            _set_generator(state["rng.torch"])
        self.net.load_state_dict(as_tensors(parts.net, share=True))
        load_optimizer_state(self.optimizer, parts.optimizer)
        if self.average is not None:
            self.average.module.load_state_dict(as_tensors(parts.average or own, share=True))
            self.average.n_averaged.fill_(parts.updates)
        self.steps_done = parts.steps_done


def make_trainer(
    state: Mapping[str, AnyArray],
    arguments: Mapping[str, Any],
    loss: Literal["smooth_l1", "mse", "l1", "wing"],
    lr: float,
    seed: int,
    *,
    architecture: str = "KeypointNet",
    loss_arguments: Mapping[str, Any] | None = None,
    weight_decay: float = 0.0,
    schedule: Schedule | None = None,
    average_decay: float | None = None,
) -> Trainer:
    """A Trainer of the network `architecture` with these `arguments` and copies of the weights `state`.

    loss and loss_arguments: the criterion and its constructor's arguments. lr: the learning rate, unless a schedule
    sets it. weight_decay: decoupled, as in AdamW; without decay this is Adam. seed: for PyTorch's global generator,
    from which dropout draws. average_decay: decay of the weights' average; None for no average.
    """
    net = ARCHITECTURES[architecture].from_state(state, arguments)
    torch.manual_seed(seed)
    optimizer = torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=weight_decay)
    average = None if average_decay is None else weight_average(net, average_decay)
    return Trainer(net, CRITERIA[loss](**(loss_arguments or {})), optimizer, schedule, average)


def weight_average(net: nn.Module, decay: float = 0.999, warmup: bool = True) -> AveragedModel:
    """The twin of `numpynet.WeightAverage`: PyTorch's average with a warm-up of the decay; batch counts are copied."""

    @torch.no_grad()
    def approach(averages: Any, weights: Any, updates: Any) -> None:
        keep = min(decay, (1 + int(updates)) / (10 + int(updates))) if warmup else decay
        for average, weight in zip(averages, weights, strict=True):
            if average.is_floating_point():
                average.lerp_(weight, 1 - keep)
            else:
                average.copy_(weight)

    average = AveragedModel(net, multi_avg_fn=approach, use_buffers=True)
    return average.eval()


def _set_generator(state: AnyArray) -> None:
    """Set the state of PyTorch's generator. ValueError, with nothing changed, if it is not a valid state."""
    try:
        torch.set_rng_state(torch.tensor(state))
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"load_state_dict: rng.torch is damaged ({error})") from None
