"""Conv2d: the same small weighted sum at every place of an image."""

from typing import NamedTuple

import numpy as np

from numpynet.checks import FLOATS, arrays_of, no_empty_axis, of_shape, same_dtype
from numpynet.functional.arguments import of_forward, of_output
from numpynet.functional.windows import output_sizes, pad, pair, window_slices
from numpynet.typing import Array, IntOrPair, Pair


class Conv2dCache(NamedTuple):
    """What `conv2d_backward` needs."""

    x: Array  # (N, C, H, W); its unfolded form is KH KW times as large and quick to make again
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

    with xp, x with `padding` zeros on each side.

    Shapes: x (N, C, H, W); weight (F, C, KH, KW); bias (F,) or None; out (N, F, OH, OW) with
    OH = (H + 2 padding - dilation (KH - 1) - 1) // stride + 1, and OW alike.

    The sum over c, kh, kw is a matrix product. Column (oh, ow) of the matrix unfolded[n] holds the window that output
    (oh, ow) sees, as C KH KW numbers ("im2col"). With weight as (F, C KH KW), out[n] = weight unfolded[n].

    Backward, by the rules of a matrix product (see linear.py)::

        dweight      = sum_n dout[n] unfolded[n]^T     every place where the filter was laid
        dunfolded[n] = weight^T dout[n]
        dxp[n]       = dunfolded[n], folded: each pixel gets the *sum* of what all windows that see it send back
        dx           = dxp without its border
        dbias[f]     = sum_{n, oh, ow} dout[n, f, oh, ow]

    Other texts teach dxp as a convolution with rotated filters: the cross-correlation of dout with the filters turned
    by 180 degrees, C and F swapped, where dout has stride - 1 zeros between its numbers and dilation (KH - 1) rows and
    dilation (KW - 1) columns of zeros around it ("full" padding). It is the same sum, sorted by pixels instead of by
    windows: test_conv2d_backward_is_the_convolution_with_rotated_filters in tests/functional/test_by_definition.py.

    The cache holds x and weight: the gradient of each is made of the other.

    As torch.nn.functional.conv2d, with groups=1 and zero padding. ValueError if shapes do not fit, or the kernel is
    larger than the padded image.
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
    OH, OW = output_sizes(x.shape[2:], (KH, KW), stride, padding, dilation)
    if OH < 1 or OW < 1:
        raise ValueError(
            f"conv2d: x of shape {x.shape} with padding {padding} is smaller than the kernel "
            f"{(KH, KW)} with dilation {dilation}"
        )
    same_dtype("conv2d", x=x, weight=weight, bias=bias)
    xp = pad(x, padding)
    filters = weight.reshape(F, -1)  # (F, C, KH, KW) -> (F, C KH KW)
    out = np.empty((len(x), F, OH * OW), np.result_type(x, weight))
    for n in range(len(x)):  # image by image, so that the unfolded one stays in the processor's fast memory
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
        unfolded = unfold(xp[n], kernel, stride, dilation, (OH, OW))  # (C KH KW, OH OW)
        dfilters += dout[n] @ unfolded.T  # (F, OH OW) @ (OH OW, C KH KW) -> (F, C KH KW)
        dunfolded = filters.T @ dout[n]  # (C KH KW, F) @ (F, OH OW) -> (C KH KW, OH OW)
        fold(dunfolded, dxp[n], kernel, stride, dilation, (OH, OW))
    dx = dxp[:, :, PH : PH + H, PW : PW + W]
    dweight = dfilters.reshape(weight.shape)  # (F, C KH KW) -> (F, C, KH, KW)
    dbias = dout.sum(axis=(0, 2)) if cache.has_bias else None  # (N, F, OH OW) -> (F,)
    return dx, dweight, dbias


def output_shape(cache: Conv2dCache) -> tuple[int, ...]:
    """(N, F, OH, OW): the shape of the output that came with the cache."""
    x, weight = cache.x, cache.weight
    kernel = (weight.shape[2], weight.shape[3])
    return len(x), len(weight), *output_sizes(x.shape[2:], kernel, cache.stride, cache.padding, cache.dilation)


def unfold(image: Array, kernel: Pair, stride: Pair, dilation: Pair, out_size: Pair) -> Array:
    """Every window of one padded image (C, ., .) as a column: (C KH KW, OH OW)."""
    unfolded = np.empty((len(image), *kernel, *out_size), image.dtype)  # (C, KH, KW, OH, OW)
    for kh, kw, rows, columns in window_slices(kernel, stride, dilation, out_size):
        unfolded[:, kh, kw] = image[:, rows, columns]  # (C, OH, OW)
    return unfolded.reshape(-1, out_size[0] * out_size[1])  # (C, KH, KW, OH, OW) -> (C KH KW, OH OW)


def fold(dunfolded: Array, dimage: Array, kernel: Pair, stride: Pair, dilation: Pair, out_size: Pair) -> None:
    """The transpose of `unfold`: adds each number to the pixel of dimage (C, ., .) that `unfold` would copy it from.

    ValueError if dunfolded has another shape than (C KH KW, OH OW), such as that of a product with exchanged factors.
    """
    of_shape((len(dimage) * kernel[0] * kernel[1], out_size[0] * out_size[1]), "fold", dunfolded=dunfolded)
    dunfolded = dunfolded.reshape(len(dimage), *kernel, *out_size)  # (C KH KW, OH OW) -> (C, KH, KW, OH, OW)
    for kh, kw, rows, columns in window_slices(kernel, stride, dilation, out_size):
        dimage[:, rows, columns] += dunfolded[:, kh, kw]  # (C, OH, OW)
