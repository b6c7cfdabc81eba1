"""Convolution three times, by scattering, by a product and with rotated filters, and max pooling.

Shapes everywhere: x (N, C, H, W); weight (F, C, KH, KW); bias (F,); dout and out (N, F, OH, OW). Stride, padding and
dilation are the same in both directions here.
"""

import numpy as np

from numpynet.functional.conv2d import fold, unfold
from numpynet.functional.windows import output_sizes, pad
from numpynet.learn.convolutions import (
    backward_rotated,
    backward_scatter,
    forward_windows,
    rotated_filters,
    spread_out,
)
from numpynet.learn.derivations.staged import Staged
from numpynet.typing import Array


def conv2d_scatter(
    x: Array, weight: Array, bias: Array, dout: Array, stride: int = 1, padding: int = 0, dilation: int = 1
) -> Staged:
    """Window by window: an output gathers from its window, and its gradient is scattered over the same window."""
    xp = pad(x, (padding, padding))
    geometry = ((stride, stride), (0, 0), (dilation, dilation))
    out = forward_windows(xp, weight, bias, *geometry)
    dxp, dweight, dbias = backward_scatter(dout, xp, weight, *geometry)
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
    xp = pad(x, (padding, padding))
    geometry = ((stride, stride), (0, 0), (dilation, dilation))
    out = forward_windows(xp, weight, bias, *geometry)
    dxp, dweight, dbias = backward_rotated(dout, xp, weight, *geometry)
    dx = _without_padding(dxp, padding)
    # What dxp is a convolution of: dout with zeros between its numbers and around them, and the filters.
    reach = (dilation * (weight.shape[2] - 1), dilation * (weight.shape[3] - 1))
    spread = spread_out(dout, (xp.shape[2] - reach[0], xp.shape[3] - reach[1]), (stride, stride))
    framed, rotated = pad(spread, reach), rotated_filters(weight)
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
