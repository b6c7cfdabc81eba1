"""Dropout: set a random share of the numbers to 0, so that the network relies on no single one."""

from typing import NamedTuple

import numpy as np

from numpynet.checks import FLOATS, arrays_of, is_array, number
from numpynet.functional.arguments import of_forward, of_output
from numpynet.typing import AnyArray, Array, Seed


class DropoutCache(NamedTuple):
    """What `dropout_backward` needs."""

    mask: AnyArray  # bool, of x's shape: True if the number was kept
    scale: float  # 1 / (1 - p), or 0 if p is 1


def dropout(x: Array, p: float = 0.5, rng: Seed = None, mask: AnyArray | None = None) -> tuple[Array, DropoutCache]:
    """out = x * mask / (1 - p), where mask keeps each element with probability 1 - p. Any shape.

    The division ("inverted dropout", Srivastava et al. 2014, section 10) keeps the expected value: E[out] = x. So
    evaluation needs no scale, and leaves dropout out altogether.

    mask: which numbers to keep, a boolean array of x's shape; if None, it is drawn from `rng`.

    Backward: mask / (1 - p) does not depend on x, so dx = dout * mask / (1 - p). For p = 1 out and dx are 0.

    The cache holds the mask: the backward pass must drop the same elements. PyTorch (torch.nn.functional.dropout)
    draws other masks from the same seed.

    ValueError if p is outside 0 .. 1, or the mask is of another shape or not boolean.
    """
    number(p, "dropout: p", least=0, most=1)
    arrays_of(FLOATS, "dropout", x=x)
    if mask is None:
        mask = np.random.default_rng(rng).random(x.shape, dtype=np.float32) >= p
    elif not is_array(mask) or mask.shape != x.shape or mask.dtype != bool:
        got = f"{mask.dtype} {mask.shape}" if is_array(mask) else type(mask).__name__
        raise ValueError(f"dropout: mask must have x's shape {x.shape} and be bool, got {got}")
    scale = 1.0 / (1.0 - p) if p < 1.0 else 0.0
    return x * mask * x.dtype.type(scale), DropoutCache(mask, scale)


def dropout_backward(dout: Array, cache: DropoutCache) -> Array:
    """Gradient of `dropout`: dx, of dout's shape."""
    of_forward("dropout_backward", cache, DropoutCache)
    of_output("dropout_backward", dout, cache.mask.shape)
    return dout * cache.mask * dout.dtype.type(cache.scale)
