"""The same convolution written in several ways: three forward, three backward.

The shortest to explain come first. `numpynet.functional.conv2d` is the last way of each: unfold and one product.
Shapes: x (N, C, H, W), weight (F, C, KH, KW), bias (F,), out and dout (N, F, OH, OW). Options as in conv2d.
"""

import numpy as np

from numpynet.functional.conv2d import fold, unfold
from numpynet.functional.windows import output_sizes, pad
from numpynet.typing import Array, Pair

Gradients = tuple[Array, Array, Array]
"""dx, dweight and dbias."""


def forward_loops(x: Array, weight: Array, bias: Array, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """One product at a time: seven loops, nothing else."""
    xp = pad(x, padding)
    (N, C, H, W), (F, _, KH, KW) = x.shape, weight.shape
    OH, OW = output_sizes((H, W), (KH, KW), stride, padding, dilation)
    out = np.empty((N, F, OH, OW))
    for n in range(N):
        for f in range(F):
            for oh in range(OH):
                for ow in range(OW):
                    out[n, f, oh, ow] = bias[f]
                    for c in range(C):
                        for kh in range(KH):
                            h = oh * stride[0] + kh * dilation[0]
                            for kw in range(KW):
                                w = ow * stride[1] + kw * dilation[1]
                                out[n, f, oh, ow] += weight[f, c, kh, kw] * xp[n, c, h, w]
    return out


def forward_windows(x: Array, weight: Array, bias: Array, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """One window at a time: cut it out, multiply with each filter, add up."""
    xp = pad(x, padding)
    kernel = (weight.shape[2], weight.shape[3])
    OH, OW = output_sizes(x.shape[2:], kernel, stride, padding, dilation)
    out = np.empty((len(x), len(weight), OH, OW))
    for oh in range(OH):
        for ow in range(OW):
            rows, columns = window_at(oh, ow, kernel, stride, dilation)
            window = xp[:, None, :, rows, columns]  # (N, 1, C, KH, KW)
            out[:, :, oh, ow] = (window * weight).sum(axis=(2, 3, 4)) + bias  # (N, F, C, KH, KW) -> (N, F)
    return out


def forward_product(x: Array, weight: Array, bias: Array, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """All windows at once: each becomes a column of a matrix, and one product does the rest."""
    xp = pad(x, padding)
    (F, _, KH, KW) = weight.shape
    OH, OW = output_sizes(x.shape[2:], (KH, KW), stride, padding, dilation)
    filters = weight.reshape(F, -1)  # (F, C, KH, KW) -> (F, C KH KW)
    out = [filters @ unfold(image, (KH, KW), stride, dilation, (OH, OW)) + bias[:, None] for image in xp]
    return np.stack(out).reshape(-1, F, OH, OW)  # (N, F, OH OW) -> (N, F, OH, OW)


def backward_scatter(dout: Array, x: Array, weight: Array, stride: Pair, padding: Pair, dilation: Pair) -> Gradients:
    """One window at a time: what window (oh, ow) multiplied on the way forward, it sends back to on the way back."""
    xp = pad(x, padding)
    dxp, dweight = np.zeros_like(xp), np.zeros_like(weight)
    kernel = (weight.shape[2], weight.shape[3])
    for oh in range(dout.shape[2]):
        for ow in range(dout.shape[3]):
            rows, columns = window_at(oh, ow, kernel, stride, dilation)
            sent = dout[:, :, oh, ow, None, None, None]  # (N, F, 1, 1, 1)
            dxp[:, :, rows, columns] += (sent * weight).sum(axis=1)  # (N, F, C, KH, KW) -> (N, C, KH, KW)
            dweight += (sent * xp[:, None, :, rows, columns]).sum(axis=0)  # (N, F, C, KH, KW) -> (F, C, KH, KW)
    return _inside(dxp, x, padding), dweight, dout.sum(axis=(0, 2, 3))


def backward_product(dout: Array, x: Array, weight: Array, stride: Pair, padding: Pair, dilation: Pair) -> Gradients:
    """All windows at once: the two gradients of a matrix product, and `fold`, which adds where windows overlap."""
    xp = pad(x, padding)
    (F, _, KH, KW), (OH, OW) = weight.shape, dout.shape[2:]
    filters = weight.reshape(F, -1)  # (F, C, KH, KW) -> (F, C KH KW)
    dxp, dfilters = np.zeros_like(xp), np.zeros_like(filters)
    for image, dimage, drows in zip(xp, dxp, dout.reshape(-1, F, OH * OW), strict=True):
        dfilters += drows @ unfold(image, (KH, KW), stride, dilation, (OH, OW)).T  # (F, C KH KW)
        fold(filters.T @ drows, dimage, (KH, KW), stride, dilation, (OH, OW))
    return _inside(dxp, x, padding), dfilters.reshape(weight.shape), dout.sum(axis=(0, 2, 3))


def backward_rotated(dout: Array, x: Array, weight: Array, stride: Pair, padding: Pair, dilation: Pair) -> Gradients:
    """Two forward convolutions: dout with the filters turned by 180 degrees is dx, and x with dout is dweight.

    For dx, dout gets stride - 1 zeros between its numbers and a border as wide as the filter reaches. For dweight,
    dout is the filter: stride and dilation change places.
    """
    xp = pad(x, padding)
    (_, C, H, W), (F, _, KH, KW), (OH, OW) = xp.shape, weight.shape, dout.shape[2:]
    reach = (dilation[0] * (KH - 1), dilation[1] * (KW - 1))
    spread = spread_out(dout, (H - reach[0], W - reach[1]), stride)
    dxp = forward_windows(spread, rotated_filters(weight), np.zeros(C), (1, 1), reach, dilation)
    seen = xp[:, :, : reach[0] + (OH - 1) * stride[0] + 1, : reach[1] + (OW - 1) * stride[1] + 1]
    dweight = forward_windows(seen.swapaxes(0, 1), dout.swapaxes(0, 1), np.zeros(F), dilation, (0, 0), stride)
    return _inside(dxp, x, padding), dweight.swapaxes(0, 1), dout.sum(axis=(0, 2, 3))  # (C, F, ...) -> (F, C, ...)


def window_at(oh: int, ow: int, kernel: Pair, stride: Pair, dilation: Pair) -> tuple[slice, slice]:
    """The rows and columns of the padded image that window (oh, ow) sees."""
    top, left = oh * stride[0], ow * stride[1]
    rows = slice(top, top + dilation[0] * (kernel[0] - 1) + 1, dilation[0])
    return rows, slice(left, left + dilation[1] * (kernel[1] - 1) + 1, dilation[1])


def spread_out(dout: Array, size: Pair, stride: Pair) -> Array:
    """dout (N, F, OH, OW) with stride - 1 zeros between its numbers, and zeros behind them up to `size`."""
    (N, F, OH, OW), (SH, SW) = dout.shape, stride
    spread = np.zeros((N, F, *size))
    spread[:, :, : (OH - 1) * SH + 1 : SH, : (OW - 1) * SW + 1 : SW] = dout
    return spread


def rotated_filters(weight: Array) -> Array:
    """The filters turned by 180 degrees, with filters and channels swapped: (F, C, KH, KW) -> (C, F, KH, KW)."""
    return weight[:, :, ::-1, ::-1].swapaxes(0, 1)


FORWARD = {"plain loops": forward_loops, "windows": forward_windows, "unfold and product": forward_product}
BACKWARD = {"scatter": backward_scatter, "product and fold": backward_product, "rotated filter": backward_rotated}


def _inside(dxp: Array, x: Array, padding: Pair) -> Array:
    """dxp without the border that the padding added."""
    (PH, PW), (H, W) = padding, x.shape[2:]
    return dxp[:, :, PH : PH + H, PW : PW + W]
