"""What is done with a strip of a convolution's output while it is in the cache.

That is: after it is made, or before its gradient is used. The loops of winograd.py, pointwise.py and direct.py call it,
so that no strip costs a step of the interpreter.
"""

from typing import NamedTuple

import numpy as np

from numpynet.kernels import norm_relu
from numpynet.kernels.code_cache import njit
from numpynet.kernels.norm_relu import Norm
from numpynet.typing import AnyArray, Array


class After(NamedTuple):
    """What is done with each new strip: its bias is added, or its moments are taken, or nothing."""

    add_bias: bool
    take_moments: bool
    bias: Array  # (F,), if it is added
    means: Array  # (strips, F) float64, of each channel, if moments are taken; likewise:
    squares: Array  # (strips, F) float64: the sum of (x - mean)^2
    sizes: Array  # (strips,) float64: the number of pixels


class Before(NamedTuple):
    """From what the gradient of the output is made: dout itself, or what batch norm and ReLU make of dout."""

    plain: bool
    pooled: bool
    dout: Array  # (N, ., ., F)
    winner: AnyArray  # if pooled; all others if not plain: see norm_relu.py
    convolved: Array  # (N, OH, OW, F)
    norm: Norm
    offset: Array  # (F,)
    coefficient: Array  # (F,)


def nothing_after(dtype: np.dtype) -> After:
    """An `After` that does nothing."""
    none = np.empty((0, 0))
    return After(False, False, np.empty(0, dtype), none, none, np.empty(0))


def plain_gradient(dout: Array) -> Before:
    """The `Before` of dout (N, OH, OW, F) itself."""
    none = np.empty(0, dout.dtype)
    return Before(True, False, dout, np.empty((0, 0, 0, 0), np.uint8), dout, Norm(none, none, none, none), none, none)


@njit(nogil=True, cache=True)
def finish(after, number, rows):  # type: ignore[no-untyped-def]
    """The work on the strip of this number, rows (pixels, F)."""
    if after.add_bias:
        for row in rows:
            for f in range(row.size):
                row[f] += after.bias[f]
    if after.take_moments:
        norm_relu.moments(rows, after.means[number], after.squares[number])
        after.sizes[number] = len(rows)


@njit(nogil=True, cache=True)
def put_gradient(before, n, top, bottom, target):  # type: ignore[no-untyped-def]
    """target[: bottom - top, : OW] = the gradient of the rows top .. bottom of image n's output; target (., ., F)."""
    if before.plain:
        _, _, OW, F = before.dout.shape
        for h in range(top, bottom):
            source, out = before.dout[n, h].reshape(-1), target[h - top].reshape(-1)
            for k in range(OW * F):
                out[k] = source[k]
    elif before.pooled:
        norm_relu.pooled_gradient(
            before.dout[n], before.winner[n], before.convolved[n], target, top, bottom,
            before.norm, before.offset, before.coefficient,
        )  # fmt: skip
    else:
        norm_relu.gradient(
            before.dout[n], before.convolved[n], target, top, bottom,
            before.norm, before.offset, before.coefficient,
        )  # fmt: skip
