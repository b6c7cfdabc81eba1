"""Convolutions with channels last: by Winograd's rules, or by the definition."""

from collections.abc import Callable

from numpynet.kernels import direct, winograd
from numpynet.kernels.windows import Geometry
from numpynet.typing import Array

LEAST_CHANNELS = 8
"""Fewer channels or filters leave most of a vector empty when points are computed."""


def convolve(x: Array, weight: Array, g: Geometry, finish: Callable[[int, Array], None]) -> Array:
    """The convolution (N, OH, OW, F) of x (N, H, W, C), contiguous, with weight (F, C, KH, KW).

    finish(i, rows) is called with the output (., F) of strip i, 0 <= i < strips(...), while it is in the cache. It may
    change the rows.
    """
    return (winograd if _by_points(g, len(weight)) else direct).convolve(x, weight, g, finish)


def strips(g: Geometry, N: int, F: int, itemsize: int) -> int:
    """In how many strips `convolve` makes the output."""
    if _by_points(g, F):
        return len(winograd.strips_of(g, N, F, itemsize))
    return N * -(-g.OH // direct.rows_per_strip(g, N, F, itemsize))


def gradients(
    x: Array,
    weight: Array,
    g: Geometry,
    put_dout: Callable[[int, int, int, Array], None],
    input_gradient: bool = True,
) -> tuple[Array | None, Array]:
    """dx (N, H, W, C), or None without `input_gradient`, and dweight (F, C, KH, KW); x and weight as for `convolve`.

    put_dout(n, top, bottom, target) writes the gradient of the rows top .. bottom of image n's output to
    target[: bottom - top, : OW], target being (., ., F).
    """
    return (winograd if _by_points(g, len(weight)) else direct).gradients(x, weight, g, put_dout, input_gradient)


def _by_points(g: Geometry, F: int) -> bool:
    ones = g.SH, g.SW, g.DH, g.DW
    return g.KH == g.KW == 3 and ones == (1, 1, 1, 1) and min(g.C, F) >= LEAST_CHANNELS
