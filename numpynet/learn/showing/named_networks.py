"""The networks that commands take by name."""

from collections.abc import Callable

from numpynet.console import nearest
from numpynet.learn import one_point
from numpynet.learn.errors import LearnError
from numpynet.models import HourglassNet, KeypointNet
from numpynet.module import Chain

LARGEST = 256
"""Pixels on a side: the weights of "net" then take 0.8 GB."""

CHOICES: dict[str, tuple[Callable[[int], Chain], int]] = {
    "one-point": (lambda size: one_point.net(), 5),
    "compact": (lambda size: KeypointNet.compact(size, rng=0), 96),
    "hourglass": (lambda size: HourglassNet(size, rng=0), 96),
    "net": (lambda size: KeypointNet(size, rng=0), 224),
}
"""By name: what builds the network for pictures of this side, and the side it is made for."""


def make(name: str, size: int | None = None) -> tuple[Chain, tuple[int, int, int]]:
    """The network with this name, with random weights of seed 0, and the shape (C, H, W) of its pictures.

    size: the side of the pictures; None for the network's own. LearnError if there is no such network, or the size
    does not fit.
    """
    if name not in CHOICES:
        hint = nearest(name, CHOICES, f"choose one of {', '.join(CHOICES)}")
        raise LearnError(f"there is no network {name!r}; {hint}")
    build, own = CHOICES[name]
    size = own if size is None else size
    if name == "one-point" and size != own:
        raise LearnError(f"--size: the one-point net takes pictures of {own} x {own} pixels, got {size}")
    if not 1 <= size <= LARGEST:
        raise LearnError(f"--size must be from 1 to {LARGEST}, got {size}")
    try:
        return build(size), (1, size, size)
    except ValueError as error:
        raise LearnError(f"--size {size}: {error}") from None
