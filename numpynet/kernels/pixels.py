"""Images whose channels are neighbours in memory, and pieces of them with a frame of zeros.

The shape of an array stays (N, C, H, W), as everywhere; only the order in memory is (N, H, W, C), which PyTorch calls
channels_last. A vector then holds 16 channels of one pixel, whatever the size of the picture, and a row of windows
is a row of pixels.
"""

import numpy as np

from numpynet.kernels.buffers import empty
from numpynet.kernels.code_cache import njit
from numpynet.typing import Array
from numpynet.workers import run

LARGE = 1 << 16
"""Numbers from which on a copy with its axes swapped is divided among the threads."""

BLOCK = 16
"""Rows and columns of the squares in which axes are swapped: a line of the cache is read, and one is written."""


def pixels_of(x: Array) -> Array:
    """x (N, C, H, W) as a contiguous (N, H, W, C): a view if its memory has this order, otherwise a copy."""
    pixels = x.transpose(0, 2, 3, 1)
    if pixels.flags.c_contiguous or not x.flags.c_contiguous or x.size < LARGE:
        return np.ascontiguousarray(pixels)
    N, C, H, W = x.shape
    out = empty(pixels.shape, x.dtype)
    channels, rows = x.reshape(N, C, H * W), out.reshape(N, H * W, C)
    run(lambda n: swap_axes(channels[n], rows[n]), N)
    return out


def has_channels_last(x: Array) -> bool:
    """Whether x (N, C, H, W) lies in memory as (N, H, W, C), and not as its shape says."""
    return x.ndim == 4 and not x.flags.c_contiguous and x.transpose(0, 2, 3, 1).flags.c_contiguous


def images_of(pixels: Array) -> Array:
    """The view (N, C, H, W) of pixels (N, H, W, C)."""
    return pixels.transpose(0, 3, 1, 2)


@njit(nogil=True, cache=True)
def swap_axes(matrix, out):  # type: ignore[no-untyped-def]
    """out (columns, rows) = the transpose of matrix (rows, columns)."""
    rows, columns = matrix.shape
    for left in range(0, columns, BLOCK):
        for top in range(0, rows, BLOCK):
            for j in range(left, min(columns, left + BLOCK)):
                for i in range(top, min(rows, top + BLOCK)):
                    out[j, i] = matrix[i, j]


@njit(nogil=True, cache=True)
def cut(image, top, left, piece):  # type: ignore[no-untyped-def]
    """piece[i, j] = image[top + i, left + j], and 0 outside of the image; image (H, W, C), piece (rows, columns, C)."""
    H, W, C = image.shape
    rows, columns, _ = piece.shape
    first = min(columns, max(0, -left))
    last = max(first, min(columns, W - left))
    source, target = image.reshape(-1), piece.reshape(-1)
    for i in range(rows):
        h, begin = top + i, i * columns * C
        if h < 0 or h >= H:
            target[begin : begin + columns * C] = 0
            continue
        target[begin : begin + first * C] = 0
        from_, to = (h * W + left + first) * C, begin + first * C
        row, out = source[from_ : from_ + (last - first) * C], target[to : to + (last - first) * C]
        for k in range(out.size):
            out[k] = row[k]
        target[to + out.size : begin + columns * C] = 0


@njit(nogil=True, cache=True)
def paste(piece, image, top):  # type: ignore[no-untyped-def]
    """image[top + i, j] = piece[i, j] for all i and j that lie in both; image (H, W, C), piece (rows, columns, C)."""
    H, W, C = image.shape
    rows, columns, _ = piece.shape
    source, target = piece.reshape(-1), image.reshape(-1)
    for i in range(min(rows, H - top)):
        row = source[i * columns * C : (i * columns + min(W, columns)) * C]
        out = target[(top + i) * W * C : ((top + i) * W + min(W, columns)) * C]
        for k in range(out.size):
            out[k] = row[k]


@njit(nogil=True, cache=True)
def add_piece(piece, image, top, left, first):  # type: ignore[no-untyped-def]
    """image[top + i, left + j] += piece[i, j], inside of the image (H, W, C). `first`: the image is set to 0 before."""
    H, W, C = image.shape
    rows, columns, _ = piece.shape
    source, target = piece.reshape(-1), image.reshape(-1)
    if first:
        for k in range(target.size):
            target[k] = 0
    for i in range(max(0, -top), min(rows, H - top)):
        begin, end = max(0, -left), min(columns, W - left)
        row = source[(i * columns + begin) * C : (i * columns + end) * C]
        at = ((top + i) * W + left + begin) * C
        out = target[at : at + row.size]
        for k in range(out.size):
            out[k] += row[k]
