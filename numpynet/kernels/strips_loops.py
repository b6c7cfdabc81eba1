"""The compiled loops of strips.py: images (n, C, H W) unfolded into columns (C KH KW, n rows OW), and back."""

from typing import NamedTuple

from numpynet.kernels.code_cache import njit


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

    @property
    def is_pointwise(self) -> bool:
        """Whether every pixel is a window, and every window a pixel."""
        return (self.KH, self.KW, self.SH, self.SW, self.PH, self.PW) == (1, 1, 1, 1, 0, 0)


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
def unfold_rows(x, cols, top, bottom, g):  # type: ignore[no-untyped-def]
    """Copy each window of the output rows top .. bottom into a column; see `numpynet.functional.conv2d.unfold`.

    Where the output is as wide as the image, what one element of the windows sees is the image moved by some pixels:
    it is copied as a whole, and then zeros are put where a row has got the end or the beginning of its neighbour's.
    """
    size = (bottom - top) * g.OW
    for n in range(len(x)):
        for j in range(len(cols)):
            image, target = x[n, j // (g.KH * g.KW)], cols[j, n * size : (n + 1) * size]
            down, right = j // g.KW % g.KH * g.DH - g.PH, j % g.KW * g.DW - g.PW
            first, last = inside(right, g)
            if g.SH == 1 and g.SW == 1 and g.OW == g.W:
                move = (top + down) * g.W + right
                begin, end = common(move, size, image.size)
                clear(target[:begin])
                copy(image[begin + move : end + move], target[begin:end])
                clear(target[end:])
                clear_columns(target, first, last, g.W)
                continue
            for r in range(top, bottom):
                h, row = r * g.SH + down, target[(r - top) * g.OW : (r - top + 1) * g.OW]
                if h < 0 or h >= g.H:
                    clear(row)
                    continue
                clear_columns(row, first, last, g.OW)
                begin = h * g.W + right
                copy_every(g.SW, image[begin + first * g.SW : begin + last * g.SW], row[first:last])


@njit(nogil=True, cache=True)
def fold_rows(dcols, dx, top, bottom, g):  # type: ignore[no-untyped-def]
    """Add each column to the pixels that it was copied from; see `numpynet.functional.conv2d.fold`.

    The numbers in dcols that were zeros in the padding may be cleared.
    """
    size = (bottom - top) * g.OW
    for n in range(len(dx)):
        for j in range(len(dcols)):
            image, source = dx[n, j // (g.KH * g.KW)], dcols[j, n * size : (n + 1) * size]
            down, right = j // g.KW % g.KH * g.DH - g.PH, j % g.KW * g.DW - g.PW
            first, last = inside(right, g)
            if g.SH == 1 and g.SW == 1 and g.OW == g.W:
                move = (top + down) * g.W + right
                begin, end = common(move, size, image.size)
                clear_columns(source, first, last, g.W)
                add(source[begin:end], image[begin + move : end + move])
                continue
            for r in range(top, bottom):
                h, row = r * g.SH + down, source[(r - top) * g.OW : (r - top + 1) * g.OW]
                if 0 <= h < g.H:
                    begin = h * g.W + right
                    add_every(g.SW, row[first:last], image[begin + first * g.SW : begin + last * g.SW])


@njit(nogil=True, cache=True)
def inside(right, g):  # type: ignore[no-untyped-def]
    """The outputs w, first .. last, whose pixel w SW + right is not in the padding."""
    first = max(0, -(right // g.SW))
    last = max(first, min(g.OW, (g.W - 1 - right) // g.SW + 1))
    return min(first, g.OW), min(last, g.OW)


@njit(nogil=True, cache=True)
def common(move, size, pixels):  # type: ignore[no-untyped-def]
    """The k, begin .. end, for which 0 <= k < size and 0 <= k + move < pixels."""
    begin = min(max(0, -move), size)
    return begin, max(begin, min(size, pixels - move))


# Inlined by Numba, since LLVM leaves the calls, which cost more than a short row.


@njit(nogil=True, cache=True, inline="always")
def clear(target):  # type: ignore[no-untyped-def]
    """Zeros; a loop, since a slice's assignment costs more."""
    for w in range(target.size):
        target[w] = 0


@njit(nogil=True, cache=True, inline="always")
def clear_columns(target, first, last, width):  # type: ignore[no-untyped-def]
    """Zeros in all columns but first .. last."""
    if first != 0 or last != width:
        for begin in range(0, target.size, width):
            for w in range(first):
                target[begin + w] = 0
            for w in range(last, width):
                target[begin + w] = 0


@njit(nogil=True, cache=True, inline="always")
def copy(source, target):  # type: ignore[no-untyped-def]
    """Into all of the target."""
    for w in range(target.size):
        target[w] = source[w]


@njit(nogil=True, cache=True, inline="always")
def add(source, target):  # type: ignore[no-untyped-def]
    """All of the source."""
    for w in range(source.size):
        target[w] += source[w]


@njit(nogil=True, cache=True, inline="always")
def copy_every(step, source, target):  # type: ignore[no-untyped-def]
    """Every step-th number of the source, until the target is full."""
    if step == 1:  # apart, since only this loop can be vectorised
        copy(source, target)
    else:
        for w in range(target.size):
            target[w] = source[w * step]


@njit(nogil=True, cache=True, inline="always")
def add_every(step, source, target):  # type: ignore[no-untyped-def]
    """The source to every step-th number of the target."""
    if step == 1:
        add(source, target)
    else:
        for w in range(source.size):
            target[w * step] += source[w]
