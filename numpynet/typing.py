"""The few types that signatures share."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
"""A float32 or float64 array."""

AnyArray = NDArray[Any]
"""An array of any dtype, such as the int64 count of batch norm."""

Pair = tuple[int, int]
"""(vertical, horizontal), the order of PyTorch's kernel_size, stride, padding and dilation."""

IntOrPair = int | Pair

Batch = tuple[Array, Array]
"""Images (N, C, H, W) and their targets (N, ...)."""

Seed = int | np.random.Generator | None
"""Where randomness comes from: a seed, a generator that is drawn from, or None for fresh entropy."""


def pair(value: IntOrPair, name: str, minimum: int = 1) -> Pair:
    """`value` as (vertical, horizontal); ValueError, naming the argument, where an entry is below `minimum`."""
    entries = tuple(value) if isinstance(value, tuple | list | np.ndarray) else (value, value)
    whole = all(isinstance(e, int | np.integer) and not isinstance(e, bool) for e in entries)
    if len(entries) != 2 or not whole or min(entries) < minimum:
        raise ValueError(f"{name} must be an integer of at least {minimum} or a pair of them, got {value!r}")
    return int(entries[0]), int(entries[1])
