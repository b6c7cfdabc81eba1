"""Upsampling: every pixel becomes a square of pixels alike."""

import itertools
from typing import NamedTuple

from numpynet.checks import NUMBERS, arrays_of, no_empty_axis, whole
from numpynet.functional.arguments import of_forward, of_output
from numpynet.typing import Array


class UpsampleNearest2dCache(NamedTuple):
    """What `upsample_nearest2d_backward` needs."""

    factor: int
    shape: tuple[int, ...]  # of out


def upsample_nearest2d(x: Array, factor: int = 2) -> tuple[Array, UpsampleNearest2dCache]:
    """Each pixel `factor` times in each direction::

        out[n, c, h, w] = x[n, c, h // factor, w // factor]

    Shapes: x (N, C, H, W); out (N, C, factor H, factor W).

    Backward: x[n, c, h, w] stands in factor^2 places of the output, and its gradient is the sum of theirs::

        dx[n, c, h, w] = sum_{i, j < factor} dout[n, c, factor h + i, factor w + j]

    The cache holds the factor and out's shape. torch.nn.functional.interpolate(x, scale_factor=factor, mode="nearest"),
    which takes fractions, too. ValueError where x has other than four axes or the factor is not 1 or more.
    """
    arrays_of(NUMBERS, "upsample_nearest2d", x=x)
    if x.ndim != 4:
        raise ValueError(f"upsample_nearest2d: x must have shape (N, C, H, W), got {x.shape}")
    no_empty_axis(x, "upsample_nearest2d: x")
    whole(factor, "upsample_nearest2d: factor")
    out = x.repeat(factor, axis=2).repeat(factor, axis=3)
    return out, UpsampleNearest2dCache(factor, out.shape)


def upsample_nearest2d_backward(dout: Array, cache: UpsampleNearest2dCache) -> Array:
    """Gradient of `upsample_nearest2d`: dx (N, C, H, W), for dout (N, C, factor H, factor W)."""
    of_forward("upsample_nearest2d_backward", cache, UpsampleNearest2dCache)
    of_output("upsample_nearest2d_backward", dout, cache.shape)
    f = cache.factor
    dx = dout[:, :, ::f, ::f].copy()  # (N, C, f H, f W) -> (N, C, H, W)
    for i, j in itertools.product(range(f), range(f)):
        if i or j:
            dx += dout[:, :, i::f, j::f]
    return dx
