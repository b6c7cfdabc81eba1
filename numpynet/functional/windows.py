"""Sliding windows: the geometry that convolution and pooling share.

The window of output (oh, ow) starts at row oh * stride and column ow * stride of the padded image, and its
elements (kh, kw) lie `dilation` apart. Seen the other way: element (kh, kw) of *all* windows together is one
strided slice of the padded image. That is what `window_slices` gives, and why no loop over pixels is needed:
a loop over the few elements of the kernel is enough, forward and backward.
"""

from collections.abc import Iterator

import numpy as np

from numpynet.typing import Array, Pair


def output_size(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool = False) -> int:
    """How many windows fit along one side, by PyTorch's formula; 0 or less where none does.

    With `ceil_mode`, a last window that reaches past the padded image counts too, provided that it starts inside
    the image or the padding in front of it.
    """
    reach = dilation * (kernel - 1) + 1  # from a window's first element to its last
    room = size + 2 * padding - reach
    count = (room + stride - 1 if ceil_mode else room) // stride + 1
    if ceil_mode and (count - 1) * stride >= size + padding:
        count -= 1
    return count


def pad(x: Array, padding: Pair, value: float = 0.0, extra: Pair = (0, 0)) -> Array:
    """x (N, C, H, W) with `padding` rows and columns of `value` on each side, and `extra` more at bottom and right."""
    (PH, PW), (EH, EW) = padding, extra
    if not any((PH, PW, EH, EW)):
        return x
    return np.pad(x, ((0, 0), (0, 0), (PH, PH + EH), (PW, PW + EW)), constant_values=value)


def window_slices(kernel: Pair, stride: Pair, dilation: Pair, out: Pair) -> Iterator[tuple[int, int, slice, slice]]:
    """For each kernel element (kh, kw), in row-major order: kh, kw and the rows and columns it visits."""
    for kh in range(kernel[0]):
        for kw in range(kernel[1]):
            top, left = kh * dilation[0], kw * dilation[1]
            rows = slice(top, top + stride[0] * (out[0] - 1) + 1, stride[0])  # OH of them
            columns = slice(left, left + stride[1] * (out[1] - 1) + 1, stride[1])  # OW of them
            yield kh, kw, rows, columns
