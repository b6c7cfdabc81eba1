"""Convolution in strips of a few output rows; the mathematics stands in numpynet/functional/conv2d.py.

The readable convolution unfolds a whole image, up to 14 MB in the keypoint network, writes that to memory and reads it
back. Here a strip of rows is unfolded, small enough to stay in the processor's second cache, and multiplied at once.
Threads take an image each. In the backward pass a strip is unfolded once for dweight, and dcols of the same strip are
folded while they are still in the cache. Each image has its own dweight; they are added up in the order of the images,
so that the sum does not depend on which thread was faster.
"""

import numpy as np
from numba import njit

from numpynet import functional
from numpynet.buffers import empty, zeros
from numpynet.functional.conv2d import Conv2dCache
from numpynet.functional.windows import output_size, pad
from numpynet.typing import Array, IntOrPair, Pair, pair
from numpynet.workers import run

STRIP = 1 << 19
"""About how many bytes of unfolded image are multiplied at a time."""


def conv2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
) -> tuple[Array, Conv2dCache]:
    """See `numpynet.functional.conv2d`."""
    stride, padding = pair(stride, "conv2d: stride"), pair(padding, "conv2d: padding", 0)
    dilation = pair(dilation, "conv2d: dilation")
    if x.ndim != 4 or x.shape[1] != weight.shape[1] or x.dtype != weight.dtype:
        return functional.conv2d(x, weight, bias, stride, padding, dilation)  # which says what is wrong
    F, C, KH, KW = weight.shape
    OH, OW = (output_size(x.shape[2 + i], (KH, KW)[i], stride[i], padding[i], dilation[i]) for i in (0, 1))
    if OH < 1 or OW < 1:
        return functional.conv2d(x, weight, bias, stride, padding, dilation)
    xp = np.ascontiguousarray(pad(x, padding))
    filters = weight.reshape(F, -1)  # (F, C, KH, KW) -> (F, C KH KW)
    out = empty((len(x), F, OH * OW), x.dtype)
    rows = strip_rows(C * KH * KW, OH, OW, x.dtype.itemsize)

    def image(n: int) -> None:
        memory = empty((C * KH * KW * rows * OW,), x.dtype)
        for top in range(0, OH, rows):
            bottom = min(OH, top + rows)
            cols = unfold_strip(xp[n], memory, top, bottom, (KH, KW), stride, dilation, OW)
            np.matmul(filters, cols, out=out[n, :, top * OW : bottom * OW])
        if bias is not None:
            out[n] += bias[:, None]

    run(image, len(x))
    cache = Conv2dCache(x, weight, bias is not None, stride, padding, dilation)
    return out.reshape(-1, F, OH, OW), cache  # (N, F, OH OW) -> (N, F, OH, OW)


def conv2d_backward(dout: Array, cache: Conv2dCache) -> tuple[Array, Array, Array | None]:
    """See `numpynet.functional.conv2d_backward`."""
    x, weight, stride, dilation = cache.x, cache.weight, cache.stride, cache.dilation
    if dout.dtype != x.dtype or not len(dout):
        return functional.conv2d_backward(dout, cache)
    N, F, OH, OW = dout.shape
    (C, KH, KW), (PH, PW), (H, W) = weight.shape[1:], cache.padding, x.shape[2:]
    xp = np.ascontiguousarray(pad(x, cache.padding))
    filters = weight.reshape(F, -1)  # (F, C, KH, KW) -> (F, C KH KW)
    dout = np.ascontiguousarray(dout).reshape(N, F, OH * OW)  # (N, F, OH, OW) -> (N, F, OH OW)
    dxp = zeros(xp.shape, x.dtype)
    partial = zeros((N, *filters.shape), x.dtype)
    rows = strip_rows(C * KH * KW, OH, OW, x.dtype.itemsize)

    def image(n: int) -> None:
        memory = empty((C * KH * KW * rows * OW,), x.dtype)
        dmemory = empty((C * KH * KW * rows * OW,), x.dtype)
        share = empty(filters.shape, x.dtype)
        for top in range(0, OH, rows):
            bottom = min(OH, top + rows)
            cols = unfold_strip(xp[n], memory, top, bottom, (KH, KW), stride, dilation, OW)
            part = dout[n, :, top * OW : bottom * OW]
            partial[n] += np.matmul(part, cols.T, out=share)
            dcols = np.matmul(filters.T, part, out=dmemory[: cols.size].reshape(cols.shape))
            fold_rows(dcols, dxp[n], top, bottom, KH, KW, *stride, *dilation, OW)

    run(image, N)
    dweight = partial.sum(axis=0).reshape(weight.shape)  # (N, F, C KH KW) -> (F, C, KH, KW)
    dbias = dout.sum(axis=(0, 2)) if cache.has_bias else None  # (N, F, OH OW) -> (F,)
    return dxp[:, :, PH : PH + H, PW : PW + W], dweight, dbias


def strip_rows(depth: int, OH: int, OW: int, itemsize: int) -> int:
    """How many output rows one strip has, for `depth` unfolded numbers a pixel."""
    return max(1, min(OH, STRIP // (depth * OW * itemsize)))


def unfold_strip(
    image: Array, memory: Array, top: int, bottom: int, kernel: Pair, stride: Pair, dilation: Pair, OW: int
) -> Array:
    """The windows of output rows top .. bottom of one padded image (C, ., .), as columns (C KH KW, .) in `memory`."""
    depth = image.shape[0] * kernel[0] * kernel[1]
    cols = memory[: depth * (bottom - top) * OW].reshape(depth, -1)
    unfold_rows(image, cols, top, bottom, *kernel, *stride, *dilation, OW)
    return cols


@njit(nogil=True, cache=True)
def unfold_rows(image, cols, top, bottom, KH, KW, SH, SW, DH, DW, OW):  # type: ignore[no-untyped-def]
    """Copy each window of the output rows into a column; see `numpynet.functional.conv2d.unfold`."""
    j = 0
    for c in range(image.shape[0]):
        for kh in range(KH):
            for kw in range(KW):
                for r in range(top, bottom):
                    source = image[c, r * SH + kh * DH, kw * DW :]
                    target = cols[j, (r - top) * OW : (r - top + 1) * OW]
                    if SW == 1:  # apart, since only this loop can be vectorised
                        for w in range(OW):
                            target[w] = source[w]
                    else:
                        for w in range(OW):
                            target[w] = source[w * SW]
                j += 1


@njit(nogil=True, cache=True)
def fold_rows(dcols, dimage, top, bottom, KH, KW, SH, SW, DH, DW, OW):  # type: ignore[no-untyped-def]
    """Add each column to the pixels that it was copied from; see `numpynet.functional.conv2d.fold`."""
    j = 0
    for c in range(dimage.shape[0]):
        for kh in range(KH):
            for kw in range(KW):
                for r in range(top, bottom):
                    target = dimage[c, r * SH + kh * DH, kw * DW :]
                    source = dcols[j, (r - top) * OW : (r - top + 1) * OW]
                    if SW == 1:
                        for w in range(OW):
                            target[w] += source[w]
                    else:
                        for w in range(OW):
                            target[w * SW] += source[w]
                j += 1
