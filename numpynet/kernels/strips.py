"""What the convolutions share: the output is made, and its gradient used, a strip at a time.

The readable convolution unfolds a whole image, up to 14 MB in the keypoint network, writes that to memory and reads it
back. A strip is small enough to stay in the processor's caches while it is multiplied. It is some rows of one image;
or, where an image has so few pixels that its product would be thin, several images side by side.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from numpynet.functional.windows import output_size
from numpynet.kernels.buffers import empty
from numpynet.kernels.strips_loops import Geometry, fold_rows, unfold_rows
from numpynet.typing import Array, Pair
from numpynet.workers import run

STRIP = 1 << 21
"""About how many bytes of unfolded image, and of the output that belongs to it, are worked on at a time."""

PIXELS = 3 << 10
"""How many pixels of the output at most: a first layer's windows are so small that its strips would be too long."""

WIDE = 256
"""From how many pixels on a strip needs no further image: a matrix product gains nothing from more columns."""

SHARES = 8
"""Into how many strips, at least, the images are divided if there are as many: threads must have something to take."""

GROUPS = 16
"""Into how many groups, at most, the strips are divided that add up their filters' gradients."""


class Strip(NamedTuple):
    """Output rows top .. bottom of the images first .. last: all rows, or a single image."""

    first: int
    last: int
    top: int
    bottom: int

    @property
    def images(self) -> slice:
        """For an array (N, ...)."""
        return slice(self.first, self.last)


class Strips(NamedTuple):
    """How the output of a convolution is cut."""

    images: int  # in a strip
    rows: int  # of an image, in a strip
    each: int  # strips of an image; 1 where a strip has several
    all_images: int
    height: int

    @property
    def total(self) -> int:
        """How many strips there are."""
        return -(-self.all_images // self.images) * self.each

    def where(self, i: int) -> Strip:
        """What strip i is made of."""
        number, part = divmod(i, self.each)
        first, top = number * self.images, part * self.rows
        return Strip(first, min(self.all_images, first + self.images), top, min(self.height, top + self.rows))


def geometry_of(
    images: tuple[int, ...], weight: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair
) -> Geometry:
    """For images (N, C, H, W) and weight (F, C, KH, KW)."""
    OH, OW = (output_size(images[2 + i], weight[2 + i], stride[i], padding[i], dilation[i]) for i in (0, 1))
    _, C, H, W = images
    KH, KW = weight[2:]
    return Geometry(C, H, W, KH, KW, *stride, *padding, *dilation, OH, OW)


def strips_of(g: Geometry, images: int, filters: int, itemsize: int) -> Strips:
    """Strips of about STRIP bytes or PIXELS pixels, whichever is less, but of one row at least."""
    pixels, size = min(STRIP // ((g.depth + filters) * itemsize), PIXELS), g.OH * g.OW
    rows = min(max(1, pixels // g.OW), g.OH)
    side_by_side = max(1, min(pixels // size, -(-WIDE // size), -(-images // SHARES)))
    return Strips(side_by_side, rows, -(-g.OH // rows), images, g.OH)


def unfold(x: Array, strip: Strip, g: Geometry) -> Array:
    """The windows of the strip as columns (C KH KW, .), for x (N, C, H W)."""
    if (pixels := _unfolded_already(x, strip, g)) is not None:
        return pixels
    cols = empty((g.depth, (strip.last - strip.first) * (strip.bottom - strip.top) * g.OW), x.dtype)
    unfold_rows(x[strip.images], cols, strip.top, strip.bottom, g)
    return cols


def _unfolded_already(x: Array, strip: Strip, g: Geometry) -> Array | None:
    """The pixels themselves (C, .), no copy, where each is a window of its own and all are of one image."""
    if g.is_pointwise and strip.last - strip.first == 1:
        return x[strip.first][:, strip.top * g.W : strip.bottom * g.W]
    return None


def side_by_side(rows: Array, strip: Strip, g: Geometry) -> Array:
    """The strip of rows (N, F, OH OW), as (F, .)."""
    if strip.last - strip.first == 1:
        return rows[strip.first][:, strip.top * g.OW : strip.bottom * g.OW]
    part = rows[strip.images]
    together = empty((part.shape[1], len(part) * part.shape[2]), rows.dtype)
    together.reshape(len(together), len(part), -1)[...] = part.transpose(1, 0, 2)  # (n, F, OH OW) -> (F, n, OH OW)
    return together


def convolve(
    x: Array, filters: Array, g: Geometry, strips: Strips, finish: Callable[[int, Array, int, int], None]
) -> Array:
    """The convolution (N, F, OH OW) of x (N, C, H, W) with filters (F, C KH KW).

    finish(i, rows, begin, end): called when columns begin .. end of the contiguous rows (F, .) hold strip i, while it
    is in the cache; it may change them.
    """
    x = x.reshape(len(x), g.C, g.H * g.W)  # (N, C, H, W) -> (N, C, H W)
    out = empty((len(x), len(filters), g.OH * g.OW), x.dtype)

    def make(i: int) -> None:
        strip = strips.where(i)
        cols = unfold(x, strip, g)
        if strip.last - strip.first == 1:
            rows, begin, end = out[strip.first], strip.top * g.OW, strip.bottom * g.OW
            np.matmul(filters, cols, out=rows[:, begin:end])
            finish(i, rows, begin, end)
        else:
            rows = np.matmul(filters, cols, out=empty((len(filters), cols.shape[1]), x.dtype))
            finish(i, rows, 0, rows.shape[1])
            apart = rows.reshape(len(rows), -1, out.shape[2])  # (F, n OH OW) -> (F, n, OH OW)
            out[strip.images] = apart.transpose(1, 0, 2)  # (F, n, OH OW) -> (n, F, OH OW)

    run(make, strips.total)
    return out


def gradients(
    x: Array,
    filters: Array,
    g: Geometry,
    strips: Strips,
    dout_of: Callable[[int, Strip], Array],
    input_gradient: bool = True,
) -> tuple[Array | None, Array]:
    """dx of x's shape (None unless asked for) and dfilters (F, C KH KW).

    filters (F, C KH KW); dout_of(i, strip) gives dL/dout of strip i, (F, .).

    Threads take a group of strips each. A strip is unfolded once for dfilters, and dcols of the same strip are folded
    while they are still in the cache. Each group has its own dfilters, which are added up in the order of the groups:
    the sum does not depend on which thread was faster, nor on how many there are.
    """
    shape, x = x.shape, x.reshape(len(x), g.C, g.H * g.W)  # (N, C, H, W) -> (N, C, H W)
    parts = strips.total // strips.each  # no two of which share an image
    groups = min(parts, GROUPS)
    dx = empty(x.shape, x.dtype) if input_gradient else None
    partial = empty((groups, *filters.shape), x.dtype)

    def group(number: int) -> None:
        partial[number] = 0
        share = empty(filters.shape, x.dtype)
        begin, end = (parts * k // groups * strips.each for k in (number, number + 1))
        for i in range(begin, end):
            strip = strips.where(i)
            dout, cols = dout_of(i, strip), unfold(x, strip, g)
            partial[number] += np.matmul(dout, cols.T, out=share)  # (F, .) @ (., C KH KW)
            if dx is not None:
                _send_back(filters, dout, cols, dx, strip, g)

    run(group, groups)
    return None if dx is None else dx.reshape(shape), _sum(partial)


def _send_back(filters: Array, dout: Array, cols: Array, dx: Array, strip: Strip, g: Geometry) -> None:
    """dx of what the strip saw, (n, C, H W), in a fresh dx; the columns, no longer needed, give the memory."""
    if (pixels := _unfolded_already(dx, strip, g)) is not None:
        np.matmul(filters.T, dout, out=pixels)  # (C, F) @ (F, .)
        return
    if strip.top == 0:
        dx[strip.images] = 0
    dcols = np.matmul(filters.T, dout, out=cols)  # (C KH KW, F) @ (F, .)
    fold_rows(dcols, dx[strip.images], strip.top, strip.bottom, g)


def _sum(partial: Array) -> Array:
    """Over the groups, in their order: (groups, F, C KH KW) -> (F, C KH KW)."""
    total = np.empty_like(partial[0])
    blocks = min(len(total), GROUPS)

    def block(number: int) -> None:
        rows = slice(*(len(total) * k // blocks for k in (number, number + 1)))
        np.sum(partial[:, rows], axis=0, out=total[rows])

    run(block, blocks)
    return total
