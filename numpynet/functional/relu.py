"""ReLU: the rectifier."""

from typing import NamedTuple

import numpy as np

from numpynet.typing import AnyArray, Array


class ReLUCache(NamedTuple):
    """What `relu_backward` needs."""

    positive: AnyArray  # bool, shape of x: where the input passed


def relu(x: Array) -> tuple[Array, ReLUCache]:
    """out = max(x, 0), element by element; any shape.

    Backward: the slope is 1 where x > 0 and 0 where x < 0. At exactly 0 there is no derivative and PyTorch takes
    0 (torch.nn.functional.relu), so dx = dout * (x > 0).

    The cache holds one byte an element instead of x itself.
    """
    out = np.maximum(x, 0)
    return out, ReLUCache(x > 0)


def relu_backward(dout: Array, cache: ReLUCache) -> Array:
    """Gradient of `relu`: dx, of dout's shape. `dout` is left as it was."""
    return dout * cache.positive
