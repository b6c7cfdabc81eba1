"""Flatten: a stack of maps becomes a row of numbers."""

import math
from typing import NamedTuple

from numpynet.checks import NUMBERS, arrays_of, whole
from numpynet.functional.arguments import of_forward, of_output
from numpynet.typing import Array


class FlattenCache(NamedTuple):
    """What `flatten_backward` needs."""

    shape: tuple[int, ...]  # of x
    flat: tuple[int, ...]  # of out


def flatten(x: Array, start_dim: int = 1) -> tuple[Array, FlattenCache]:
    """out[n, k] = x[n, c, h, w] with k = (c H + h) W + w: row-major, as torch.flatten does.

    Shapes: x (N, C, H, W) or any other; out (N, C H W). All dimensions from `start_dim` on become one. ValueError if x
    has no such dimension.

    Backward: numbers keep their values and change their places, so dx is dout in x's shape.

    The cache holds that shape, and out's, to refuse a dout of any other.
    """
    arrays_of(NUMBERS, "flatten", x=x)
    if not 0 <= whole(start_dim, "flatten: start_dim", 0) < x.ndim:
        raise ValueError(f"flatten: start_dim must lie in 0 .. {x.ndim - 1} for x of shape {x.shape}, got {start_dim}")
    out = x.reshape(*x.shape[:start_dim], math.prod(x.shape[start_dim:]))  # (N, C, H, W) -> (N, C H W)
    return out, FlattenCache(x.shape, out.shape)


def flatten_backward(dout: Array, cache: FlattenCache) -> Array:
    """Gradient of `flatten`: dx, of x's shape."""
    of_forward("flatten_backward", cache, FlattenCache)
    of_output("flatten_backward", dout, cache.flat)
    return dout.reshape(cache.shape)  # (N, C H W) -> (N, C, H, W)
