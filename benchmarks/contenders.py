"""The contenders of the training benchmark: each builds a network and then takes training steps."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fkp_app.blas import VARIABLE, WIDE, has_wide_vectors
from fkp_app.training.recipe import Recipe
from fkp_app.training.trainers import get_trainer
from numpynet.typing import Array

PHASES = ("forward", "backward", "optimizer", "step")

Step = Callable[[Array, Array], dict[str, float]]
"""Takes one training step on images (N, 1, S, S) and targets (N, 136); returns the seconds of each phase.

The phase "optimizer" includes the average of the weights, if the recipe has one.
"""


@dataclass(frozen=True)
class Contender:
    """make(recipe, **options) returns the step; environment: variables that its process needs."""

    make: Callable[..., Step]
    options: dict[str, Any]
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def is_torch(self) -> bool:
        """Whether PyTorch does the work."""
        return self.make is torch_step


def numpynet_step(recipe: Recipe, ops: str, fused: bool) -> Step:
    """numpynet's training step. ops: "readable" or "fast"; fused: whether `fuse` merges the network's layers.

    With ops "fast" and `fused` it is the step of `fkp train --ops fast`.
    """
    from numpynet import use

    use(ops)
    trainer: Any = get_trainer("numpy", recipe.network, recipe.training, steps=1, seed=0, fused=fused)
    net, optimizer, average = trainer.net, trainer.optimizer, trainer.average

    def step(images: Array, targets: Array) -> dict[str, float]:
        clock = [time.perf_counter()]
        out, cache = net.forward(images)
        _, dout = trainer.criterion(out, targets)
        clock.append(time.perf_counter())
        net.backward(dout, cache)
        clock.append(time.perf_counter())
        optimizer.step()
        optimizer.zero_grad()
        if average is not None:
            average.update()
        clock.append(time.perf_counter())
        return phases(clock)

    return step


def torch_step(recipe: Recipe, fused: bool, channels_last: bool, compiled: bool) -> Step:
    """PyTorch's training step.

    fused: PyTorch's fastest optimizer, in one kernel, and average of the weights, in one call for all of them; without
    it the step is that of `fkp train --backend torch`. channels_last: the memory format of images and filters;
    compiled: whether `torch.compile` compiles the network.
    """
    import torch
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    layout = torch.channels_last if channels_last else torch.contiguous_format
    trainer: Any = get_trainer("torch", recipe.network, recipe.training, steps=1, seed=0)
    plain, optimizer, average = trainer.net.to(memory_format=layout), trainer.optimizer, trainer.average
    if fused:
        rule = {name: optimizer.defaults[name] for name in ("lr", "weight_decay")}
        optimizer = type(optimizer)(plain.parameters(), fused=True, **rule)
        if average is not None:
            rate = get_ema_multi_avg_fn(recipe.training.average)
            average = AveragedModel(plain, multi_avg_fn=rate, use_buffers=True)
    net = torch.compile(plain) if compiled else plain

    def step(images: Array, targets: Array) -> dict[str, float]:
        clock = [time.perf_counter()]
        x, y = torch.from_numpy(images).to(memory_format=layout), torch.from_numpy(targets)
        loss = trainer.criterion(net(x), y)
        clock.append(time.perf_counter())
        loss.backward()
        clock.append(time.perf_counter())
        optimizer.step()
        optimizer.zero_grad()
        if average is not None:
            average.update_parameters(plain)
        clock.append(time.perf_counter())
        return phases(clock)

    return step


def _torch(fused: bool = True, channels_last: bool = False, compiled: bool = False) -> Contender:
    return Contender(torch_step, {"fused": fused, "channels_last": channels_last, "compiled": compiled})


FULL_WIDTH = {VARIABLE: WIDE} if has_wide_vectors() else {}
"""OpenBLAS's kernels for AVX-512, if this processor has it; otherwise they would crash the process."""

FAST = "numpynet, fast"
COURSE = "torch, as the course writes it"

CONTENDERS = {
    FAST: Contender(numpynet_step, {"ops": "fast", "fused": True}, FULL_WIDTH),
    "numpynet, fast, not fused": Contender(numpynet_step, {"ops": "fast", "fused": False}, FULL_WIDTH),
    "numpynet, fast, Haswell's BLAS": Contender(numpynet_step, {"ops": "fast", "fused": True}, {VARIABLE: "Haswell"}),
    "numpynet, readable": Contender(numpynet_step, {"ops": "readable", "fused": False}, FULL_WIDTH),
    COURSE: _torch(fused=False),
    "torch, fused Adam": _torch(),
    "torch, fused, channels_last": _torch(channels_last=True),
    "torch, fused, compiled": _torch(compiled=True),
    "torch, fused, channels_last, compiled": _torch(channels_last=True, compiled=True),
}


def phases(clock: list[float]) -> dict[str, float]:
    """The seconds of each phase from four readings of the clock: at the start and after each of the three phases."""
    return {
        "forward": clock[1] - clock[0],
        "backward": clock[2] - clock[1],
        "optimizer": clock[3] - clock[2],
        "step": clock[3] - clock[0],
    }
