"""Smooth L1: squared near zero, absolute far from it, so that one wild label cannot rule the batch."""

from typing import NamedTuple

import numpy as np

from numpynet.checks import number
from numpynet.functional.arguments import of_forward
from numpynet.functional.mse_loss import Reduction, difference, share
from numpynet.typing import Array


class SmoothL1Cache(NamedTuple):
    """What `smooth_l1_loss_backward` needs."""

    difference: Array  # input - target, of the input's shape
    divisor: int  # the number of elements for "mean", 1 for "sum"
    beta: float


def smooth_l1_loss(
    x: Array, target: Array, reduction: Reduction = "mean", beta: float = 1.0
) -> tuple[Array, SmoothL1Cache]:
    """loss = sum l(x - target) / M, with M the number of elements ("mean") or 1 ("sum"), and::

        l(d) = d^2 / (2 beta)    where |d| < beta
               |d| - beta / 2    elsewhere

    Both branches have value beta / 2 and slope 1 at |d| = beta: they join without a kink.

    Shapes: x and target any, but equal; loss () in x's dtype.

    Backward: l'(d) = d / beta in the first branch and sign(d) in the second, which is d / beta clipped to
    -1 .. 1; so dx = dloss * clip((x - t) / beta, -1, 1) / M. For beta = 0 the loss is the absolute error and
    l'(d) = sign(d), and 0 where d is NaN, as PyTorch has it for the absolute error alone.

    The cache holds the difference. Girshick, Fast R-CNN, 2015 (beta 1); torch.nn.functional.smooth_l1_loss.
    """
    number(beta, "smooth_l1_loss: beta", least=0)
    cache = SmoothL1Cache(*difference("smooth_l1_loss", x, target, reduction), beta)
    size = np.abs(cache.difference)
    elements = np.where(size < beta, size * size * (0.5 / beta), size - 0.5 * beta) if beta > 0 else size
    return np.asarray(elements.sum() / x.dtype.type(cache.divisor), x.dtype), cache


def smooth_l1_loss_backward(dloss: Array | float, cache: SmoothL1Cache) -> Array:
    """Gradient of `smooth_l1_loss` with respect to x, of x's shape, for a scalar `dloss`."""
    of_forward("smooth_l1_loss_backward", cache, SmoothL1Cache)
    slope = (
        np.clip(cache.difference / cache.beta, -1, 1) if cache.beta > 0 else np.sign(np.nan_to_num(cache.difference))
    )
    return slope * share("smooth_l1_loss_backward", dloss, *cache[:2])
