"""ReLU and its gradient in blocks, by all threads; the mathematics stands in numpynet/functional/relu.py."""

from typing import NamedTuple

import numpy as np

from numpynet import functional
from numpynet.functional.arguments import of_forward, of_output
from numpynet.kernels.buffers import empty
from numpynet.kernels.code_cache import njit
from numpynet.kernels.made_for import compiled
from numpynet.typing import Array
from numpynet.workers import run

BLOCK = 1 << 18


class ReLUCache(NamedTuple):
    """The output itself: it is positive, or NaN, where x was, and has to be kept for the next layer anyway."""

    out: Array


def relu(x: Array) -> tuple[Array, ReLUCache | functional.ReLUCache]:
    """See `numpynet.functional.relu`."""
    if not compiled(x):
        return functional.relu(x)
    out = empty(x.shape, x.dtype)
    source, target = x.reshape(-1), out.reshape(-1)

    def block(i: int) -> None:
        part = slice(i * BLOCK, (i + 1) * BLOCK)
        np.maximum(source[part], 0, out=target[part])

    run(block, -(-x.size // BLOCK))
    return out, ReLUCache(out)


def relu_backward(dout: Array, cache: ReLUCache | functional.ReLUCache) -> Array:
    """See `numpynet.functional.relu_backward`."""
    of_forward("relu_backward", cache, ReLUCache, functional.ReLUCache)
    if isinstance(cache, functional.ReLUCache):
        return functional.relu_backward(dout, cache)
    of_output("relu_backward", dout, cache.out.shape)
    if not compiled(dout, cache.out):
        return functional.relu_backward(dout, functional.ReLUCache(~(cache.out <= 0)))
    dx = empty(dout.shape, dout.dtype)
    source, target, out = dout.reshape(-1), dx.reshape(-1), cache.out.reshape(-1)

    def block(i: int) -> None:
        part = slice(i * BLOCK, (i + 1) * BLOCK)
        let_through(source[part], out[part], target[part])

    run(block, -(-dout.size // BLOCK))
    return dx


@njit(nogil=True, cache=True)
def let_through(g, y, dx):  # type: ignore[no-untyped-def]
    """dx = g where y is positive or NaN, and zero elsewhere."""
    zero = dx.dtype.type(0)
    for k in range(dx.size):
        dx[k] = zero if y[k] <= 0 else g[k]
