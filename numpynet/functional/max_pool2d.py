"""MaxPool2d: of each window, the largest number."""

from typing import NamedTuple

import numpy as np

from numpynet.checks import FLOATS, arrays_of, no_empty_axis
from numpynet.functional.arguments import of_forward, of_output
from numpynet.functional.windows import output_size, pad, window_slices
from numpynet.typing import AnyArray, Array, IntOrPair, Pair, pair


class MaxPool2dCache(NamedTuple):
    """What `max_pool2d_backward` needs."""

    winner: AnyArray  # (N, C, OH, OW), integers: kh KW + kw of the element that won its window
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

    where xp is x with `padding` rows and columns of -infinity on each side, so that padding never wins; `stride`
    is the kernel's size where it is None.

    Shapes: x (N, C, H, W); out (N, C, OH, OW) with OH = (H + 2 padding - dilation (KH - 1) - 1) // stride + 1, and
    OW alike; with `ceil_mode` the division rounds up, so that a last, partly empty window counts.

    Backward: a small change of x moves the output only through the element that won. So each dout goes to the
    place of its window's winner, and a pixel that won several (overlapping) windows gets the sum: dx +=, not =.

    The cache holds who won each window, one small integer an output. Of equal candidates the first in row-major
    order wins, and NaN beats every number, as in torch.nn.functional.max_pool2d.
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
    size = x.shape[2:]
    out_size = [output_size(size[i], kernel[i], stride[i], padding[i], dilation[i], ceil_mode) for i in (0, 1)]
    OH, OW = out_size
    if OH < 1 or OW < 1:
        raise ValueError(f"max_pool2d: x of shape {x.shape} is smaller than the kernel {kernel}")

    # With ceil_mode the last window reaches up to stride - 1 beyond the padding, where there must be padding, too.
    xp = pad(x, padding, -np.inf, (stride[0] - 1, stride[1] - 1) if ceil_mode else (0, 0))

    out = np.full((*x.shape[:2], OH, OW), -np.inf, x.dtype)
    # Until an element is better, the winner is the window's first inside the image: it stays so if all are -infinity.
    inside = [np.maximum(0, -((np.arange(out_size[i]) * stride[i] - padding[i]) // dilation[i])) for i in (0, 1)]
    winner = np.empty(out.shape, np.min_scalar_type(kernel[0] * kernel[1]))
    winner[...] = inside[0][:, None] * kernel[1] + inside[1]  # (OH, 1) and (OW,) -> (N, C, OH, OW)
    for kh, kw, rows, columns in window_slices(kernel, stride, dilation, (OH, OW)):
        candidate = xp[:, :, rows, columns]  # (N, C, OH, OW)
        better = (candidate > out) | np.isnan(candidate)
        np.maximum(out, candidate, out=out)
        # Elements come in rising order, so the largest number among the better ones is the last that was better.
        np.maximum(winner, better * winner.dtype.type(kh * kernel[1] + kw), out=winner)
    return out, MaxPool2dCache(winner, x.shape, xp.shape[2:], kernel, stride, padding, dilation)


def max_pool2d_backward(dout: Array, cache: MaxPool2dCache) -> Array:
    """Gradient of `max_pool2d`: dx (N, C, H, W), for dout (N, C, OH, OW)."""
    of_forward("max_pool2d_backward", cache, MaxPool2dCache)
    of_output("max_pool2d_backward", dout, cache.winner.shape)
    N, C, H, W = cache.shape
    PH, PW = cache.padding
    dxp = np.zeros((N, C, *cache.padded), dout.dtype)
    out, nothing = (dout.shape[2], dout.shape[3]), dout.dtype.type(0)  # an infinite dout times zero would be NaN
    for kh, kw, rows, columns in window_slices(cache.kernel, cache.stride, cache.dilation, out):
        dxp[:, :, rows, columns] += np.where(cache.winner == kh * cache.kernel[1] + kw, dout, nothing)
    return dxp[:, :, PH : PH + H, PW : PW + W]
