"""What the convolutions share: an image is unfolded a strip of output rows at a time.

The readable convolution unfolds a whole image, up to 14 MB in the keypoint network, writes that to memory and reads it
back. A strip is small enough to stay in the processor's caches while it is multiplied.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit

from numpynet.buffers import empty, zeros
from numpynet.functional.windows import output_size
from numpynet.typing import Array, Pair
from numpynet.workers import run

STRIP = 1 << 21
"""About how many bytes of unfolded image, and of the output that belongs to it, are worked on at a time."""

PIXELS = 3 << 10
"""How many pixels of the output at most: a first layer's windows are so small that its strips would be too long."""

GROUPS = 16
"""Into how many groups, at most, the images are divided that add up their filters' gradients."""


class Geometry(NamedTuple):
    """How the windows of a convolution lie on its images; integers alone, since compiled loops read it, too."""

    C: int
    H: int
    W: int
    KH: int
    KW: int
    SH: int
    SW: int
    PH: int
    PW: int
    DH: int
    DW: int
    OH: int
    OW: int

    @property
    def depth(self) -> int:
        """Numbers in a window."""
        return self.C * self.KH * self.KW


class Strips(NamedTuple):
    """The output rows of each image, `rows` at a time: strip i has rows top .. bottom of image n."""

    rows: int
    each: int  # strips an image
    height: int

    def where(self, i: int) -> tuple[int, int, int]:
        """n, top and bottom."""
        n, number = divmod(i, self.each)
        top = number * self.rows
        return n, top, min(self.height, top + self.rows)


def geometry_of(
    images: tuple[int, ...], weight: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair
) -> Geometry:
    """For images (N, C, H, W) and weight (F, C, KH, KW)."""
    OH, OW = (output_size(images[2 + i], weight[2 + i], stride[i], padding[i], dilation[i]) for i in (0, 1))
    _, C, H, W = images
    KH, KW = weight[2:]
    return Geometry(C, H, W, KH, KW, *stride, *padding, *dilation, OH, OW)


def strips_of(g: Geometry, filters: int, itemsize: int) -> Strips:
    """Strips of about STRIP bytes or PIXELS pixels, whichever is less, but of one row at least."""
    rows = min(STRIP // ((g.depth + filters) * itemsize), PIXELS) // g.OW
    rows = min(max(1, rows), g.OH)
    return Strips(rows, -(-g.OH // rows), g.OH)


def unfold_strip(image: Array, top: int, bottom: int, g: Geometry) -> Array:
    """The windows of output rows top .. bottom of one image (C, H, W), as columns (C KH KW, .)."""
    cols = empty((g.depth, (bottom - top) * g.OW), image.dtype)
    unfold_rows(image, cols, top, bottom, g)
    return cols


def gradients(
    x: Array,
    filters: Array,
    g: Geometry,
    strips: Strips,
    dout_of: Callable[[int, int, int], Array],
    input_gradient: bool = True,
) -> tuple[Array | None, Array]:
    """dx of x's shape (None unless asked for) and dfilters (F, C KH KW).

    filters (F, C KH KW); dout_of(n, top, bottom) gives dL/dout of these output rows, (F, rows OW).

    Threads take a group of images each. A strip is unfolded once for dfilters, and dcols of the same strip are folded
    while they are still in the cache. Each group has its own dfilters, which are added up in the order of the groups:
    the sum does not depend on which thread was faster, nor on how many there are.
    """
    N, F = len(x), len(filters)
    groups = min(N, GROUPS)
    dx = empty(x.shape, x.dtype) if input_gradient else None
    partial = zeros((groups, *filters.shape), x.dtype)
    transposed = np.ascontiguousarray(filters.T)  # (F, C KH KW) -> (C KH KW, F)

    def group(number: int) -> None:
        share = empty(filters.shape, x.dtype)
        begin, end = N * number // groups, N * (number + 1) // groups
        if dx is not None:
            dx[begin:end] = 0
        for i in range(begin * strips.each, end * strips.each):
            n, top, bottom = strips.where(i)
            dout = dout_of(n, top, bottom)
            cols = unfold_strip(x[n], top, bottom, g)
            partial[number] += np.matmul(dout, cols.T, out=share)
            if dx is not None:
                fold_rows(np.matmul(transposed, dout, out=cols), dx[n], top, bottom, g)

    run(group, groups)
    dfilters = np.empty_like(filters)
    run(lambda f: np.sum(partial[:, f], axis=0, out=dfilters[f]), F)
    return dx, dfilters


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def add_rows(dout, sums):  # type: ignore[no-untyped-def]
    """Add the sum of each row of a contiguous dout (F, .), taken in float64."""
    for f in range(len(dout)):
        row = dout[f]
        total = 0.0
        for k in range(row.size):
            total += row[k]
        sums[f] += total


@njit(nogil=True, cache=True)
def unfold_rows(image, cols, top, bottom, g):  # type: ignore[no-untyped-def]
    """Copy each window of the output rows into a column; see `numpynet.functional.conv2d.unfold`."""
    j = 0
    for c in range(g.C):
        for kh in range(g.KH):
            for kw in range(g.KW):
                first, last = inside(kw * g.DW - g.PW, g)
                begin, end = first * g.SW + kw * g.DW - g.PW, last * g.SW + kw * g.DW - g.PW
                for r in range(top, bottom):
                    h = r * g.SH + kh * g.DH - g.PH
                    target = cols[j, (r - top) * g.OW : (r - top + 1) * g.OW]
                    if h < 0 or h >= g.H:
                        for w in range(g.OW):
                            target[w] = 0
                        continue
                    for w in range(first):
                        target[w] = 0
                    for w in range(last, g.OW):
                        target[w] = 0
                    source, seen = image[c, h, begin:end], target[first:last]
                    if g.SW == 1:  # apart, since only this loop can be vectorised
                        for w in range(seen.size):
                            seen[w] = source[w]
                    else:
                        for w in range(seen.size):
                            seen[w] = source[w * g.SW]
                j += 1


@njit(nogil=True, cache=True)
def fold_rows(dcols, dimage, top, bottom, g):  # type: ignore[no-untyped-def]
    """Add each column to the pixels that it was copied from; see `numpynet.functional.conv2d.fold`."""
    j = 0
    for c in range(g.C):
        for kh in range(g.KH):
            for kw in range(g.KW):
                first, last = inside(kw * g.DW - g.PW, g)
                begin, end = first * g.SW + kw * g.DW - g.PW, last * g.SW + kw * g.DW - g.PW
                for r in range(top, bottom):
                    h = r * g.SH + kh * g.DH - g.PH
                    if h < 0 or h >= g.H:
                        continue
                    source = dcols[j, (r - top) * g.OW + first : (r - top) * g.OW + last]
                    target = dimage[c, h, begin:end]
                    if g.SW == 1:
                        for w in range(source.size):
                            target[w] += source[w]
                    else:
                        for w in range(source.size):
                            target[w * g.SW] += source[w]
                j += 1


@njit(nogil=True, cache=True)
def inside(offset, g):  # type: ignore[no-untyped-def]
    """The outputs w, first .. last, whose pixel w SW + offset is not in the padding."""
    first = max(0, -(offset // g.SW))
    last = max(first, min(g.OW, (g.W - 1 - offset) // g.SW + 1))
    return min(first, g.OW), min(last, g.OW)
