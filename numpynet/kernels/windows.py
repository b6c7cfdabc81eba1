"""How the windows of a convolution lie on the images."""

from typing import NamedTuple

from numpynet.functional.windows import output_sizes
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


def geometry_of(x: tuple[int, ...], weight: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair) -> Geometry:
    """The geometry for the shapes x (N, C, H, W) and weight (F, C, KH, KW); OH or OW below 1 if no window fits."""
    _, C, H, W = x
    KH, KW = weight[2:]
    OH, OW = output_sizes((H, W), (KH, KW), stride, padding, dilation)
    return Geometry(C, H, W, KH, KW, *stride, *padding, *dilation, OH, OW)
