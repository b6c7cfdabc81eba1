"""ReLU and its gradient, one block of numbers per task; the mathematics is in numpynet/functional/relu.py."""

from typing import NamedTuple

import numpy as np

from numpynet import functional
from numpynet.functional.arguments import of_forward, of_output
from numpynet.kernels.buffers import empty
from numpynet.kernels.code_cache import njit
from numpynet.kernels.made_for import compiled
from numpynet.kernels.pixels import has_channels_last, images_of, pixels_of
from numpynet.typing import Array
from numpynet.workers import run

BLOCK = 1 << 18
"""Numbers in one task of the pool of threads."""


class ReLUCache(NamedTuple):
    """What `relu_backward` needs: the output, which the next layer keeps anyway."""

    out: Array  # of x's shape; positive or NaN exactly where x is


def relu(x: Array) -> tuple[Array, ReLUCache | functional.ReLUCache]:
    """See `numpynet.functional.relu`."""
    if not compiled(x):
        return functional.relu(x)
    if has_channels_last(x):
        out = images_of(relu(pixels_of(x))[0])
        return out, ReLUCache(out)
    out = empty(x.shape, x.dtype)
    x_line, out_line = x.reshape(-1), out.reshape(-1)

    def block(i: int) -> None:
        part = slice(i * BLOCK, (i + 1) * BLOCK)
        np.maximum(x_line[part], 0, out=out_line[part])

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
    if has_channels_last(cache.out):
        return images_of(relu_backward(pixels_of(dout), ReLUCache(pixels_of(cache.out))))
    dx = empty(dout.shape, dout.dtype)
    dout_line, out_line, dx_line = dout.reshape(-1), cache.out.reshape(-1), dx.reshape(-1)

    def block(i: int) -> None:
        part = slice(i * BLOCK, (i + 1) * BLOCK)
        input_gradient(dout_line[part], out_line[part], dx_line[part])

    run(block, -(-dout.size // BLOCK))
    return dx


@njit(nogil=True, cache=True)
def input_gradient(dout, out, dx):  # type: ignore[no-untyped-def]
    """dx = dout if not out <= 0, and 0 otherwise: a NaN passes."""
    zero = dx.dtype.type(0)
    for k in range(dx.size):
        dx[k] = zero if out[k] <= 0 else dout[k]
