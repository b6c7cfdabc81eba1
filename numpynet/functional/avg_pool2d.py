"""AvgPool2d: the mean of each window."""

from typing import NamedTuple

import numpy as np

from numpynet.checks import FLOATS, arrays_of, no_empty_axis
from numpynet.functional.arguments import of_forward, of_output
from numpynet.functional.windows import output_sizes, pad, pair, window_slices
from numpynet.typing import Array, IntOrPair, Pair

ADJACENT = (1, 1)
"""The dilation: average pooling has no other."""


class AvgPool2dCache(NamedTuple):
    """What `avg_pool2d_backward` needs."""

    area: Array  # (OH, OW): what each window's sum is divided by
    shape: tuple[int, ...]  # of x
    padded: Pair  # height and width of the padded image
    kernel: Pair
    stride: Pair
    padding: Pair


def avg_pool2d(
    x: Array,
    kernel_size: IntOrPair,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> tuple[Array, AvgPool2dCache]:
    """The mean of each window::

        out[n, c, oh, ow] = sum_{kh, kw} xp[n, c, oh stride + kh, ow stride + kw] / area[oh, ow]

    with xp, x with `padding` rows and columns of 0 on each side. `area` is the number of elements that window
    (oh, ow) has in xp, or in x alone if not `count_include_pad`. A `stride` of None is the kernel's size.

    Shapes: x (N, C, H, W); out (N, C, OH, OW) with OH = (H + 2 padding - KH) // stride + 1, and OW alike. With
    `ceil_mode` the division rounds up. A last window may then reach beyond xp; what it sees there never counts.

    Backward: a pixel that grows by 1 makes the mean of each window that sees it grow by 1 / area. So each window gives
    all its pixels the same share of its dout, and a pixel gets the sum over the windows that see it::

        share = dout / area
        dxp[n, c, h, w] = sum_{oh, ow, kh, kw: oh stride + kh = h, ow stride + kw = w} share[n, c, oh, ow]

    Element (kh, kw) looks at another pixel in each window, so `dxp[:, :, rows, columns] += share` adds all its shares
    at once. dx is dxp without the padding.

    The cache holds the areas, the same for all images and channels, and no pixel: dx does not depend on x. As
    torch.nn.functional.avg_pool2d, which also takes a `divisor_override`, and integers, whose means it rounds down.
    ValueError if the kernel is larger than the padded image, or the padding more than half the kernel.
    """
    kernel = pair(kernel_size, "avg_pool2d: kernel_size")
    stride = pair(kernel if stride is None else stride, "avg_pool2d: stride")
    padding = pair(padding, "avg_pool2d: padding", 0)
    arrays_of(FLOATS, "avg_pool2d", x=x)
    if x.ndim != 4:
        raise ValueError(f"avg_pool2d: x must have shape (N, C, H, W), got {x.shape}")
    no_empty_axis(x, "avg_pool2d: x")
    if any(2 * padding[i] > kernel[i] for i in (0, 1)):
        raise ValueError(f"avg_pool2d: padding {padding} must be at most half the kernel size {kernel}")
    N, C, H, W = x.shape
    OH, OW = output_sizes((H, W), kernel, stride, padding, ADJACENT, ceil_mode)
    if OH < 1 or OW < 1:
        raise ValueError(f"avg_pool2d: x of shape {x.shape} is smaller than the kernel {kernel}")

    # With ceil_mode the last window reaches up to stride - 1 pixels beyond the padding.
    beyond = (stride[0] - 1, stride[1] - 1) if ceil_mode else (0, 0)
    xp = pad(x, padding, 0, beyond)
    counts = pad(np.ones((1, 1, H, W), int), padding, int(count_include_pad))  # 1 if the pixel counts, 0 if not
    counts = pad(counts, (0, 0), 0, beyond)
    out, area = np.zeros((N, C, OH, OW), x.dtype), np.zeros((OH, OW), int)
    for _, _, rows, columns in window_slices(kernel, stride, ADJACENT, (OH, OW)):
        out += xp[:, :, rows, columns]
        area += counts[0, 0, rows, columns]
    out /= area
    return out, AvgPool2dCache(area.astype(x.dtype), x.shape, xp.shape[2:], kernel, stride, padding)


def avg_pool2d_backward(dout: Array, cache: AvgPool2dCache) -> Array:
    """Gradient of `avg_pool2d`: dx (N, C, H, W), for dout (N, C, OH, OW)."""
    of_forward("avg_pool2d_backward", cache, AvgPool2dCache)
    N, C, H, W = cache.shape
    OH, OW = cache.area.shape
    of_output("avg_pool2d_backward", dout, (N, C, OH, OW))
    PH, PW = cache.padding
    share = dout / cache.area
    dxp = np.zeros((N, C, *cache.padded), dout.dtype)
    for _, _, rows, columns in window_slices(cache.kernel, cache.stride, ADJACENT, (OH, OW)):
        dxp[:, :, rows, columns] += share
    return dxp[:, :, PH : PH + H, PW : PW + W]
