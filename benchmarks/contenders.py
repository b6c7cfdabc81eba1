"""The contenders of the training benchmark: each builds a network and then takes training steps."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fkp_app.blas import VARIABLE, WIDE, has_wide_vectors
from numpynet.typing import Array

PHASES = ("forward", "backward", "optimizer", "step")

Step = Callable[[Array, Array], dict[str, float]]
"""Takes one training step on images (N, 1, S, S) and targets (N, 136); returns the seconds of each phase."""


@dataclass(frozen=True)
class Contender:
    """make(the network's arguments, **options) returns the step; environment: variables that its process needs."""

    make: Callable[..., Step]
    options: dict[str, Any]
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def is_torch(self) -> bool:
        """Whether PyTorch does the work."""
        return self.make is torch_step


def numpynet_step(arguments: dict[str, Any], ops: str, fused: bool) -> Step:
    """numpynet's training step. ops: "readable" or "fast"; fused: whether `fuse` merges the network's layers."""
    from numpynet import Adam, KeypointNet, SmoothL1Loss, fuse, use

    use(ops)
    plain = KeypointNet(**arguments, rng=0)
    net = fuse(plain, input_gradient=False) if fused else plain
    criterion, optimizer = SmoothL1Loss(), Adam(net.parameters())

    def step(images: Array, targets: Array) -> dict[str, float]:
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


def torch_step(arguments: dict[str, Any], fused: bool, channels_last: bool, compiled: bool) -> Step:
    """PyTorch's training step.

    fused: Adam in one kernel, PyTorch's fastest; channels_last: the memory format of images and filters;
    compiled: whether `torch.compile` compiles the network.
    """
    import torch

    from reference.models import Net

    layout = torch.channels_last if channels_last else torch.contiguous_format
    net: Any = Net(**arguments)
    net.to(memory_format=layout)
    criterion, optimizer = torch.nn.SmoothL1Loss(), torch.optim.Adam(net.parameters(), fused=fused)
    if compiled:
        net = torch.compile(net)

    def step(images: Array, targets: Array) -> dict[str, float]:
        clock = [time.perf_counter()]
        x, y = torch.from_numpy(images).to(memory_format=layout), torch.from_numpy(targets)
        loss = criterion(net(x), y)
        clock.append(time.perf_counter())
        loss.backward()
        clock.append(time.perf_counter())
        optimizer.step()
        optimizer.zero_grad()
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
