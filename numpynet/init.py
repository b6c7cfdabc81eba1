"""The first values of weights: PyTorch's default distributions, and random streams independent of each other."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
from numpy.typing import DTypeLike

from numpynet.checks import whole
from numpynet.dispatch import F
from numpynet.typing import Array, Seed

MOST_WEIGHTS = 1 << 30
"""The most weights that a network described by a file may have: 4 GiB of them."""

_left: ContextVar[list[int] | None] = ContextVar("left", default=None)
"""Inside of `no_init`: how many weights may still be made."""


@contextmanager
def no_init(most: int = MOST_WEIGHTS) -> Iterator[None]:
    """Inside, new layers do not set their weights, and touch no memory: the weights are about to be loaded.

    ValueError, before memory is taken, if the layers have more weights than `most` or than MOST_WEIGHTS.
    """
    token = _left.set([min(most, MOST_WEIGHTS)])
    try:
        yield
    finally:
        _left.reset(token)


def kaiming_uniform(shape: tuple[int, ...], fan_in: int, rng: Seed, dtype: DTypeLike = np.float32) -> Array:
    """Uniform in ±1 / sqrt(fan_in), the default of torch.nn.Linear and torch.nn.Conv2d for weight and bias alike.

    fan_in is the number of inputs that one output sees. PyTorch calls kaiming_uniform_ (He et al. 2015) for the weight
    with a = sqrt(5), for which the bound sqrt(6 / ((1 + a^2) fan_in)) is 1 / sqrt(fan_in).
    """
    if (left := _left.get()) is not None:
        left[0] -= math.prod(shape)
        if left[0] < 0:
            raise ValueError("the network has more weights than it may have, or than the file holds")
        return F.empty(shape, dtype)
    whole(fan_in, "kaiming_uniform: fan_in")
    bound = 1 / math.sqrt(fan_in)
    numbers = F.empty(shape, np.float32)
    np.random.default_rng(rng).random(dtype=np.float32, out=numbers)
    numbers *= 2 * bound
    numbers -= bound
    return numbers.astype(dtype, copy=False)


def spawn(rng: Seed, count: int) -> list[np.random.Generator]:
    """`count` generators. What one of them draws does not depend on how much the others, or `rng`, have drawn."""
    return np.random.default_rng(rng).spawn(count)
