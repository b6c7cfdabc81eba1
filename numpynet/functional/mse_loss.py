"""Mean squared error."""

from typing import Literal, NamedTuple

import numpy as np

from numpynet.checks import FLOATS, REAL, arrays_of
from numpynet.functional.arguments import of_forward
from numpynet.typing import Array

Reduction = Literal["mean", "sum"]


class LossCache(NamedTuple):
    """What the backward pass of a loss of the difference needs."""

    difference: Array  # input - target, of the input's shape
    divisor: int  # the number of elements for "mean", 1 for "sum"


def checked_reduction(name: str, reduction: Reduction) -> Reduction:
    """`reduction`; ValueError where it is none."""
    if reduction not in ("mean", "sum"):
        raise ValueError(f"{name}: reduction must be 'mean' or 'sum', got {reduction!r}")
    return reduction


def difference(name: str, x: Array, target: Array, reduction: Reduction) -> LossCache:
    """The difference x - target and what its loss is divided by; ValueError where the arguments do not fit."""
    arrays_of(FLOATS, name, x=x)
    arrays_of(REAL, name, target=target)
    if x.shape != target.shape:
        raise ValueError(f"{name}: target must have the input's shape {x.shape}, got {target.shape}")
    checked_reduction(name, reduction)
    if reduction == "mean" and not x.size:
        raise ValueError(f"{name}: x of shape {x.shape} holds no number, and has no mean")
    return LossCache(np.subtract(x, target, dtype=x.dtype.newbyteorder("=")), x.size if reduction == "mean" else 1)


def share(function: str, dloss: Array | float, difference: Array, divisor: int) -> np.floating:
    """dloss / divisor, in the difference's dtype; ValueError where dloss is not one number."""
    if np.ndim(dloss) or np.asarray(dloss).dtype.kind not in REAL:
        raise ValueError(f"{function}: dloss must be one number, got shape {np.shape(dloss)}")
    return difference.dtype.type(dloss / divisor)


def mse_loss(x: Array, target: Array, reduction: Reduction = "mean") -> tuple[Array, LossCache]:
    """loss = sum (x - target)^2 / M, with M the number of elements ("mean") or 1 ("sum").

    Shapes: x and target any, but equal; loss () in x's dtype.

    Backward: d/dx (x - t)^2 = 2 (x - t), so dx = dloss * 2 (x - t) / M.

    The cache holds the difference. As torch.nn.functional.mse_loss, "mean" divides by all elements, not by the
    number of images; unlike there, target is never broadcast.
    """
    cache = difference("mse_loss", x, target, reduction)
    loss = np.square(cache.difference).sum() / x.dtype.type(cache.divisor)
    return np.asarray(loss, x.dtype), cache


def mse_loss_backward(dloss: Array | float, cache: LossCache) -> Array:
    """Gradient of `mse_loss` with respect to x, of x's shape, for a scalar `dloss` (1 where the loss is the goal)."""
    of_forward("mse_loss_backward", cache, LossCache)
    return share("mse_loss_backward", 2.0 * dloss, *cache) * cache.difference
