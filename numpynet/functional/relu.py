"""ReLU: what is negative becomes 0, the rest passes."""

from typing import NamedTuple

import numpy as np

from numpynet.checks import REAL, arrays_of
from numpynet.functional.arguments import of_forward, of_output
from numpynet.typing import AnyArray, Array


class ReLUCache(NamedTuple):
    """What `relu_backward` needs."""

    passed: AnyArray  # bool, of x's shape: True if the number was positive or NaN


def relu(x: Array) -> tuple[Array, ReLUCache]:
    """out = max(x, 0), element by element; any shape.

    Backward: the slope is 1 if x > 0 and 0 if x < 0. At exactly 0 there is no derivative, and PyTorch takes 0
    (torch.nn.functional.relu). NaN passes, forward and backward, as there. So dx is dout if not x <= 0, and 0
    otherwise. It is chosen, not multiplied: an infinite dout times 0 would be NaN.

    The cache holds one byte per element instead of x itself.
    """
    arrays_of(REAL, "relu", x=x)
    out = np.maximum(x, 0)
    return out, ReLUCache(~(x <= 0))


def relu_backward(dout: Array, cache: ReLUCache) -> Array:
    """Gradient of `relu`: dx, of dout's shape. It does not change `dout`."""
    of_forward("relu_backward", cache, ReLUCache)
    of_output("relu_backward", dout, cache.passed.shape)
    return np.where(cache.passed, dout, dout.dtype.type(0))
