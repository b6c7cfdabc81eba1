"""ReLU and its gradient in blocks, by all threads; the mathematics stands in numpynet/functional/relu.py."""

from typing import NamedTuple

import numpy as np

from numpynet.buffers import empty
from numpynet.typing import Array
from numpynet.workers import run

BLOCK = 1 << 18


class ReLUCache(NamedTuple):
    """The output itself: it is positive where x was, and has to be kept for the next layer anyway."""

    out: Array


def relu(x: Array) -> tuple[Array, ReLUCache]:
    """See `numpynet.functional.relu`."""
    out = empty(x.shape, x.dtype)
    source, target = x.reshape(-1), out.reshape(-1)

    def block(i: int) -> None:
        part = slice(i * BLOCK, (i + 1) * BLOCK)
        np.maximum(source[part], 0, out=target[part])

    run(block, -(-x.size // BLOCK))
    return out, ReLUCache(out)


def relu_backward(dout: Array, cache: ReLUCache) -> Array:
    """See `numpynet.functional.relu_backward`."""
    dx = empty(dout.shape, dout.dtype)
    source, target, out = dout.reshape(-1), dx.reshape(-1), cache.out.reshape(-1)

    def block(i: int) -> None:
        part = slice(i * BLOCK, (i + 1) * BLOCK)
        np.multiply(source[part], out[part] > 0, out=target[part])

    run(block, -(-dout.size // BLOCK))
    return dx
