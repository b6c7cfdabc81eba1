"""SmoothL1 in one pass each way; the mathematics stands in numpynet/functional/losses.py."""

import numpy as np

from numpynet import functional
from numpynet.functional.arguments import of_forward
from numpynet.functional.losses import Reduction, SmoothL1LossCache, per_element
from numpynet.kernels.code_cache import njit
from numpynet.kernels.made_for import compiled
from numpynet.typing import Array


def smooth_l1_loss(
    x: Array, target: Array, reduction: Reduction = "mean", beta: float = 1.0
) -> tuple[Array, SmoothL1LossCache]:
    """See `numpynet.functional.smooth_l1_loss`."""
    if (
        not compiled(x, target)
        or x.shape != target.shape
        or not x.size
        or not 0 < beta < np.inf
        or reduction not in ("mean", "sum")
    ):
        return functional.smooth_l1_loss(x, target, reduction, beta)
    difference = np.empty(x.shape, x.dtype)
    total = subtract(
        np.ascontiguousarray(x).reshape(-1), np.ascontiguousarray(target).reshape(-1), difference.reshape(-1), beta
    )
    divisor = x.size if reduction == "mean" else 1
    return np.asarray(total / divisor, x.dtype), SmoothL1LossCache(difference, divisor, beta)


def smooth_l1_loss_backward(dloss: Array | float, cache: SmoothL1LossCache) -> Array:
    """See `numpynet.functional.smooth_l1_loss_backward`."""
    of_forward("smooth_l1_loss_backward", cache, SmoothL1LossCache)
    if cache.beta <= 0 or not compiled(cache.residual):
        return functional.smooth_l1_loss_backward(dloss, cache)
    dx, number = np.empty(cache.residual.shape, cache.residual.dtype), cache.residual.dtype.type
    clip(
        cache.residual.reshape(-1),
        dx.reshape(-1),
        number(cache.beta),
        per_element("smooth_l1_loss_backward", dloss, cache),
    )
    return dx


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def subtract(x, target, difference, beta):  # type: ignore[no-untyped-def]
    """difference = x - target; returns the sum of the losses, in float64."""
    total = 0.0
    for k in range(x.size):
        difference[k] = x[k] - target[k]
        size = abs(np.float64(difference[k]))
        total += size * size * (0.5 / beta) if size < beta else size - 0.5 * beta
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def clip(difference, dx, beta, scale):  # type: ignore[no-untyped-def]
    """dx = scale times difference / beta, clipped to -1 .. 1."""
    for k in range(dx.size):
        if difference[k] >= beta:
            dx[k] = scale
        elif difference[k] <= -beta:
            dx[k] = -scale
        else:
            dx[k] = difference[k] / beta * scale
