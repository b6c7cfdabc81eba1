"""Types that many signatures share."""

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

Cache = Any
"""What `forward` hands to `backward`. Its type belongs to the chosen implementation: see `numpynet.dispatch`."""

Batch = tuple[Array, Array]
"""Images (N, C, H, W) and their targets (N, ...)."""

Seed = int | np.random.Generator | None
"""The source of random numbers: a seed, a generator to draw from, or None for fresh entropy."""
