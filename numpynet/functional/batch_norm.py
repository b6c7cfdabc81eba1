"""Batch norm: give every channel mean 0 and variance 1 over the batch, then a scale and a shift of its own."""

from typing import NamedTuple

import numpy as np

from numpynet.checks import FLOATS, arrays_of, no_empty_axis, number, of_shape, same_dtype
from numpynet.functional.arguments import of_forward, of_output
from numpynet.typing import Array


class BatchNormCache(NamedTuple):
    """What `batch_norm_backward` needs, and what the running statistics are made of."""

    x_hat: Array  # the normalised x, of x's shape
    inv_std: Array  # (C,)
    weight: Array | None  # (C,)
    mean: Array  # (C,) that was used
    var: Array  # (C,) that was used; of a batch: the biased one
    elements: int  # how many numbers each channel's statistics were taken from: N H W
    from_batch: bool  # False where mean and var were given


def batch_norm(
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    mean: Array | None = None,
    var: Array | None = None,
    eps: float = 1e-5,
) -> tuple[Array, BatchNormCache]:
    """Normalise each channel over the batch (Ioffe and Szegedy 2015)::

        mean = sum x / M        var = sum (x - mean)^2 / M        M = N H W numbers a channel
        x_hat = (x - mean) / sqrt(var + eps)
        out = weight x_hat + bias

    Shapes: x (N, C), (N, C, H, W) or any other with N and C in front; weight, bias, mean, var (C,); out as x.
    weight and bias may be None (1 and 0). Where `mean` and `var` are given (evaluation: the running statistics),
    they are used as constants.

    Backward, one channel, sums over its M numbers. Let g = dout weight = dL/dx_hat. With constant statistics
    dx = g / std. With the batch's own, x also moves mean and var, which move every x_hat. Since
    dmean/dx = 1 / M and dvar/dx = 2 (x - mean) / M::

        dL/dvar  = sum g (x - mean) * (-1/2) std^-3 = -1/2 std^-2 sum(g x_hat)
        dL/dmean = -sum(g) / std                      (var's own term vanishes: sum (x - mean) = 0)
        dx = g / std + dL/dvar 2 (x - mean) / M + dL/dmean / M
           = (g - sum(g) / M - x_hat sum(g x_hat) / M) / std

    And dweight = sum(dout x_hat), dbias = sum(dout): so sum(g) = weight dbias and sum(g x_hat) = weight dweight.

    In words: dx is g without its mean and without its part along x_hat; shifting or stretching a whole channel
    cannot change the loss. A constant dout gives dx = 0, which is why tests must use a varying one.

    The cache holds x_hat, in terms of which every gradient is short. As torch.nn.functional.batch_norm, the
    *biased* variance normalises. Sums are accumulated in float64: in float32 they would lose digits.
    """
    arrays_of(FLOATS, "batch_norm", x=x)
    if x.ndim < 2:
        raise ValueError(f"batch_norm: x must have shape (N, C) or (N, C, ...), got {x.shape}")
    if (mean is None) != (var is None):
        raise ValueError("batch_norm: mean and var must be given together, or neither")
    no_empty_axis(x, "batch_norm: x")
    of_shape(x.shape[1:2], "batch_norm", weight=weight, bias=bias, mean=mean, var=var)
    same_dtype("batch_norm", x=x, weight=weight, bias=bias, mean=mean, var=var)
    number(eps, "batch_norm: eps", above=0)
    elements = x.size // x.shape[1]
    from_batch = mean is None
    if mean is None or var is None:
        if elements < 2:
            raise ValueError(
                f"batch_norm: a batch's statistics need at least 2 numbers a channel, and x of shape {x.shape} has "
                f"{elements} (use a larger batch, or eval())"
            )
        mean = x.mean(axis=_others(x), dtype=np.float64).astype(x.dtype)
        centred = x - _spread(mean, x)
        var = np.square(centred).mean(axis=_others(x), dtype=np.float64).astype(x.dtype)
    else:
        centred = x - _spread(mean, x)
    inv_std = 1 / np.sqrt(var + x.dtype.type(eps))
    x_hat = np.multiply(centred, _spread(inv_std, x), out=centred)
    out = x_hat if weight is None else x_hat * _spread(weight, x)
    if bias is not None:
        out = out + _spread(bias, x)
    return out, BatchNormCache(x_hat, inv_std, weight, mean, var, elements, from_batch)


def batch_norm_backward(dout: Array, cache: BatchNormCache) -> tuple[Array, Array, Array]:
    """Gradients of `batch_norm`: dx of x's shape, dweight (C,), dbias (C,), for dout of x's shape.

    dweight and dbias are what they would be for weight 1 and bias 0 where the forward pass had none.
    """
    of_forward("batch_norm_backward", cache, BatchNormCache)
    of_output("batch_norm_backward", dout, cache.x_hat.shape)
    x_hat = cache.x_hat
    dbias = dout.sum(axis=_others(dout), dtype=np.float64).astype(dout.dtype)  # (C,)
    dweight = (dout * x_hat).sum(axis=_others(dout), dtype=np.float64).astype(dout.dtype)  # (C,)
    slope = cache.inv_std if cache.weight is None else cache.weight * cache.inv_std  # (C,)
    if not cache.from_batch:
        return dout * _spread(slope, dout), dweight, dbias
    M = dout.dtype.type(cache.elements)
    dx = dout - _spread(dbias / M, dout)
    dx -= x_hat * _spread(dweight / M, dout)
    dx *= _spread(slope, dout)
    return dx, dweight, dbias


def running_update(
    running_mean: Array, running_var: Array, cache: BatchNormCache, momentum: float
) -> tuple[Array, Array]:
    """The running statistics after one more batch, each (C,): (1 - momentum) running + momentum batch.

    The variance remembered is the *unbiased* one, sum (x - mean)^2 / (M - 1), while the biased one normalises:
    so does PyTorch.
    """
    number(momentum, "running_update: momentum")
    arrays_of(FLOATS, "running_update", running_mean=running_mean, running_var=running_var)
    of_shape(cache.mean.shape, "running_update", running_mean=running_mean, running_var=running_var)
    if cache.elements < 2:
        raise ValueError(f"running_update: the batch must have at least 2 numbers a channel, got {cache.elements}")
    unbiased = cache.var * (cache.elements / (cache.elements - 1))
    mean = (1 - momentum) * running_mean + momentum * cache.mean
    var = (1 - momentum) * running_var + momentum * unbiased
    return mean.astype(running_mean.dtype), var.astype(running_var.dtype)


def _others(x: Array) -> tuple[int, ...]:
    """Every axis but the channels'."""
    return (0, *range(2, x.ndim))


def _spread(values: Array, x: Array) -> Array:
    """`values` (C,) in a shape that broadcasts over x (N, C, ...)."""
    return values.reshape(1, -1, *[1] * (x.ndim - 2))
