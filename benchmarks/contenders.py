"""Who takes part in the training benchmark: each a function that makes a network and returns its training step."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from numpynet.models import MODELS
from numpynet.typing import Array

PHASES = ("forward", "backward", "optimizer", "step")

Step = Callable[[], dict[str, float]]
"""Takes one training step; the seconds of each phase."""


def batch(model: str, size: int) -> tuple[Array, Array]:
    """The images (size, 1, S, S) and targets (size, 136) that all train on."""
    rng, side = np.random.default_rng(0), MODELS[model]["size"]
    return rng.random((size, 1, side, side), np.float32), rng.standard_normal((size, 136), np.float32)


def numpynet_step(model: str, images: Array, targets: Array, ops: str) -> Step:
    """numpynet's training step, by its readable functions or its fast kernels."""
    from numpynet import Adam, KeypointNet, SmoothL1Loss, use

    use(ops)
    net = KeypointNet(**MODELS[model], rng=0)
    criterion, optimizer = SmoothL1Loss(), Adam(net.parameters())

    def step() -> dict[str, float]:
        clock = [time.perf_counter()]
        out, cache = net.forward(images)
        _, dout = criterion(out, targets)
        clock.append(time.perf_counter())
        net.backward(dout, cache)
        clock.append(time.perf_counter())
        optimizer.step()
        optimizer.zero_grad()
        clock.append(time.perf_counter())
        return phases(clock)

    return step


def torch_step(model: str, images: Array, targets: Array, fused: bool, channels_last: bool) -> Step:
    """PyTorch's training step as usually written; `fused`: its fastest Adam; `channels_last`: its fastest layout."""
    import torch

    from reference.models import Net

    layout = torch.channels_last if channels_last else torch.contiguous_format
    net = Net(**MODELS[model])
    net.to(memory_format=layout)  # type: ignore[call-overload]
    criterion, optimizer = torch.nn.SmoothL1Loss(), torch.optim.Adam(net.parameters(), fused=fused)
    x, y = torch.from_numpy(images).to(memory_format=layout), torch.from_numpy(targets)

    def step() -> dict[str, float]:
        clock = [time.perf_counter()]
        loss = criterion(net(x), y)
        clock.append(time.perf_counter())
        loss.backward()
        clock.append(time.perf_counter())
        optimizer.step()
        optimizer.zero_grad()
        clock.append(time.perf_counter())
        return phases(clock)

    return step


CONTENDERS: dict[str, tuple[Callable[..., Step], dict[str, Any]]] = {
    "numpynet, readable": (numpynet_step, {"ops": "readable"}),
    "numpynet, fast": (numpynet_step, {"ops": "fast"}),
    "torch": (torch_step, {"fused": False, "channels_last": False}),
    "torch, fused Adam": (torch_step, {"fused": True, "channels_last": False}),
    "torch, fused, channels_last": (torch_step, {"fused": True, "channels_last": True}),
}


def phases(clock: list[float]) -> dict[str, float]:
    """Four readings of the clock as the seconds of each phase."""
    return {
        "forward": clock[1] - clock[0],
        "backward": clock[2] - clock[1],
        "optimizer": clock[3] - clock[2],
        "step": clock[3] - clock[0],
    }
