"""What the convolutions share: they make the output, and use its gradient, one strip at a time.

The readable convolution unfolds a whole image, up to 14 MB in the keypoint network, writes that to memory and reads it
back. A strip is small enough to stay in the processor's caches while it is multiplied. It is a few output rows of one
image or, if the images have so few pixels that the matrix product would be thin, several images side by side.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from numpynet.kernels.buffers import empty
from numpynet.kernels.windows import Geometry, fold_rows, unfold_rows
from numpynet.typing import Array
from numpynet.workers import run

STRIP_BYTES = 1 << 21
"""Bytes that a strip may take, unfolded image and output together."""

STRIP_PIXELS = 3 << 10
"""Output pixels that a strip may have: the windows of a first layer are so small that STRIP_BYTES allows too many."""

WIDE = 256
"""Columns beyond which a wider matrix product is no faster: a strip with this many pixels takes no further image."""

LEAST_STRIPS = 8
"""The batch is cut into at least this many strips, if it has as many images, so that every thread has work."""

GROUPS = 16
"""The strips are divided into at most this many groups, each of which has a sum of the filters' gradients."""


class Strip(NamedTuple):
    """The output rows top .. bottom of the images first .. last, ends excluded: all rows, or one image only."""

    first: int
    last: int
    top: int
    bottom: int

    @property
    def images(self) -> slice:
        """The strip's images in an array (N, ...)."""
        return slice(self.first, self.last)

    @property
    def is_of_one_image(self) -> bool:
        """Whether the strip has one image, perhaps not all of its rows."""
        return self.last - self.first == 1


class Strips(NamedTuple):
    """How the output (N, F, OH, OW) of a convolution is cut. The last strips may be smaller."""

    images_per_strip: int
    rows_per_strip: int
    strips_per_image: int  # 1 if a strip has several images
    N: int
    OH: int

    @property
    def total(self) -> int:
        """The number of strips."""
        return -(-self.N // self.images_per_strip) * self.strips_per_image

    def strip(self, i: int) -> Strip:
        """Strip i, for i = 0 .. total - 1."""
        number, part = divmod(i, self.strips_per_image)
        first, top = number * self.images_per_strip, part * self.rows_per_strip
        return Strip(first, min(self.N, first + self.images_per_strip), top, min(self.OH, top + self.rows_per_strip))


def strips_of(g: Geometry, N: int, F: int, itemsize: int) -> Strips:
    """Strips for N images, F filters and numbers of `itemsize` bytes: as large as allowed, of at least one row."""
    image_pixels = g.OH * g.OW
    pixels = min(STRIP_BYTES // ((g.depth + F) * itemsize), STRIP_PIXELS)
    rows = min(max(1, pixels // g.OW), g.OH)
    images = max(1, min(pixels // image_pixels, -(-WIDE // image_pixels), -(-N // LEAST_STRIPS)))
    return Strips(images, rows, -(-g.OH // rows), N, g.OH)


def unfold(x: Array, strip: Strip, g: Geometry) -> Array:
    """The windows of the strip, one per column: (C KH KW, .), for x (N, C, H W)."""
    pixels = _pointwise_pixels(x, strip, g)
    if pixels is not None:
        return pixels
    unfolded = empty((g.depth, (strip.last - strip.first) * (strip.bottom - strip.top) * g.OW), x.dtype)
    unfold_rows(x[strip.images], unfolded, strip.top, strip.bottom, g)
    return unfolded


def _pointwise_pixels(x: Array, strip: Strip, g: Geometry) -> Array | None:
    """A view (C, .) of the strip's pixels if it is the strip unfolded: a 1 x 1 convolution of one image; else None."""
    if g.is_pointwise and strip.is_of_one_image:
        return x[strip.first][:, strip.top * g.W : strip.bottom * g.W]
    return None


def strip_of_dout(dout: Array, strip: Strip, g: Geometry) -> Array:
    """The strip's part of dout (N, F, OH OW), its images side by side: (F, .)."""
    if strip.is_of_one_image:
        return dout[strip.first][:, strip.top * g.OW : strip.bottom * g.OW]
    images = dout[strip.images]
    side_by_side = empty((images.shape[1], len(images) * images.shape[2]), dout.dtype)
    n, F, _ = images.shape
    side_by_side.reshape(F, n, -1)[...] = images.transpose(1, 0, 2)  # (n, F, OH OW) -> (F, n, OH OW)
    return side_by_side


def convolve(
    x: Array, filters: Array, g: Geometry, strips: Strips, finish: Callable[[int, Array, int, int], None]
) -> Array:
    """out = filters unfolded, (N, F, OH OW), for x (N, C, H, W) and filters (F, C KH KW).

    finish(i, rows, begin, end) is called when strip i is done and still in the cache: it is columns begin .. end of
    the contiguous `rows` (F, .). `finish` may change them.
    """
    x = x.reshape(len(x), g.C, g.H * g.W)  # (N, C, H, W) -> (N, C, H W)
    out = empty((len(x), len(filters), g.OH * g.OW), x.dtype)

    def make(i: int) -> None:
        strip = strips.strip(i)
        unfolded = unfold(x, strip, g)
        if strip.is_of_one_image:
            rows, begin, end = out[strip.first], strip.top * g.OW, strip.bottom * g.OW
            np.matmul(filters, unfolded, out=rows[:, begin:end])  # (F, C KH KW) @ (C KH KW, .)
            finish(i, rows, begin, end)
        else:
            rows = np.matmul(filters, unfolded, out=empty((len(filters), unfolded.shape[1]), x.dtype))
            finish(i, rows, 0, rows.shape[1])
            images = rows.reshape(len(rows), -1, out.shape[2])  # (F, n OH OW) -> (F, n, OH OW)
            out[strip.images] = images.transpose(1, 0, 2)  # (F, n, OH OW) -> (n, F, OH OW)

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
    """dx of x's shape, or None without `input_gradient`; and dfilters (F, C KH KW).

    x (N, C, H, W); filters (F, C KH KW). dout_of(i, strip) returns the gradient of strip i, (F, .).

    Each task of the pool takes one group of strips. A strip is unfolded once, for dfilters, and its part of dx is
    folded while it is in the cache. Each group sums its own dfilters, and these are added in the order of the groups:
    the result depends neither on which thread is faster nor on their number.
    """
    shape, x = x.shape, x.reshape(len(x), g.C, g.H * g.W)  # (N, C, H, W) -> (N, C, H W)
    blocks = strips.total // strips.strips_per_image  # no two of them share an image
    groups = min(blocks, GROUPS)
    dx = empty(x.shape, x.dtype) if input_gradient else None
    dfilters = empty((groups, *filters.shape), x.dtype)

    def group(number: int) -> None:
        dfilters[number] = 0
        strip_dfilters = empty(filters.shape, x.dtype)
        begin, end = (blocks * k // groups * strips.strips_per_image for k in (number, number + 1))
        for i in range(begin, end):
            strip = strips.strip(i)
            dout, unfolded = dout_of(i, strip), unfold(x, strip, g)
            dfilters[number] += np.matmul(dout, unfolded.T, out=strip_dfilters)  # (F, .) @ (., C KH KW)
            if dx is not None:
                _input_gradient(filters, dout, unfolded, dx, strip, g)

    run(group, groups)
    return None if dx is None else dx.reshape(shape), _sum_of_groups(dfilters)


def _input_gradient(filters: Array, dout: Array, unfolded: Array, dx: Array, strip: Strip, g: Geometry) -> None:
    """Add the strip's part, filters^T dout folded, to dx (N, C, H W). It overwrites `unfolded`, to save memory.

    The strips of an image come from top to bottom: the first one sets the image's dx to 0.
    """
    pixels = _pointwise_pixels(dx, strip, g)
    if pixels is not None:
        np.matmul(filters.T, dout, out=pixels)  # (C, F) @ (F, .)
        return
    if strip.top == 0:
        dx[strip.images] = 0
    dunfolded = np.matmul(filters.T, dout, out=unfolded)  # (C KH KW, F) @ (F, .)
    fold_rows(dunfolded, dx[strip.images], strip.top, strip.bottom, g)


def _sum_of_groups(dfilters: Array) -> Array:
    """The sum over the groups, in their order: (groups, F, C KH KW) -> (F, C KH KW)."""
    total = np.empty_like(dfilters[0])
    blocks = min(len(total), GROUPS)

    def block(number: int) -> None:
        rows = slice(*(len(total) * k // blocks for k in (number, number + 1)))
        np.sum(dfilters[:, rows], axis=0, out=total[rows])

    run(block, blocks)
    return total
