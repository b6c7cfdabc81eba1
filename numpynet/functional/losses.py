"""The losses: one number that says how far the outputs are from the targets, and its slope for every output.

All three look at the residual d = x - target alone, and differ in how much a large one counts beside a small one::

    mse_loss         d^2, slope 2 d       a residual twice as large pulls twice as hard: one wild label rules the batch
    smooth_l1_loss   slope at most 1      beyond beta every residual pulls alike
    wing_loss        slope largest at 0   the last pixel is worth more than the first
"""

import math
from typing import Any, Literal, NamedTuple

import numpy as np

from numpynet.checks import FLOATS, REAL, arrays_of, number
from numpynet.functional.arguments import of_forward
from numpynet.typing import Array

Reduction = Literal["mean", "sum"]


class MSELossCache(NamedTuple):
    """What `mse_loss_backward` needs."""

    residual: Array  # x - target, of x's shape
    divisor: int  # the number of elements for "mean", 1 for "sum"


class SmoothL1LossCache(NamedTuple):
    """What `smooth_l1_loss_backward` needs."""

    residual: Array  # x - target, of x's shape
    divisor: int  # the number of elements for "mean", 1 for "sum"
    beta: float


class WingLossCache(NamedTuple):
    """What `wing_loss_backward` needs."""

    residual: Array  # x - target, of x's shape
    divisor: int  # the number of elements for "mean", 1 for "sum"
    w: float
    eps: float


def mse_loss(x: Array, target: Array, reduction: Reduction = "mean") -> tuple[Array, MSELossCache]:
    """Mean squared error: loss = sum d^2 / M with d = x - target, and M the number of elements ("mean") or 1 ("sum").

    Shapes: x and target any, but equal; loss () in x's dtype.

    Backward: the derivative of d^2 with respect to x is 2 d, so dx = dloss * 2 d / M.

    The cache holds the residual d. As torch.nn.functional.mse_loss, "mean" divides by the number of all elements, not
    of images; unlike there, target is never broadcast.
    """
    d, divisor = residual("mse_loss", x, target, reduction)
    loss = np.square(d).sum() / x.dtype.type(divisor)
    return np.asarray(loss, x.dtype), MSELossCache(d, divisor)


def mse_loss_backward(dloss: Array | float, cache: MSELossCache) -> Array:
    """Gradient of `mse_loss`: dx, of x's shape, for one number `dloss`: 1.0 for the gradient of the loss itself."""
    of_forward("mse_loss_backward", cache, MSELossCache)
    return per_element("mse_loss_backward", 2.0 * dloss, cache) * cache.residual


def smooth_l1_loss(
    x: Array, target: Array, reduction: Reduction = "mean", beta: float = 1.0
) -> tuple[Array, SmoothL1LossCache]:
    """Squared near zero, absolute far from it: loss = sum l(d) / M with d = x - target, M as in `mse_loss`, and::

        l(d) = d^2 / (2 beta)    if |d| < beta
               |d| - beta / 2    otherwise

    Both branches have the value beta / 2 and the slope 1 at |d| = beta: they join without a kink.

    Shapes: x and target any, but equal; loss () in x's dtype.

    Backward: the slope l'(d) is d / beta in the first branch and sign(d) in the second. Both are d / beta clipped to
    -1 .. 1, so dx = clip(d / beta, -1, 1) * dloss / M. For beta = 0 the loss is the absolute error and l'(d) = sign(d);
    then alone it is 0 if d is NaN, as in PyTorch.

    The cache holds the residual d. Girshick, Fast R-CNN, 2015 (beta 1); torch.nn.functional.smooth_l1_loss.
    """
    number(beta, "smooth_l1_loss: beta", least=0)
    d, divisor = residual("smooth_l1_loss", x, target, reduction)
    size = np.abs(d)
    elements = np.where(size < beta, size * size * (0.5 / beta), size - 0.5 * beta) if beta > 0 else size
    loss = elements.sum() / x.dtype.type(divisor)
    return np.asarray(loss, x.dtype), SmoothL1LossCache(d, divisor, beta)


def smooth_l1_loss_backward(dloss: Array | float, cache: SmoothL1LossCache) -> Array:
    """Gradient of `smooth_l1_loss`: dx, of x's shape, for one number `dloss`."""
    of_forward("smooth_l1_loss_backward", cache, SmoothL1LossCache)
    d, beta = cache.residual, cache.beta
    slope = np.clip(d / beta, -1, 1) if beta > 0 else np.sign(np.nan_to_num(d))
    return slope * per_element("smooth_l1_loss_backward", dloss, cache)


def wing_loss(
    x: Array, target: Array, reduction: Reduction = "mean", w: float = 0.2, eps: float = 0.05
) -> tuple[Array, WingLossCache]:
    """Steepest near zero, so that good keypoints become still better: loss = sum l(d) / M, d and M as above, and::

        l(d) = w ln(1 + |d| / eps)    if |d| < w
               |d| - C                otherwise,    C = w - w ln(1 + w / eps)

    C makes the two branches meet at |d| = w. Their slopes differ there: the curve has a kink, from w / (eps + w) to 1.

    Shapes: x and target any, but equal; loss () in x's dtype.

    Backward: in the first branch the derivative with respect to |d| is w / (eps + |d|), which grows from w / (eps + w)
    at |d| = w to w / eps at 0; in the second it is 1. The derivative of |d| is sign(d), and 0 at 0. So
    dx = sign(d) * (w / (eps + |d|) or 1) * dloss / M.

    The cache holds the residual d. The defaults are for keypoints in units of 50 pixels, in crops of 224 pixels: w is
    10 pixels and eps 2.5. Feng et al. 2018 found 10 and 2 pixels best. PyTorch has no such loss.
    """
    number(w, "wing_loss: w", above=0)
    number(eps, "wing_loss: eps", above=0)
    d, divisor = residual("wing_loss", x, target, reduction)
    size = np.abs(d)
    elements = np.where(size < w, w * np.log1p(size / eps), size - (w - w * math.log1p(w / eps)))
    loss = elements.sum() / x.dtype.type(divisor)
    return np.asarray(loss, x.dtype), WingLossCache(d, divisor, w, eps)


def wing_loss_backward(dloss: Array | float, cache: WingLossCache) -> Array:
    """Gradient of `wing_loss`: dx, of x's shape, for one number `dloss`."""
    of_forward("wing_loss_backward", cache, WingLossCache)
    d = cache.residual
    size = np.abs(d)
    slope = np.where(size < cache.w, cache.w / (cache.eps + size), 1)
    return np.sign(d) * slope * per_element("wing_loss_backward", dloss, cache)


def residual(name: str, x: Array, target: Array, reduction: Reduction) -> tuple[Array, int]:
    """x - target, and the divisor M of the loss. ValueError, beginning with `name`, if the arguments do not fit."""
    arrays_of(FLOATS, name, x=x)
    arrays_of(REAL, name, target=target)
    if x.shape != target.shape:
        raise ValueError(f"{name}: target must have the input's shape {x.shape}, got {target.shape}")
    checked_reduction(name, reduction)
    if reduction == "mean" and not x.size:
        raise ValueError(f"{name}: x of shape {x.shape} holds no number, and has no mean")
    return np.subtract(x, target, dtype=x.dtype.newbyteorder("=")), x.size if reduction == "mean" else 1


def checked_reduction(name: str, reduction: Reduction) -> Reduction:
    """`reduction`. ValueError if it is neither "mean" nor "sum"."""
    if reduction not in ("mean", "sum"):
        raise ValueError(f"{name}: reduction must be 'mean' or 'sum', got {reduction!r}")
    return reduction


def per_element(
    function: str, dloss: Array | float, cache: MSELossCache | SmoothL1LossCache | WingLossCache
) -> np.floating[Any]:
    """dloss / M, in the residual's dtype. ValueError if dloss is not one number."""
    if np.ndim(dloss) or np.asarray(dloss).dtype.kind not in REAL:
        raise ValueError(f"{function}: dloss must be one number, got shape {np.shape(dloss)}")
    return cache.residual.dtype.type(dloss / cache.divisor)
