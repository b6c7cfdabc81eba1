"""The wing loss: the smaller an error, the steeper it is, so that good keypoints are made better still."""

import math
from typing import NamedTuple

import numpy as np

from numpynet.checks import number
from numpynet.functional.arguments import of_forward
from numpynet.functional.mse_loss import Reduction, difference, share
from numpynet.typing import Array


class WingCache(NamedTuple):
    """What `wing_loss_backward` needs."""

    difference: Array  # input - target, of the input's shape
    divisor: int  # the number of elements for "mean", 1 for "sum"
    w: float
    eps: float


def wing_loss(
    x: Array, target: Array, reduction: Reduction = "mean", w: float = 0.2, eps: float = 0.05
) -> tuple[Array, WingCache]:
    """loss = sum l(x - target) / M, with M the number of elements ("mean") or 1 ("sum"), and::

        l(d) = w ln(1 + |d| / eps)    where |d| < w
               |d| - C                elsewhere,    C = w - w ln(1 + w / eps)

    C joins the two in value at |d| = w, not in slope: there it goes from w / (eps + w) to 1.

    Shapes: x and target any, but equal; loss () in x's dtype.

    Backward: d/d|d| w ln(1 + |d| / eps) = w / (eps + |d|), which grows from w / (eps + w) at |d| = w to w / eps at 0;
    the other branch has slope 1, and |d| has sign(d), 0 at 0. So dx = dloss * sign(d) * (w / (eps + |d|) or 1) / M.

    The cache holds the difference. The defaults are for keypoints in units in which a crop spans about -2 .. 2.5, 50
    pixels a unit in one of 224: w is 10 of these pixels, eps 2.5. Feng et al. 2018 found 10 and 2 pixels best. PyTorch
    has no such loss.
    """
    number(w, "wing_loss: w", above=0)
    number(eps, "wing_loss: eps", above=0)
    cache = WingCache(*difference("wing_loss", x, target, reduction), w, eps)
    size = np.abs(cache.difference)
    elements = np.where(size < w, w * np.log1p(size / eps), size - (w - w * math.log1p(w / eps)))
    return np.asarray(elements.sum() / x.dtype.type(cache.divisor), x.dtype), cache


def wing_loss_backward(dloss: Array | float, cache: WingCache) -> Array:
    """Gradient of `wing_loss` with respect to x, of x's shape, for a scalar `dloss`."""
    of_forward("wing_loss_backward", cache, WingCache)
    size = np.abs(cache.difference)
    slope = np.where(size < cache.w, cache.w / (cache.eps + size), 1)
    return np.sign(cache.difference) * slope * share("wing_loss_backward", dloss, *cache[:2])
