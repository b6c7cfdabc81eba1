"""The focal loss: yes or no for each element, where the easy ones hardly count."""

from typing import NamedTuple

import numpy as np

from numpynet.checks import FLOATS, REAL, arrays_of, number
from numpynet.functional.arguments import of_forward
from numpynet.functional.losses import Reduction, checked_reduction
from numpynet.typing import Array


class FocalLossCache(NamedTuple):
    """What `focal_loss_backward` needs."""

    margin: Array  # x towards the right answer, of x's shape
    sign: Array  # 1 where the answer is yes, -1 where it is no
    weight: Array  # of each element, over M
    gamma: float


def focal_loss(
    x: Array, target: Array, weight: Array | None = None, reduction: Reduction = "mean", gamma: float = 2.0
) -> tuple[Array, FocalLossCache]:
    """The binary cross entropy of logits, times a factor that is small where the answer is right already::

        loss = sum w (1 - p)^gamma (-ln p) / M,    p = 1 / (1 + exp(-m)),    m = x where target is 1, -x where it is 0

    p is the probability that the logit x gives to the right answer, and M the number of elements ("mean") or 1 ("sum").
    With gamma = 0 it is the binary cross entropy. A map of faces is "no" nearly everywhere: without the factor, the
    many easy places outweigh the few that matter.

    Shapes: x any; target (0 or 1), and weight (w, None for ones) of x's shape; loss () in x's dtype.

    Backward: with q = 1 - p, dp/dm = p q. So the derivative of q^gamma (-ln p) with respect to m is
    q^gamma (gamma p ln p - q), and dx = sign * w * q^gamma (gamma p ln p - q) * dloss / M, with sign = dm/dx.

    -ln p is computed as ln(1 + exp(-m)), which does not overflow. The cache holds m. Lin et al. 2017; torchvision's
    sigmoid_focal_loss with alpha = -1.
    """
    number(gamma, "focal_loss: gamma", least=0)
    arrays_of(FLOATS, "focal_loss", x=x)
    arrays_of(REAL, "focal_loss", target=target)
    checked_reduction("focal_loss", reduction)
    weight = np.ones_like(x) if weight is None else weight
    arrays_of(REAL, "focal_loss", weight=weight)
    for name, array in (("target", target), ("weight", weight)):
        if array.shape != x.shape:
            raise ValueError(f"focal_loss: {name} must have the input's shape {x.shape}, got {array.shape}")
    if not np.isin(target, (0, 1)).all():
        raise ValueError("focal_loss: target must hold 0 and 1 alone")
    if reduction == "mean" and not x.size:
        raise ValueError(f"focal_loss: x of shape {x.shape} holds no number, and has no mean")
    divisor = x.size if reduction == "mean" else 1
    sign = (2 * target - 1).astype(x.dtype)
    cache = FocalLossCache(sign * x, sign, weight.astype(x.dtype) / x.dtype.type(divisor), gamma)
    loss = (cache.weight * _wrong(cache) ** gamma * np.logaddexp(0, -cache.margin)).sum()
    return np.asarray(loss, x.dtype), cache


def focal_loss_backward(dloss: Array | float, cache: FocalLossCache) -> Array:
    """Gradient of `focal_loss`: dx, of x's shape, for one number `dloss`."""
    of_forward("focal_loss_backward", cache, FocalLossCache)
    if np.ndim(dloss) or np.asarray(dloss).dtype.kind not in REAL:
        raise ValueError(f"focal_loss_backward: dloss must be one number, got shape {np.shape(dloss)}")
    q = _wrong(cache)
    slope = q**cache.gamma * (-cache.gamma * (1 - q) * np.logaddexp(0, -cache.margin) - q)
    return cache.sign * cache.weight * slope * cache.margin.dtype.type(dloss)


def _wrong(cache: FocalLossCache) -> Array:
    """q = 1 - p, the probability of the wrong answer."""
    return np.exp(-np.logaddexp(0, cache.margin))
