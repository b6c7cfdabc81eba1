"""Conv2d: the same small weighted sum at every place of an image."""

from typing import NamedTuple

import numpy as np

from numpynet.checks import FLOATS, arrays_of, no_empty_axis, of_shape, same_dtype
from numpynet.functional.arguments import of_forward, of_output
from numpynet.functional.windows import output_size, pad, window_slices
from numpynet.typing import Array, IntOrPair, Pair, pair


class Conv2dCache(NamedTuple):
    """What `conv2d_backward` needs."""

    x: Array  # (N, C, H, W), not its unfolding, which is KH KW times as large and quick to make again
    weight: Array  # (F, C, KH, KW)
    has_bias: bool
    stride: Pair
    padding: Pair
    dilation: Pair


def conv2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
) -> tuple[Array, Conv2dCache]:
    """Cross-correlate the images x with the filters `weight`::

        out[n, f, oh, ow] = bias[f] + sum_{c, kh, kw} weight[f, c, kh, kw]
                                      xp[n, c, oh stride + kh dilation, ow stride + kw dilation]

    where xp is x with `padding` zeros on each side.

    Shapes: x (N, C, H, W); weight (F, C, KH, KW); bias (F,) or None; out (N, F, OH, OW) with
    OH = (H + 2 padding - dilation (KH - 1) - 1) // stride + 1, and OW alike.

    The sum over c, kh, kw is a matrix product. Let cols[n] hold, in column p = (oh, ow), the window that output p
    sees, as C KH KW numbers ("unfolding" or im2col); then out[n] = weight cols[n] with weight as (F, C KH KW).

    Backward. Convolution is linear in each argument, so the rules of a matrix product hold (see linear.py)::

        dL/dweight = sum_n dout[n] cols[n]^T                every place where the filter was laid
        dL/dcols   = weight^T dout[n]
        dL/dxp     = dcols folded back: a pixel seen by several windows gets the *sum* of what each sends
        dL/dx      = dL/dxp without its border
        dL/dbias   = sum_{n, oh, ow} dout

    The cache holds x and weight, since each one's gradient is made of the other.

    As torch.nn.functional.conv2d, with groups=1 and zero padding.
    """
    stride, padding = pair(stride, "conv2d: stride"), pair(padding, "conv2d: padding", 0)
    dilation = pair(dilation, "conv2d: dilation")
    arrays_of(FLOATS, "conv2d", x=x, weight=weight)
    if weight.ndim != 4:
        raise ValueError(f"conv2d: weight must have shape (F, C, KH, KW), got {weight.shape}")
    if x.ndim != 4 or x.shape[1] != weight.shape[1]:
        raise ValueError(f"conv2d: x must have shape (N, {weight.shape[1]}, H, W), got {x.shape}")
    F, _, KH, KW = weight.shape
    no_empty_axis(weight, "conv2d: weight", 0)
    no_empty_axis(x, "conv2d: x")
    of_shape((F,), "conv2d", bias=bias)
    OH, OW = (output_size(x.shape[2 + i], (KH, KW)[i], stride[i], padding[i], dilation[i]) for i in (0, 1))
    if OH < 1 or OW < 1:
        raise ValueError(
            f"conv2d: x of shape {x.shape} with padding {padding} is smaller than the kernel "
            f"{(KH, KW)} with dilation {dilation}"
        )
    same_dtype("conv2d", x=x, weight=weight, bias=bias)
    xp = pad(x, padding)
    filters = weight.reshape(F, -1)  # (F, C, KH, KW) -> (F, C KH KW)
    out = np.empty((len(x), F, OH * OW), np.result_type(x, weight))
    for n in range(len(x)):  # image by image, so that the unfolding of one stays in the processor's cache
        out[n] = filters @ unfold(xp[n], (KH, KW), stride, dilation, (OH, OW))  # (F, C KH KW) @ (C KH KW, OH OW)
    if bias is not None:
        out += bias[:, None]  # (F, 1)
    cache = Conv2dCache(x, weight, bias is not None, stride, padding, dilation)
    return out.reshape(-1, F, OH, OW), cache  # (N, F, OH OW) -> (N, F, OH, OW)


def conv2d_backward(dout: Array, cache: Conv2dCache) -> tuple[Array, Array, Array | None]:
    """Gradients of `conv2d`: dx (N, C, H, W), dweight (F, C, KH, KW), dbias (F,) or None, for dout (N, F, OH, OW)."""
    of_forward("conv2d_backward", cache, Conv2dCache)
    of_output("conv2d_backward", dout, output_shape(cache))
    x, weight, stride, dilation = cache.x, cache.weight, cache.stride, cache.dilation
    N, F, OH, OW = dout.shape
    kernel, (PH, PW), (H, W) = weight.shape[2:], cache.padding, x.shape[2:]
    xp = pad(x, cache.padding)
    filters = weight.reshape(F, -1)  # (F, C, KH, KW) -> (F, C KH KW)
    dout = dout.reshape(N, F, OH * OW)  # (N, F, OH, OW) -> (N, F, OH OW)

    dxp = np.zeros_like(xp)
    dfilters = np.zeros_like(filters)
    for n in range(N):
        cols = unfold(xp[n], kernel, stride, dilation, (OH, OW))  # (C KH KW, OH OW)
        dfilters += dout[n] @ cols.T  # (F, OH OW) @ (OH OW, C KH KW) -> (F, C KH KW)
        dcols = filters.T @ dout[n]  # (C KH KW, F) @ (F, OH OW) -> (C KH KW, OH OW)
        fold(dcols, dxp[n], kernel, stride, dilation, (OH, OW))
    dx = dxp[:, :, PH : PH + H, PW : PW + W]
    dweight = dfilters.reshape(weight.shape)  # (F, C KH KW) -> (F, C, KH, KW)
    dbias = dout.sum(axis=(0, 2)) if cache.has_bias else None  # (N, F, OH OW) -> (F,)
    return dx, dweight, dbias


def output_shape(cache: Conv2dCache) -> tuple[int, ...]:
    """(N, F, OH, OW): that of the output which came with the cache."""
    x, weight = cache.x, cache.weight
    rules = zip(x.shape[2:], weight.shape[2:], cache.stride, cache.padding, cache.dilation, strict=True)
    return len(x), len(weight), *(output_size(*rule) for rule in rules)


def unfold(image: Array, kernel: Pair, stride: Pair, dilation: Pair, out: Pair) -> Array:
    """Every window of one padded image (C, ., .) as a column: (C KH KW, OH OW)."""
    C = len(image)
    cols = np.empty((C, *kernel, *out), image.dtype)
    for kh, kw, rows, columns in window_slices(kernel, stride, dilation, out):
        cols[:, kh, kw] = image[:, rows, columns]  # (C, OH, OW)
    return cols.reshape(-1, out[0] * out[1])  # (C, KH, KW, OH, OW) -> (C KH KW, OH OW)


def fold(dcols: Array, dimage: Array, kernel: Pair, stride: Pair, dilation: Pair, out: Pair) -> None:
    """The transpose of `unfold`: adds each number of dcols to the pixel of dimage (C, ., .) that it was copied from."""
    C = len(dimage)
    dcols = dcols.reshape(C, *kernel, *out)  # (C KH KW, OH OW) -> (C, KH, KW, OH, OW)
    for kh, kw, rows, columns in window_slices(kernel, stride, dilation, out):
        dimage[:, rows, columns] += dcols[:, kh, kw]  # (C, OH, OW)
