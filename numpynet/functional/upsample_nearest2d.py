"""Upsampling: every pixel becomes a square of equal pixels."""

import itertools
from typing import NamedTuple

from numpynet.checks import NUMBERS, arrays_of, no_empty_axis, whole
from numpynet.functional.arguments import of_forward, of_output
from numpynet.typing import Array


class UpsampleNearest2dCache(NamedTuple):
    """What `upsample_nearest2d_backward` needs."""

    scale_factor: int
    shape: tuple[int, ...]  # of out


def upsample_nearest2d(x: Array, scale_factor: int = 2) -> tuple[Array, UpsampleNearest2dCache]:
    """Repeat each pixel s = `scale_factor` times in each direction::

        out[n, c, h, w] = x[n, c, h // s, w // s]

    Shapes: x (N, C, H, W); out (N, C, s H, s W).

    Backward: x[n, c, h, w] is in s^2 places of the output, and its gradient is the sum of theirs::

        dx[n, c, h, w] = sum_{i, j < s} dout[n, c, s h + i, s w + j]

    The cache holds the factor and out's shape. As torch.nn.functional.interpolate(x, scale_factor=s, mode="nearest"),
    which also takes fractions. ValueError if x has not four axes or the factor is below 1.
    """
    arrays_of(NUMBERS, "upsample_nearest2d", x=x)
    if x.ndim != 4:
        raise ValueError(f"upsample_nearest2d: x must have shape (N, C, H, W), got {x.shape}")
    no_empty_axis(x, "upsample_nearest2d: x")
    whole(scale_factor, "upsample_nearest2d: scale_factor")
    out = x.repeat(scale_factor, axis=2).repeat(scale_factor, axis=3)  # (N, C, H, W) -> (N, C, s H, s W)
    return out, UpsampleNearest2dCache(scale_factor, out.shape)


def upsample_nearest2d_backward(dout: Array, cache: UpsampleNearest2dCache) -> Array:
    """Gradient of `upsample_nearest2d`: dx (N, C, H, W), for dout (N, C, s H, s W)."""
    of_forward("upsample_nearest2d_backward", cache, UpsampleNearest2dCache)
    of_output("upsample_nearest2d_backward", dout, cache.shape)
    s = cache.scale_factor
    dx = dout[:, :, ::s, ::s].copy()  # (N, C, s H, s W) -> (N, C, H, W)
    for i, j in itertools.product(range(s), range(s)):
        if i or j:
            dx += dout[:, :, i::s, j::s]
    return dx
