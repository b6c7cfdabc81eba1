"""ReLU: the rectifier."""

from typing import NamedTuple

import numpy as np

from numpynet.checks import REAL, arrays_of
from numpynet.functional.arguments import of_forward, of_output
from numpynet.typing import AnyArray, Array


class ReLUCache(NamedTuple):
    """What `relu_backward` needs."""

    passed: AnyArray  # bool, shape of x: where the input was positive, or NaN


def relu(x: Array) -> tuple[Array, ReLUCache]:
    """out = max(x, 0), element by element; any shape.

    Backward: the slope is 1 where x > 0 and 0 where x < 0. At exactly 0 there is no derivative and PyTorch takes
    0 (torch.nn.functional.relu). NaN passes, forward and backward, as there. So dx = dout where not x <= 0, and 0
    elsewhere, whatever dout is: its product with 0 would be NaN where dout is infinite.

    The cache holds one byte an element instead of x itself.
    """
    arrays_of(REAL, "relu", x=x)
    out = np.maximum(x, 0)
    return out, ReLUCache(~(x <= 0))


def relu_backward(dout: Array, cache: ReLUCache) -> Array:
    """Gradient of `relu`: dx, of dout's shape. `dout` is left as it was."""
    of_forward("relu_backward", cache, ReLUCache)
    of_output("relu_backward", dout, cache.passed.shape)
    return np.where(cache.passed, dout, dout.dtype.type(0))
