"""Convolutions with channels last: by Winograd's rules, as one product, or by the definition."""

from types import ModuleType

from numpynet.kernels import direct, pointwise, winograd
from numpynet.kernels.strip_work import After, Before
from numpynet.kernels.windows import Geometry
from numpynet.typing import Array

LEAST_CHANNELS = 8
"""Fewer channels or filters leave most of a vector empty when points are computed."""


def convolve(x: Array, weight: Array, g: Geometry, after: After) -> Array:
    """The convolution (N, OH, OW, F) of x (N, H, W, C), contiguous, with weight (F, C, KH, KW).

    after: what is done with each strip of the output; there are `strips(...)` of them.
    """
    out: Array = _way(g, len(weight)).convolve(x, weight, g, after)
    return out


def strips(g: Geometry, N: int, F: int, itemsize: int) -> int:
    """In how many strips `convolve` makes the output."""
    return len(_way(g, F).strips_of(g, N, F, itemsize))


def gradients(
    x: Array, weight: Array, g: Geometry, before: Before, input_gradient: bool = True
) -> tuple[Array | None, Array]:
    """dx (N, H, W, C), or None without `input_gradient`, and dweight (F, C, KH, KW); x and weight as for `convolve`.

    before: from what the gradient of the output is made.
    """
    found: tuple[Array | None, Array] = _way(g, len(weight)).gradients(x, weight, g, before, input_gradient)
    return found


def _way(g: Geometry, F: int) -> ModuleType:
    if (g.SH, g.SW, g.DH, g.DW) == (1, 1, 1, 1):
        if g.KH == g.KW == 3 and min(g.C, F) >= LEAST_CHANNELS:
            return winograd
        if (g.KH, g.KW, g.PH, g.PW) == (1, 1, 0, 0):
            return pointwise
    return direct
