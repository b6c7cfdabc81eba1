"""Soft argmax: the position of each map's peak, as a mean that has a gradient."""

from typing import NamedTuple

import numpy as np

from numpynet.checks import FLOATS, arrays_of, no_empty_axis
from numpynet.functional.arguments import of_forward, of_output
from numpynet.typing import Array


class SoftArgmax2dCache(NamedTuple):
    """What `soft_argmax2d_backward` needs."""

    share: Array  # (N, K, H, W): the softmax of each map
    position: Array  # (N, K, 2): the output, x and y


def soft_argmax2d(x: Array) -> tuple[Array, SoftArgmax2dCache]:
    """The mean position in each map, with every pixel weighted by its share, a softmax over the whole map::

        share[n, k, h, w] = exp(x[n, k, h, w]) / sum_{h', w'} exp(x[n, k, h', w'])
        out[n, 2 k]     = sum_{h, w} share[n, k, h, w] place(w, W)
        out[n, 2 k + 1] = sum_{h, w} share[n, k, h, w] place(h, H),    place(i, I) = (2 i + 1) / I - 1

    The edges of the map lie at -1 and 1, the centres of its pixels between them. The argmax itself, the place of the
    largest number, has no gradient; this mean has one, and can lie between pixels.

    Shapes: x (N, K, H, W); out (N, 2 K), x and y of each map in turn.

    Backward, for one map with the shares s and either position p (x or y). The derivative of a softmax is
    ds_i / dx_j = s_i ([i == j] - s_j), with [i == j] = 1 if i is j, else 0. So::

        dp / dx_j = sum_i place_i s_i ([i == j] - s_j) = place_j s_j - p s_j = s_j (place_j - p)

    and dx = share (dout_x (place_x - p_x) + dout_y (place_y - p_y)). A step against dx, as in gradient descent, raises
    the pixels on the side to which the position should move, and lowers the others.

    The cache holds the shares and the positions. Each map's largest number is subtracted before exp: the shares stay
    the same, and exp cannot overflow. Sun et al., Integral Human Pose Regression, 2018; Nibali et al., Numerical
    Coordinate Regression with Convolutional Neural Networks, 2018, from which the places are. PyTorch has no such
    function; its twin is torch.softmax over the flattened map and two sums.

    ValueError if x has not four axes, or its maps have no pixel.
    """
    arrays_of(FLOATS, "soft_argmax2d", x=x)
    if x.ndim != 4:
        raise ValueError(f"soft_argmax2d: x must have shape (N, K, H, W), got {x.shape}")
    no_empty_axis(x, "soft_argmax2d: x")
    N, K, H, W = x.shape
    share = np.exp(x - x.max(axis=(2, 3), keepdims=True))  # (N, K, H, W) - (N, K, 1, 1)
    share /= share.sum(axis=(2, 3), keepdims=True)
    columns = share.sum(axis=2) @ places(W, x.dtype.type)  # (N, K, W) @ (W,) -> (N, K)
    rows = share.sum(axis=3) @ places(H, x.dtype.type)  # (N, K, H) @ (H,) -> (N, K)
    position = np.stack([columns, rows], axis=2)  # (N, K, 2)
    return position.reshape(N, 2 * K), SoftArgmax2dCache(share, position)  # (N, K, 2) -> (N, 2 K)


def soft_argmax2d_backward(dout: Array, cache: SoftArgmax2dCache) -> Array:
    """Gradient of `soft_argmax2d`: dx (N, K, H, W), for dout (N, 2 K)."""
    of_forward("soft_argmax2d_backward", cache, SoftArgmax2dCache)
    N, K, H, W = cache.share.shape
    of_output("soft_argmax2d_backward", dout, (N, 2 * K))
    dposition = dout.reshape(N, K, 2)  # (N, 2 K) -> (N, K, 2)
    offset_x = places(W, dout.dtype.type) - cache.position[:, :, :1]  # (W,) - (N, K, 1) -> (N, K, W)
    offset_y = places(H, dout.dtype.type) - cache.position[:, :, 1:]  # (H,) - (N, K, 1) -> (N, K, H)
    pull_x, pull_y = dposition[:, :, :1] * offset_x, dposition[:, :, 1:] * offset_y  # (N, K, W), (N, K, H)
    return cache.share * (pull_x[:, :, None, :] + pull_y[:, :, :, None])  # (N, K, 1, W) + (N, K, H, 1)


def places(count: int, number: type) -> Array:
    """The centres of `count` pixels between the edges -1 and 1: (count,)."""
    return ((2 * np.arange(count) + 1) / count - 1).astype(number)
