"""Batch norm: every channel gets mean 0 and variance 1 over the batch, and then a scale and a shift of its own."""

from typing import NamedTuple

import numpy as np

from numpynet.checks import FLOATS, arrays_of, no_empty_axis, number, of_shape, same_dtype
from numpynet.functional.arguments import of_forward, of_output
from numpynet.typing import Array


class BatchNormCache(NamedTuple):
    """What `batch_norm_backward` and `running_update` need."""

    x_hat: Array  # the normalised x, of x's shape
    inv_std: Array  # (C,): 1 / std
    weight: Array | None  # (C,)
    mean: Array  # (C,), given or the batch's
    var: Array  # (C,), given or the batch's biased one
    elements: int  # M, the number of elements in each channel
    from_batch: bool  # False if mean and var were given


def batch_norm(
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    mean: Array | None = None,
    var: Array | None = None,
    eps: float = 1e-5,
) -> tuple[Array, BatchNormCache]:
    """Normalise each channel over the batch (Ioffe and Szegedy 2015)::

        mean  = sum(x) / M
        var   = sum((x - mean)^2) / M
        std   = sqrt(var + eps)
        x_hat = (x - mean) / std
        out   = weight x_hat + bias

    Each line is about one channel; its sums run over the channel's M = N H W elements.

    Shapes: x (N, C), (N, C, H, W) or any other with N and C in front; weight, bias, mean, var (C,); out as x.
    A weight of None is 1, a bias of None is 0. If `mean` and `var` are given (in evaluation: the running statistics),
    they are constants.

    Backward: dbias = sum(dout) and dweight = sum(dout x_hat). With g = dL/dx_hat = weight dout, x reaches the loss on
    three paths::

        through x_hat   g / std
        through var     dL/dvar  = sum(g (x - mean)) (-1/2) / std^3 = -1/2 sum(g x_hat) / std^2
                        dL/dvar  * dvar/dx,  dvar/dx  = 2 (x - mean) / M:    - x_hat sum(g x_hat) / M / std
        through mean    dL/dmean = -sum(g) / std      (none through var: dvar/dmean = -2 sum(x - mean) / M = 0)
                        dL/dmean * dmean/dx, dmean/dx = 1 / M:               - sum(g) / M / std
        their sum       dx = weight / std (dout - dbias / M - x_hat dweight / M)

    because sum(g) = weight dbias and sum(g x_hat) = weight dweight. With given statistics only the first path exists.
    test_batch_norm_backward_is_the_staged_one, in tests/functional/test_by_definition.py, walks back line by line.

    In words: dx is g / std without its mean and without its part along x_hat, since shifting or stretching a whole
    channel does not change the loss. A constant dout gives dx = 0; tests must use one that varies.

    The cache holds x_hat, because dweight and dx are short in terms of it. As in torch.nn.functional.batch_norm, the
    *biased* variance normalises; the arguments' order differs, so `mean` and `var` have to be named. Sums are made in
    float64: in float32 they would lose digits. ValueError if a batch has fewer than 2 elements per channel.
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
                f"batch_norm: a batch's statistics need at least 2 numbers per channel, and x of shape {x.shape} has "
                f"{elements} (use a larger batch, or eval())"
            )
        mean = x.mean(axis=all_but_channels(x), dtype=np.float64).astype(x.dtype)
        centred = x - per_channel(mean, x)
        var = np.square(centred).mean(axis=all_but_channels(x), dtype=np.float64).astype(x.dtype)
    else:
        centred = x - per_channel(mean, x)
    inv_std = 1 / np.sqrt(var + x.dtype.type(eps))
    x_hat = np.multiply(centred, per_channel(inv_std, x), out=centred)
    out = x_hat if weight is None else x_hat * per_channel(weight, x)
    if bias is not None:
        out = out + per_channel(bias, x)
    return out, BatchNormCache(x_hat, inv_std, weight, mean, var, elements, from_batch)


def batch_norm_backward(dout: Array, cache: BatchNormCache) -> tuple[Array, Array, Array]:
    """Gradients of `batch_norm`: dx of x's shape, dweight (C,), dbias (C,), for dout of x's shape.

    Without a weight or a bias, dweight and dbias are those of a weight of 1 and a bias of 0.
    """
    of_forward("batch_norm_backward", cache, BatchNormCache)
    of_output("batch_norm_backward", dout, cache.x_hat.shape)
    x_hat = cache.x_hat
    dbias = dout.sum(axis=all_but_channels(dout), dtype=np.float64).astype(dout.dtype)  # (C,)
    dweight = (dout * x_hat).sum(axis=all_but_channels(dout), dtype=np.float64).astype(dout.dtype)  # (C,)
    slope = cache.inv_std if cache.weight is None else cache.weight * cache.inv_std  # (C,)
    if not cache.from_batch:
        return dout * per_channel(slope, dout), dweight, dbias
    M = dout.dtype.type(cache.elements)
    dx = dout - per_channel(dbias / M, dout)
    dx -= x_hat * per_channel(dweight / M, dout)
    dx *= per_channel(slope, dout)
    return dx, dweight, dbias


def running_update(
    running_mean: Array, running_var: Array, cache: BatchNormCache, momentum: float
) -> tuple[Array, Array]:
    """The running mean and variance after one more batch, each (C,): (1 - momentum) running + momentum batch.

    As in PyTorch, the running variance takes the *unbiased* one, sum((x - mean)^2) / (M - 1), although the biased one
    normalises.
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


def all_but_channels(x: Array) -> tuple[int, ...]:
    """The axes of x that a sum over each channel runs over: every one but axis 1."""
    return (0, *range(2, x.ndim))


def per_channel(values: Array, x: Array) -> Array:
    """`values` (C,) in a shape that broadcasts over x (N, C, ...)."""
    return values.reshape(1, -1, *[1] * (x.ndim - 2))
