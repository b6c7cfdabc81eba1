"""Sliding windows: the geometry that convolution and pooling share.

The window of output (oh, ow) begins at row oh * stride and column ow * stride of the padded image, and its elements
(kh, kw) lie `dilation` apart. A kernel of 3 x 3 with stride 2 has four windows on an image of 5 x 5::

    (oh, ow) = (0, 0)       (0, 1)            (1, 0)            (1, 1)
    # # # . .           . . # # #         . . . . .         . . . . .
    # # # . .           . . # # #         . . . . .         . . . . .
    # # # . .           . . # # #         # # # . .         . . # # #
    . . . . .           . . . . .         # # # . .         . . # # #
    . . . . .           . . . . .         # # # . .         . . # # #

They overlap: the pixel in the middle is in all four. A loop over windows would be long, one over the elements of the
kernel is short: `window_slices` gives, for one element, its pixels in all windows at once, as one slice.
"""

from collections.abc import Iterator

import numpy as np

from numpynet.typing import Array, IntOrPair, Pair


def pair(value: IntOrPair, name: str, minimum: int = 1) -> Pair:
    """`value` as (vertical, horizontal). ValueError, naming the argument, if an entry is below `minimum`."""
    entries = tuple(value) if isinstance(value, tuple | list | np.ndarray) else (value, value)
    whole = all(isinstance(e, int | np.integer) and not isinstance(e, bool) for e in entries)
    if len(entries) != 2 or not whole or min(entries) < minimum:
        raise ValueError(f"{name} must be an integer of at least {minimum} or a pair of them, got {value!r}")
    return int(entries[0]), int(entries[1])


def output_size(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool = False) -> int:
    """How many windows fit along one side of an image, by PyTorch's formula; 0 or less if none does.

    With `ceil_mode`, a last window that reaches beyond the padded image counts too, if it begins inside the image or
    in the padding before it.
    """
    reach = dilation * (kernel - 1) + 1  # pixels from a window's first element to its last, both included
    room = size + 2 * padding - reach
    count = (room + stride - 1 if ceil_mode else room) // stride + 1
    if ceil_mode and (count - 1) * stride >= size + padding:
        count -= 1
    return count


def output_sizes(
    size: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool = False
) -> Pair:
    """(OH, OW): `output_size` of an image of (H, W) pixels, along both sides."""
    OH = output_size(size[0], kernel[0], stride[0], padding[0], dilation[0], ceil_mode)
    OW = output_size(size[1], kernel[1], stride[1], padding[1], dilation[1], ceil_mode)
    return OH, OW


def pad(x: Array, padding: Pair, value: float = 0.0, extra: Pair = (0, 0)) -> Array:
    """x (N, C, H, W) with `padding` rows and columns of `value` on each side, and `extra` more at bottom and right."""
    (PH, PW), (EH, EW) = padding, extra
    if not any((PH, PW, EH, EW)):
        return x
    return np.pad(x, ((0, 0), (0, 0), (PH, PH + EH), (PW, PW + EW)), constant_values=value)


def window_slices(
    kernel: Pair, stride: Pair, dilation: Pair, out_size: Pair
) -> Iterator[tuple[int, int, slice, slice]]:
    """For each element of the kernel, in row-major order: kh, kw, and the rows and columns of its pixels.

    out_size: (OH, OW). `image[..., rows, columns]` is then (..., OH, OW): what element (kh, kw) sees in each window.
    A kernel of 3 x 3 with stride 2 on an image of 5 x 5; the digit is the window (0 1 above 2 3) that sees the pixel::

        (kh, kw) = (0, 0)       (0, 1)            (1, 1)            (2, 2)
        0 . 1 . .           . 0 . 1 .         . . . . .         . . . . .
        . . . . .           . . . . .         . 0 . 1 .         . . . . .
        2 . 3 . .           . 2 . 3 .         . . . . .         . . 0 . 1
        . . . . .           . . . . .         . 2 . 3 .         . . . . .
        . . . . .           . . . . .         . . . . .         . . 2 . 3
        rows    0:3:2       0:3:2             1:4:2             2:5:2
        columns 0:3:2       1:4:2             1:4:2             2:5:2
    """
    OH, OW = out_size
    for kh in range(kernel[0]):
        for kw in range(kernel[1]):
            top, left = kh * dilation[0], kw * dilation[1]
            rows = slice(top, top + stride[0] * (OH - 1) + 1, stride[0])  # OH of them
            columns = slice(left, left + stride[1] * (OW - 1) + 1, stride[1])  # OW of them
            yield kh, kw, rows, columns
