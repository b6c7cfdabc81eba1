"""MaxPool2d: the largest number of each window."""

from typing import NamedTuple

import numpy as np

from numpynet.checks import FLOATS, arrays_of, no_empty_axis
from numpynet.functional.arguments import of_forward, of_output
from numpynet.functional.windows import output_sizes, pad, pair, window_slices
from numpynet.typing import AnyArray, Array, IntOrPair, Pair


class MaxPool2dCache(NamedTuple):
    """What `max_pool2d_backward` needs."""

    winner: AnyArray  # (N, C, OH, OW), integers: kh KW + kw of each window's largest element
    shape: tuple[int, ...]  # of x
    padded: Pair  # height and width of the padded image
    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair


def max_pool2d(
    x: Array,
    kernel_size: IntOrPair,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
) -> tuple[Array, MaxPool2dCache]:
    """The largest number of each window::

        out[n, c, oh, ow] = max_{kh, kw} xp[n, c, oh stride + kh dilation, ow stride + kw dilation]

    with xp, x with `padding` rows and columns of -infinity on each side: padding never wins. A `stride` of None is
    the kernel's size.

    Shapes: x (N, C, H, W); out (N, C, OH, OW) with OH = (H + 2 padding - dilation (KH - 1) - 1) // stride + 1, and
    OW alike. With `ceil_mode` the division rounds up, and a last window that is partly outside counts.

    Backward: a small change of x changes the output only through the winner, the largest element. So each dout goes
    to its window's winner, and a pixel that won several (overlapping) windows gets the sum: dx +=, not =.

    The cache holds the winner of each window, one small integer per output. Of equal elements the first in row-major
    order wins, and NaN beats every number, as in torch.nn.functional.max_pool2d. ValueError if the kernel is larger
    than the padded image, or the padding more than half the kernel.
    """
    kernel = pair(kernel_size, "max_pool2d: kernel_size")
    stride = pair(kernel if stride is None else stride, "max_pool2d: stride")
    padding, dilation = pair(padding, "max_pool2d: padding", 0), pair(dilation, "max_pool2d: dilation")
    arrays_of(FLOATS, "max_pool2d", x=x)
    if x.ndim != 4:
        raise ValueError(f"max_pool2d: x must have shape (N, C, H, W), got {x.shape}")
    no_empty_axis(x, "max_pool2d: x")
    if any(2 * padding[i] > kernel[i] for i in (0, 1)):
        raise ValueError(f"max_pool2d: padding {padding} must be at most half the kernel size {kernel}")
    OH, OW = output_sizes(x.shape[2:], kernel, stride, padding, dilation, ceil_mode)
    if OH < 1 or OW < 1:
        raise ValueError(f"max_pool2d: x of shape {x.shape} is smaller than the kernel {kernel}")

    # With ceil_mode the last window reaches up to stride - 1 pixels beyond the padding: there must be padding, too.
    xp = pad(x, padding, -np.inf, (stride[0] - 1, stride[1] - 1) if ceil_mode else (0, 0))
    KH, KW = kernel
    out = np.full((*x.shape[:2], OH, OW), -np.inf, x.dtype)
    winner = np.empty(out.shape, np.min_scalar_type(KH * KW))
    first_row = first_inside(OH, stride[0], padding[0], dilation[0])
    first_column = first_inside(OW, stride[1], padding[1], dilation[1])
    winner[...] = first_row[:, None] * KW + first_column  # (OH, 1) and (OW,) -> (N, C, OH, OW)
    for kh, kw, rows, columns in window_slices(kernel, stride, dilation, (OH, OW)):
        candidate = xp[:, :, rows, columns]  # (N, C, OH, OW)
        better = (candidate > out) | np.isnan(candidate)
        np.maximum(out, candidate, out=out)
        # This is winner[better] = kh * KW + kw, many times as fast. The numbers rise, so the maximum keeps the new one.
        np.maximum(winner, better * winner.dtype.type(kh * KW + kw), out=winner)
    return out, MaxPool2dCache(winner, x.shape, xp.shape[2:], kernel, stride, padding, dilation)


def max_pool2d_backward(dout: Array, cache: MaxPool2dCache) -> Array:
    """Gradient of `max_pool2d`: dx (N, C, H, W), for dout (N, C, OH, OW)."""
    of_forward("max_pool2d_backward", cache, MaxPool2dCache)
    of_output("max_pool2d_backward", dout, cache.winner.shape)
    N, C, H, W = cache.shape
    (PH, PW), KW = cache.padding, cache.kernel[1]
    dxp = np.zeros((N, C, *cache.padded), dout.dtype)
    zero = dout.dtype.type(0)  # chosen, not multiplied with: an infinite dout times 0 would be NaN
    out_size = (dout.shape[2], dout.shape[3])
    for kh, kw, rows, columns in window_slices(cache.kernel, cache.stride, cache.dilation, out_size):
        dxp[:, :, rows, columns] += np.where(cache.winner == kh * KW + kw, dout, zero)
    return dxp[:, :, PH : PH + H, PW : PW + W]


def first_inside(windows: int, stride: int, padding: int, dilation: int) -> AnyArray:
    """For each window along one side: its first element that lies in the image, not in the padding before it.

    It wins if every element of the image that the window sees is -infinity. None of them is then larger than the
    -infinity with which the search begins, and dout must not end in the padding. Element k of window o lies at
    o stride - padding + k dilation, which is 0 or more from k = ceil((padding - o stride) / dilation) on.
    """
    begin = np.arange(windows) * stride - padding
    return np.maximum(0, -(begin // dilation))
