"""Convolution three times, by scattering, by a product and with rotated filters, and max pooling.

Shapes everywhere: x (N, C, H, W); weight (F, C, KH, KW); bias (F,); dout and out (N, F, OH, OW). Stride, padding and
dilation are the same in both directions here.
"""

import itertools

import numpy as np

from numpynet.functional.conv2d import conv2d, fold, unfold
from numpynet.functional.windows import output_sizes, pad
from numpynet.learn.derivations.staged import Staged
from numpynet.typing import Array


def conv2d_scatter(
    x: Array, weight: Array, bias: Array, dout: Array, stride: int = 1, padding: int = 0, dilation: int = 1
) -> Staged:
    """Window by window: an output gathers from its window, and its gradient is scattered over the same window."""
    xp = pad(x, (padding, padding))
    out, dxp, dweight = np.empty_like(dout), np.zeros_like(xp), np.zeros_like(weight)
    for n, f, oh, ow in itertools.product(*map(range, dout.shape)):
        top, left = oh * stride, ow * stride
        rows = slice(top, top + dilation * (weight.shape[2] - 1) + 1, dilation)
        columns = slice(left, left + dilation * (weight.shape[3] - 1) + 1, dilation)
        window = xp[n, :, rows, columns]
        # forward: a window becomes a number
        out[n, f, oh, ow] = (weight[f] * window).sum() + bias[f]
        # backward: a number becomes a window
        dxp[n, :, rows, columns] += dout[n, f, oh, ow] * weight[f]
        dweight[f] += dout[n, f, oh, ow] * window
    dbias = dout.sum(axis=(0, 2, 3))
    dx = _without_padding(dxp, padding)
    return {"x": (x, dx), "xp": (xp, dxp), "weight": (weight, dweight), "bias": (bias, dbias), "out": (out, dout)}


def conv2d_product(
    x: Array, weight: Array, bias: Array, dout: Array, stride: int = 1, padding: int = 0, dilation: int = 1
) -> Staged:
    """All windows as the columns of a matrix, and one matrix product per image. This is what numpynet runs."""
    N, F, OH, OW = dout.shape
    kernel = (weight.shape[2], weight.shape[3])
    geometry = (kernel, (stride, stride), (dilation, dilation), (OH, OW))
    # forward
    xp = pad(x, (padding, padding))
    unfolded = np.stack([unfold(image, *geometry) for image in xp])  # (N, C KH KW, OH OW)
    filters = weight.reshape(F, -1)  # (F, C KH KW)
    product = filters @ unfolded  # (N, F, OH OW)
    out = product.reshape(dout.shape) + bias[:, None, None]
    # backward
    dbias = dout.sum(axis=(0, 2, 3))
    dproduct = dout.reshape(N, F, OH * OW)
    dfilters = (dproduct @ unfolded.transpose(0, 2, 1)).sum(axis=0)  # (N, F, OH OW) @ (N, OH OW, C KH KW)
    dweight = dfilters.reshape(weight.shape)
    dunfolded = filters.T @ dproduct  # (N, C KH KW, OH OW)
    dxp = np.zeros_like(xp)
    for n in range(N):
        fold(dunfolded[n], dxp[n], *geometry)
    dx = _without_padding(dxp, padding)
    return {
        "x": (x, dx),
        "xp": (xp, dxp),
        "unfolded": (unfolded, dunfolded),
        "weight": (weight, dweight),
        "filters": (filters, dfilters),
        "product": (product, dproduct),
        "bias": (bias, dbias),
        "out": (out, dout),
    }


def conv2d_rotated(
    x: Array, weight: Array, bias: Array, dout: Array, stride: int = 1, padding: int = 0, dilation: int = 1
) -> Staged:
    """Both gradients as convolutions: dxp of dout with the rotated filters, dweight of x with dout."""
    (N, F, OH, OW), (KH, KW) = dout.shape, weight.shape[2:]
    # forward
    xp = pad(x, (padding, padding))
    out = conv2d(xp, weight, bias, stride, 0, dilation)[0]
    # backward
    dbias = dout.sum(axis=(0, 2, 3))
    spread = np.zeros((N, F, (OH - 1) * stride + 1, (OW - 1) * stride + 1))
    spread[:, :, ::stride, ::stride] = dout  # stride - 1 zeros between the numbers
    framed = pad(spread, (dilation * (KH - 1), dilation * (KW - 1)))  # zeros around them
    rotated = weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)  # (C, F, KH, KW), turned by 180 degrees
    seen = conv2d(framed, rotated, None, 1, 0, dilation)[0]
    dxp = np.zeros_like(xp)  # with a stride, no window may see the last rows and columns
    dxp[:, :, : seen.shape[2], : seen.shape[3]] = seen
    dx = _without_padding(dxp, padding)
    # Here dout is the filter, and stride and dilation change places.
    by_channel = conv2d(xp.transpose(1, 0, 2, 3), dout.transpose(1, 0, 2, 3), None, dilation, 0, stride)[0]
    dweight = by_channel[:, :, :KH, :KW].transpose(1, 0, 2, 3)  # (C, F, KH, KW) -> (F, C, KH, KW)
    return {
        "x": (x, dx),
        "xp": (xp, dxp),
        "weight": (weight, dweight),
        "bias": (bias, dbias),
        "out": (out, dout),
        "spread": (spread, None),
        "framed": (framed, None),
        "rotated": (rotated, None),
    }


def max_pool2d(x: Array, kernel: int, stride: int, dout: Array) -> Staged:
    """out = the largest number of each window. The windows are an intermediate of their own: (N, C, K K, OH, OW)."""
    N, C = x.shape[:2]
    OH, OW = output_sizes(x.shape[2:], (kernel, kernel), (stride, stride), (0, 0), (1, 1))
    places = [(kh, kw) for kh in range(kernel) for kw in range(kernel)]
    seen_by = [
        (slice(kh, kh + stride * (OH - 1) + 1, stride), slice(kw, kw + stride * (OW - 1) + 1, stride))
        for kh, kw in places
    ]
    # forward
    windows = np.stack([x[:, :, rows, columns] for rows, columns in seen_by], axis=2)
    winner = windows.argmax(axis=2)  # (N, C, OH, OW)
    out = windows.max(axis=2)
    # backward: the winner takes the gradient, and the windows that a pixel is part of send it their sum
    dwindows = np.zeros((N, C, len(places), OH, OW))
    np.put_along_axis(dwindows, winner[:, :, None], dout[:, :, None], axis=2)
    dx = np.zeros_like(x)
    for place, (rows, columns) in enumerate(seen_by):
        dx[:, :, rows, columns] += dwindows[:, :, place]
    return {"x": (x, dx), "windows": (windows, dwindows), "winner": (winner, None), "out": (out, dout)}


def _without_padding(dxp: Array, padding: int) -> Array:
    H, W = dxp.shape[2] - 2 * padding, dxp.shape[3] - 2 * padding
    return dxp[:, :, padding : padding + H, padding : padding + W]
