"""The windows of a convolution: how they lie on the images, and the loops that unfold and fold them.

`unfold_rows` and `fold_rows` do for a few rows of the output what `unfold` and `fold` of numpynet/functional/conv2d.py
do for a whole image, without a padded copy of it.
"""

from typing import NamedTuple

from numpynet.functional.windows import output_sizes
from numpynet.kernels.code_cache import njit
from numpynet.typing import Pair


class Geometry(NamedTuple):
    """How the windows lie on the images. Integers only, because the compiled loops read it, too."""

    C: int
    H: int
    W: int
    KH: int
    KW: int
    SH: int  # stride
    SW: int
    PH: int  # padding
    PW: int
    DH: int  # dilation
    DW: int
    OH: int
    OW: int

    @property
    def depth(self) -> int:
        """Numbers in a window: C KH KW."""
        return self.C * self.KH * self.KW

    @property
    def is_pointwise(self) -> bool:
        """Whether each window is one pixel, and each pixel is one window."""
        return (self.KH, self.KW, self.SH, self.SW, self.PH, self.PW) == (1, 1, 1, 1, 0, 0)


def geometry_of(x: tuple[int, ...], weight: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair) -> Geometry:
    """The geometry for the shapes x (N, C, H, W) and weight (F, C, KH, KW); OH or OW below 1 if no window fits."""
    _, C, H, W = x
    KH, KW = weight[2:]
    OH, OW = output_sizes((H, W), (KH, KW), stride, padding, dilation)
    return Geometry(C, H, W, KH, KW, *stride, *padding, *dilation, OH, OW)


@njit(nogil=True, cache=True)
def unfold_rows(x, unfolded, top, bottom, g):  # type: ignore[no-untyped-def]
    """unfolded[(c, kh, kw), (n, oh, ow)] = xp[n, c, oh SH + kh DH, ow SW + kw DW] for oh = top .. bottom - 1.

    x (n, C, H W), of which xp is the padded image; unfolded (C KH KW, n rows OW), rows being bottom - top.

    With stride 1 and an output as wide as the image, element (kh, kw) of all windows is the image itself, some pixels
    further on. It is copied as a whole. Then zeros go to the columns that lie in the padding: the copy has put there
    the end or the beginning of the neighbouring row.
    """
    size = (bottom - top) * g.OW
    for n in range(len(x)):
        for j in range(len(unfolded)):
            image, target = x[n, j // (g.KH * g.KW)], unfolded[j, n * size : (n + 1) * size]
            row_offset, column_offset = j // g.KW % g.KH * g.DH - g.PH, j % g.KW * g.DW - g.PW
            first, last = columns_inside(column_offset, g)
            if g.SH == 1 and g.SW == 1 and g.OW == g.W:
                offset = (top + row_offset) * g.W + column_offset
                begin, end = overlap(offset, size, image.size)
                clear(target[:begin])
                copy(image[begin + offset : end + offset], target[begin:end])
                clear(target[end:])
                clear_columns(target, first, last, g.W)
                continue
            for oh in range(top, bottom):
                h, row = oh * g.SH + row_offset, target[(oh - top) * g.OW : (oh - top + 1) * g.OW]
                if h < 0 or h >= g.H:
                    clear(row)
                    continue
                clear_columns(row, first, last, g.OW)
                begin = h * g.W + column_offset
                copy_every(g.SW, image[begin + first * g.SW : begin + last * g.SW], row[first:last])


@njit(nogil=True, cache=True)
def fold_rows(dunfolded, dx, top, bottom, g):  # type: ignore[no-untyped-def]
    """dxp[n, c, oh SH + kh DH, ow SW + kw DW] += dunfolded[(c, kh, kw), (n, oh, ow)] for oh = top .. bottom - 1.

    Shapes as in `unfold_rows`; what belongs to the padding of dxp is dropped, and may be set to 0 in dunfolded.
    """
    size = (bottom - top) * g.OW
    for n in range(len(dx)):
        for j in range(len(dunfolded)):
            image, source = dx[n, j // (g.KH * g.KW)], dunfolded[j, n * size : (n + 1) * size]
            row_offset, column_offset = j // g.KW % g.KH * g.DH - g.PH, j % g.KW * g.DW - g.PW
            first, last = columns_inside(column_offset, g)
            if g.SH == 1 and g.SW == 1 and g.OW == g.W:
                offset = (top + row_offset) * g.W + column_offset
                begin, end = overlap(offset, size, image.size)
                clear_columns(source, first, last, g.W)
                add(source[begin:end], image[begin + offset : end + offset])
                continue
            for oh in range(top, bottom):
                h, row = oh * g.SH + row_offset, source[(oh - top) * g.OW : (oh - top + 1) * g.OW]
                if 0 <= h < g.H:
                    begin = h * g.W + column_offset
                    add_every(g.SW, row[first:last], image[begin + first * g.SW : begin + last * g.SW])


@njit(nogil=True, cache=True)
def columns_inside(column_offset, g):  # type: ignore[no-untyped-def]
    """The range first .. last of the ow with 0 <= ow SW + column_offset < W: they read no padding."""
    first = max(0, -(column_offset // g.SW))
    last = max(first, min(g.OW, (g.W - 1 - column_offset) // g.SW + 1))
    return min(first, g.OW), min(last, g.OW)


@njit(nogil=True, cache=True)
def overlap(offset, size, pixels):  # type: ignore[no-untyped-def]
    """The range begin .. end of the k with 0 <= k < size and 0 <= k + offset < pixels."""
    begin = min(max(0, -offset), size)
    return begin, max(begin, min(size, pixels - offset))


# Numba inlines the following loops, because LLVM does not, and a call costs more than a short row.


@njit(nogil=True, cache=True, inline="always")
def clear(target):  # type: ignore[no-untyped-def]
    """target = 0; a loop, because the assignment to a slice costs more."""
    for k in range(target.size):
        target[k] = 0


@njit(nogil=True, cache=True, inline="always")
def clear_columns(target, first, last, width):  # type: ignore[no-untyped-def]
    """0 in the columns before `first` and from `last` on, in every row of `width` numbers."""
    if first != 0 or last != width:
        for begin in range(0, target.size, width):
            for w in range(first):
                target[begin + w] = 0
            for w in range(last, width):
                target[begin + w] = 0


@njit(nogil=True, cache=True, inline="always")
def copy(source, target):  # type: ignore[no-untyped-def]
    """target = source."""
    for k in range(target.size):
        target[k] = source[k]


@njit(nogil=True, cache=True, inline="always")
def add(source, target):  # type: ignore[no-untyped-def]
    """target += source."""
    for k in range(source.size):
        target[k] += source[k]


@njit(nogil=True, cache=True, inline="always")
def copy_every(step, source, target):  # type: ignore[no-untyped-def]
    """target = source[::step]."""
    if step == 1:  # a case of its own, because only this loop can be vectorised
        copy(source, target)
    else:
        for k in range(target.size):
            target[k] = source[k * step]


@njit(nogil=True, cache=True, inline="always")
def add_every(step, source, target):  # type: ignore[no-untyped-def]
    """target[::step] += source."""
    if step == 1:
        add(source, target)
    else:
        for k in range(source.size):
            target[k * step] += source[k]
